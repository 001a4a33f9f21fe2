/** When: threads and streams as rows. */
import { Breath, h, nameOf, replace, visible } from '../dom';
import { count, plural, time } from '../format';
import { absent, section, type Page } from '../page';
import { saveCanvas } from '../plot';
import { follow, update } from '../state';
import { css, kPalette } from '../theme';
import { unpack, type Events } from '../timeline/columns';
import { arrange } from '../timeline/lanes';
import { TimelineView } from '../timeline/view';

const kOther = 0x8a8f98;
const kTableRows = 200;

interface Usage { name: string; events: number; total: number; longest: number }

async function usageOf(events: Events): Promise<Usage[]> {
  const usage = events.names.map((name): Usage => ({ name, events: 0, total: 0, longest: 0 }));
  const breath = new Breath();
  const kPortion = 1 << 16;
  for (let from = 0; from < events.begin.length; from += kPortion) {
    for (let i = from; i < Math.min(events.begin.length, from + kPortion); ++i) {
      const entry = usage[events.name[i] as number];
      if (!entry) continue;
      const length = (events.end[i] as number) - (events.begin[i] as number);
      ++entry.events;
      entry.total += length;
      if (length > entry.longest) entry.longest = length;
    }
    if (breath.due()) await breath.take();
  }
  return usage;
}

/** Colours by type of op where events have ops, by name otherwise: the seven largest get one of their own. */
function colours(page: Page, events: Events, usage: Usage[]): { of: (event: number) => number; legend: [string, number][] } {
  const withOps = events.op.some((row) => row >= 0);
  const totals = new Map<string, number>();
  if (withOps) for (const op of page.ops) totals.set(op.type, (totals.get(op.type) ?? 0) + (op.time ?? 0));
  else for (const entry of usage) totals.set(entry.name, (totals.get(entry.name) ?? 0) + entry.total);
  const largest = [...totals].sort((a, b) => b[1] - a[1]).slice(0, kPalette.length).map(([name]) => name);
  const colour = new Map(largest.map((name, i) => [name, kPalette[i] ?? kOther]));
  const byOp = page.ops.map((op) => colour.get(op.type) ?? kOther);
  const byName = events.names.map((name) => (withOps ? kOther : (colour.get(name) ?? kOther)));
  return {
    of: (event) => {
      const row = events.op[event] as number;
      return (row >= 0 ? byOp[row] : byName[events.name[event] as number]) ?? kOther;
    },
    legend: [...colour, ['other', kOther]],
  };
}

function legend(entries: [string, number][]): HTMLElement {
  return h('ul', { class: 'legend' }, entries.map(([name, rgb]) => {
    const swatch = h('span', { class: 'swatch' });
    swatch.style.backgroundColor = css(rgb);
    return h('li', {}, swatch, nameOf(name, 40));
  }));
}

/** Every event whose name holds `text`, as marks and as a list. */
function matches(events: Events, text: string): { marks: Uint8Array; found: number[] } {
  const wanted = events.names.map((name) => name.toLowerCase().includes(text.toLowerCase()));
  const marks = new Uint8Array(events.begin.length);
  const found: number[] = [];
  for (let i = 0; i < marks.length; ++i) {
    if (!wanted[events.name[i] as number]) continue;
    marks[i] = 1;
    found.push(i);
  }
  return { marks, found };
}

