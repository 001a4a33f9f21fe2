/** Where the time goes: by op, by type, or by node of the graph as the user wrote it. */
import { h, nameOf, visible, type Child } from '../dom';
import { bytes, byteScale, count, digits, inScale, interval, known, plural, share, timeScale } from '../format';
import { Grid, sorted, type Column } from '../grid';
import type { Op } from '../model';
import { section, type Page } from '../page';
import { current, follow, update, type State } from '../state';
import { idOf } from './findings';
import { selected } from './selected';

/** A line of the table: an op, or several taken together. */
interface Line {
  key: number;
  name: string;
  members: Op[];
  type: string;
  time: number | null;
  low: number | null;
  high: number | null;
  share: number | null;
  flops: number | null;
  bytes: number | null;
}

const sum = (ops: Op[], pick: (op: Op) => number | null, partly = false): number | null => {
  let total = 0;
  let some = false;
  for (const op of ops) {
    const value = pick(op);
    if (value === null) { if (partly) continue; return null; }
    total += value;
    some = true;
  }
  return some ? total : null;
};

function lineOf(key: number, name: string, members: Op[]): Line {
  const only = members.length === 1 ? members[0] : undefined;
  return {
    key, name, members, type: only?.type ?? (new Set(members.map((op) => op.type)).size === 1 ? members[0]?.type ?? '' : 'several'),
    time: sum(members, (op) => op.time, true), low: only?.low ?? null, high: only?.high ?? null,
    share: sum(members, (op) => op.share, true), flops: sum(members, (op) => op.flops), bytes: sum(members, (op) => op.bytes),
  };
}

function grouped(ops: Op[], keysOf: (op: Op) => string[]): Line[] {
  const groups = new Map<string, Op[]>();
  for (const op of ops) {
    for (const key of keysOf(op)) {
      const group = groups.get(key);
      if (group) group.push(op);
      else groups.set(key, [op]);
    }
  }
  return [...groups].map(([name, members], index) => lineOf(index, name, members));
}

function linesOf(by: State['by'], ops: Op[]): Line[] {
  if (by === 'type') return grouped(ops, (op) => [op.type]);
  if (by === 'node') return grouped(ops, (op) => (op.nodes.length > 0 ? op.nodes : ['(no original node)']));
  return ops.map((op) => lineOf(op.index, op.name, [op]));
}

/** Ops that every filter lets through. */
export function filtered(page: Page, state: Readonly<State>): Op[] {
  const finding = state.finding === '' ? undefined
    : page.doc.findings.find((entry, index) => idOf(entry, index) === state.finding);
  const wanted = finding ? new Set(finding.ops) : null;
  const text = state.text.toLowerCase();
  return page.ops.filter((op) => (!wanted || wanted.has(op.index))
    && (state.type === '' || op.type === state.type) && (state.bound === '' || op.bound === state.bound)
    && (text === '' || op.name.toLowerCase().includes(text) || op.type.toLowerCase().includes(text)
      || op.nodes.some((node) => node.toLowerCase().includes(text))));
}

/** Share of the longest line as a bar, its interval as a whisker. */
function bar(line: Line, longest: number): HTMLElement {
  const percent = (value: number): string => `${Math.min(100, (100 * value) / longest)}%`;
  const fill = h('span', { class: 'bar-fill' });
  fill.style.width = percent(line.time ?? 0);
  const holder = h('span', { class: 'bar-box', 'aria-hidden': 'true' }, fill);
  if (known(line.low) && known(line.high)) {
    const whisker = h('span', { class: 'bar-whisker' });
    whisker.style.left = percent(line.low);
    whisker.style.width = percent(Math.max(0, line.high - line.low));
    holder.appendChild(whisker);
  }
  return holder;
}

function columnsOf(page: Page, by: State['by'], lines: Line[]): Column<Line>[] {
  const longest = Math.max(1, ...lines.slice(0, 1).map(() => lines.reduce((top, line) => Math.max(top, line.time ?? 0), 0)));
  const scale = timeScale(longest);
  const space = byteScale(lines.reduce((top, line) => Math.max(top, line.members[0]?.memory ?? 0), 1));
  const only = (line: Line): Op | undefined => (line.members.length === 1 ? line.members[0] : undefined);
  const gf = (v: number | null | undefined): string => (known(v) ? digits(v / 1e9) : '-');
  const number = (key: string, title: string, width: number, priority: number, order: (line: Line) => number | null | undefined,
    cell: (line: Line) => Child, explain?: string): Column<Line> => {
    const text = explain ? page.explain(explain) : undefined;
    return { key, title, width, priority, number: true, order, cell, ...(text ? { explain: text } : {}) };
  };
  const columns: Column<Line>[] = [
    { key: 'name', title: by === 'op' ? 'op' : by === 'type' ? 'type' : 'original node', width: 130, roomy: 250, priority: 0, grows: 4,
      cell: (line, width) => nameOf(line.name, Math.max(8, Math.floor((width - 14) / 8.8))), order: (line) => line.name },
    number('time', `time, ${scale.unit}`, 86, 0, (line) => line.time, (line) => inScale(scale, line.time, longest), 'ops.time_ns'),
    number('share', 'share', 70, 1, (line) => line.share, (line) => share(line.share), 'ops.share_ratio'),
    { key: 'bar', title: '', width: 110, priority: 3, grows: 1, cell: (line) => bar(line, longest) },
  ];
  if (by !== 'op') {
    columns.push(number('count', 'ops', 64, 2, (line) => line.members.length, (line) => count(line.members.length)));
  }
  if (by !== 'type') {
    columns.splice(1, 0, { key: 'type', title: 'type', width: 110, priority: 2, cell: (line) => nameOf(line.type, 40), order: (line) => line.type });
  }
  if (by === 'op') {
    columns.push(
      number('low', '95 %', 150, 4, (line) => line.low, (line) => interval(line.low, line.high, (v) => inScale(scale, v, longest)), 'ops.low_ns'),
      { key: 'bound', title: 'bound', width: 86, priority: 5, cell: (line) => only(line)?.bound || '-', order: (line) => only(line)?.bound || null },
      number('roof', 'of roof', 82, 6, (line) => only(line)?.roof, (line) => share(only(line)?.roof), 'ops.roof_ratio'),
      number('rate', 'GFLOP/s', 92, 7, (line) => only(line)?.flopRate, (line) => gf(only(line)?.flopRate), 'ops.flops_per_second'),
      number('intensity', 'FLOP/B', 84, 8, (line) => only(line)?.intensity, (line) => (known(only(line)?.intensity) ? digits(only(line)?.intensity as number) : '-'), 'ops.intensity_flops_per_byte'),
      number('memory', `memory, ${space.unit}`, 130, 9, (line) => only(line)?.memory, (line) => (known(only(line)?.memory) ? digits((only(line)?.memory as number) / space.divisor) : '-'), 'ops.memory_bytes'),
      { key: 'by', title: 'by', width: 92, priority: 10, cell: (line) => only(line)?.method || '-', order: (line) => only(line)?.method || null },
      { key: 'nodes', title: 'original nodes', width: 200, priority: 11, grows: 1, cell: (line) => nameOf(only(line)?.nodes.slice(0, 5).join(', ') ?? '', 60) });
  } else {
    columns.push(
      number('flops', 'GFLOP', 90, 5, (line) => line.flops, (line) => gf(line.flops), 'ops.flops'),
      number('bytes', 'traffic', 100, 6, (line) => line.bytes, (line) => bytes(line.bytes), 'ops.bytes'));
  }
  return columns;
}

function choice(label: string, id: string, values: [string, string][], change: (value: string) => void): { element: HTMLElement; select: HTMLSelectElement } {
  const select = h('select', { id, change: () => change(select.value) },
    values.map(([value, text]) => h('option', { value }, text)));
  return { element: h('label', {}, label, ' ', select), select };
}

function controls(page: Page): HTMLElement {
  const distinct = (pick: (op: Op) => string): [string, string][] => {
    const found = [...new Set(page.ops.map(pick).filter((value) => value !== ''))].sort();
    return [['', 'all'], ...found.slice(0, 300).map((value): [string, string] => [value, visible(value).slice(0, 60)])];
  };
  const search = h('input', {
    type: 'search', id: 'op-search', placeholder: 'name, type or original node  ( / )', 'aria-label': 'Search ops',
    'aria-keyshortcuts': '/', input: () => update({ text: search.value }),
    keydown: (event: KeyboardEvent) => {
      if (event.key === 'ArrowDown' || event.key === 'Enter') { event.preventDefault(); document.getElementById('op-grid')?.focus(); }
    },
  });
  const by = choice('by', 'group-by', [['op', 'op'], ['type', 'type'], ['node', 'original node']],
    (value) => update({ by: value as State['by'], sort: '-time' }));
  const type = choice('type', 'type-filter', distinct((op) => op.type), (value) => update({ type: value }));
  const bound = choice('bound', 'bound-filter', distinct((op) => op.bound), (value) => update({ bound: value }));
  const clear = h('button', {
    type: 'button', id: 'clear-filters', click: () => update({ text: '', type: '', bound: '', finding: '', by: 'op', sort: '-time' }),
  }, 'All ops');
  follow((state) => {
    if (search.value !== state.text) search.value = state.text;
    by.select.value = state.by;
    type.select.value = state.type;
    bound.select.value = state.bound;
    clear.hidden = state.text === '' && state.type === '' && state.bound === '' && state.finding === '' && state.by === 'op';
  });
  return h('div', { class: 'controls' }, search, by.element, type.element, bound.element, clear);
}

export function hotspots(page: Page): HTMLElement {
  let lines: Line[] = [];
  let columns: Column<Line>[] = [];
  const note = h('p', { class: 'soft', id: 'op-count', role: 'status' });
  const grid = new Grid<Line>([], {
    label: 'Ops by time', id: 'op-grid', keyOf: (line) => line.key, empty: 'No op passes these filters.',
    onSort: (sort) => update({ sort }),
    onSelect: (line) => {
      if (current().by !== 'type') update({ op: [...line.members].sort((a, b) => (b.time ?? 0) - (a.time ?? 0))[0]?.index ?? null });
    },
    onOpen: (line) => { if (current().by === 'type') update({ by: 'op', type: line.name, sort: '-time' }); },
  });
  follow((state, changed) => {
    const anew = (['text', 'type', 'bound', 'finding', 'by'] as const).some((key) => changed.has(key));
    if (anew) {
      const ops = filtered(page, state);
      lines = linesOf(state.by, ops);
      columns = columnsOf(page, state.by, lines);
      grid.setColumns(columns);
      const total = sum(ops, (op) => op.share, true);
      note.textContent = `${plural(lines.length, 'line')}, ${count(ops.length)} of ${count(page.ops.length)} ops, ${share(total)} of the time${
        state.finding === '' ? '' : `; those of finding ${state.finding}`}`;
    }
    if (anew || changed.has('sort')) grid.setRows(sorted(lines, columns, state.sort), state.sort);
    if ((anew || changed.has('sort') || changed.has('op')) && state.by === 'op') grid.select(state.op);
  });
  return section('hotspots', 'Where the time goes', controls(page), note, grid.element, selected(page));
}