function searchBox(events: Events, view: TimelineView, unmarked: () => Uint8Array | null): HTMLElement {
  let found: number[] = [];
  let at = -1;
  const status = h('span', { class: 'soft', role: 'status', id: 'timeline-hits' });
  const go = (by: number): void => {
    if (found.length === 0) return;
    at = (at + by + found.length) % found.length;
    view.pickEvent(found[at] as number);
    status.textContent = `${count(at + 1)} of ${count(found.length)}`;
  };
  const search = h('input', {
    type: 'search', id: 'timeline-search', placeholder: 'event name, Enter: next', 'aria-label': 'Search events',
    input: () => {
      const result = search.value === '' ? null : matches(events, search.value);
      found = result?.found ?? [];
      at = -1;
      view.mark(result ? result.marks : unmarked());
      status.textContent = result ? `${count(found.length)} events` : '';
    },
    keydown: (event: KeyboardEvent) => {
      if (event.key === 'Enter') { event.preventDefault(); go(event.shiftKey ? -1 : 1); }
    },
  });
  const button = (id: string, text: string, label: string, act: () => void): HTMLElement =>
    h('button', { type: 'button', id, 'aria-label': label, title: label, click: act }, text);
  return h('div', { class: 'controls' }, search, status, h('span', { class: 'spacer' }),
    button('zoom-in', '+', 'Zoom in', () => view.zoom(0.5)), button('zoom-out', '−', 'Zoom out', () => view.zoom(2)),
    button('pan-left', '←', 'Pan left', () => view.pan(-0.3)), button('pan-right', '→', 'Pan right', () => view.pan(0.3)),
    button('zoom-all', 'All', 'All of the time', () => view.show(0, Infinity)),
    button('timeline-png', 'PNG', 'Save as PNG', () => saveCanvas(view.canvas, 'timeline.png')));
}

function usageTable(usage: Usage[]): HTMLElement {
  const body = h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Events by name' });
  const details = h('details', { class: 'data' }, h('summary', {}, 'Table of these numbers'), body);
  details.addEventListener('toggle', () => {
    if (!details.open || body.childElementCount > 0) return;
    const rows = [...usage].sort((a, b) => b.total - a.total).slice(0, kTableRows);
    body.appendChild(h('table', {},
      h('thead', {}, h('tr', {}, ['event', 'count', 'total', 'longest'].map((title) => h('th', { scope: 'col' }, title)))),
      h('tbody', {}, rows.map((row) => h('tr', {}, h('td', {}, nameOf(row.name, 120)), h('td', {}, count(row.events)),
        h('td', {}, time(row.total)), h('td', {}, time(row.longest)))))));
  });
  return details;
}

async function build(page: Page, holder: HTMLElement): Promise<void> {
  const { timeline } = page.doc;
  if (!timeline) return;
  const events = await unpack(timeline);
  const usage = await usageOf(events);
  const colour = colours(page, events, usage);
  const view = new TimelineView(events, await arrange(events), colour.of);
  const details = h('p', { class: 'event', id: 'event', role: 'status' }, 'No event is selected.');
  let ofOp: Uint8Array | null = null;
  view.onPick = (event) => {
    if (event === null) { replace(details, 'No event is selected.'); update({ op: null }); return; }
    const row = events.op[event] as number;
    const length = (events.end[event] as number) - (events.begin[event] as number);
    replace(details, nameOf(events.names[events.name[event] as number] ?? '', 200),
      `: ${time(length)}, begins at ${time(events.begin[event])}`, row >= 0 && [', op ', nameOf(page.ops[row]?.name ?? '', 120)]);
    update({ op: row >= 0 ? row : null });
  };
  replace(holder, searchBox(events, view, () => ofOp), view.element, details, legend(colour.legend), usageTable(usage));
  follow((state, changed) => {
    if (!changed.has('op')) return;
    ofOp = null;
    if (state.op !== null) {
      const marks = new Uint8Array(events.begin.length);
      let any = false;
      for (let i = 0; i < marks.length; ++i) {
        if (events.op[i] === state.op) { marks[i] = 1; any = true; }
      }
      if (any) ofOp = marks;
    }
    view.mark(ofOp);
  });
  holder.dataset['ready'] = 'true';
}

export function timelinePanel(page: Page): HTMLElement {
  const { timeline } = page.doc;
  if (!timeline || timeline.count === 0) return section('timeline', 'When', absent('No timeline was collected.'));
  const holder = h('div', { id: 'timeline-holder' }, h('p', { class: 'soft' }, 'Unpacking…'));
  build(page, holder).catch((error: unknown) => {
    replace(holder, h('p', { class: 'alarm' }, `The timeline cannot be shown: ${visible(String(error)).slice(0, 300)}`));
  });
  return section('timeline', 'When', h('p', { class: 'soft' },
    `${plural(timeline.count, 'event')} on ${plural(timeline.tracks.length, 'track')} over ${time(timeline.end_ns - timeline.begin_ns)}. Drag to pan, Ctrl and wheel to zoom, Shift and drag to zoom in on a piece. `,
    page.why('timeline')), holder);
}
