/** Everything about the selected op. */
import { h, nameOf, replace, type Child } from '../dom';
import { byteRate, bytes, count, flopRate, flops, interval, known, plain, share, time } from '../format';
import type { Kernel, Op } from '../model';
import type { Page } from '../page';
import { follow, update } from '../state';

const kMostNodes = 50;

function kernels(rows: Kernel[]): Child {
  if (rows.length === 0) return null;
  const names = [...new Set(rows.flatMap((kernel) => Object.keys(kernel.counters)))].slice(0, 12);
  return h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Kernels of this op' },
    h('table', {}, h('thead', {}, h('tr', {},
      ['kernel', 'time', 'launches', 'grid', 'block', ...names].map((title) => h('th', { scope: 'col' }, nameOf(title, 40))))),
    h('tbody', {}, rows.map((kernel) => h('tr', {},
      h('td', {}, nameOf(kernel.name, 80)), h('td', {}, time(kernel.time_ns)), h('td', {}, plain(kernel.launches)),
      h('td', {}, kernel.grid?.join('×') ?? '-'), h('td', {}, kernel.block?.join('×') ?? '-'),
      names.map((name) => h('td', {}, name.endsWith('_ratio') ? share(kernel.counters[name]) : plain(kernel.counters[name]))))))));
}

function facts(page: Page, op: Op): Child {
  const rows: [string, Child, string?][] = [
    ['type', nameOf(op.type)], ['phase', nameOf(op.phase)], ['provider', nameOf(op.provider)],
    ['shapes', nameOf(op.shapes, 400)],
    ['time', `${time(op.time)} ${known(op.low) ? `95 % ${interval(op.low, op.high)}` : ''}`, 'ops.time_ns'],
    ['by', `${op.method || '-'}, ${count(op.samples)} samples`, 'ops.method'],
    ['as the profiler says', time(op.raw), 'ops.raw_ns'],
    ['share', share(op.share), 'ops.share_ratio'],
    ['bound by', op.bound || '-', 'ops.bound'],
    ['ideal time', time(op.ideal), 'ops.ideal_ns'],
    ['of its roof', share(op.roof), 'ops.roof_ratio'],
    ['work', flops(op.flops), 'ops.flops'],
    ['least traffic', bytes(op.bytes), 'ops.bytes'],
    ['intensity', known(op.intensity) ? `${plain(op.intensity)} FLOP/B` : '-', 'ops.intensity_flops_per_byte'],
    ['achieved', known(op.flopRate) || known(op.byteRate) ? `${flopRate(op.flopRate)}, ${byteRate(op.byteRate)}` : '-', 'ops.flops_per_second'],
    ['memory for outputs', bytes(op.memory), 'ops.memory_bytes'],
  ];
  return h('dl', { class: 'facts-list' }, rows.map(([label, value, key]) => h('div', {},
    h('dt', {}, label, ' ', key ? page.why(key) : null), h('dd', {}, value))));
}

export function selected(page: Page): HTMLElement {
  const panel = h('div', { class: 'selected', id: 'selected', hidden: true });
  const status = h('p', { class: 'sr-only', role: 'status' });
  follow((state, changed) => {
    if (!changed.has('op')) return;
    const op = state.op === null ? undefined : page.ops[state.op];
    panel.hidden = !op;
    status.textContent = '';
    if (!op) return;
    status.append('Selected: ', nameOf(op.name, 100), `, ${time(op.time)}`);
    const rest = op.nodes.length - kMostNodes;
    replace(panel,
      h('div', { class: 'bar' }, h('h3', {}, nameOf(op.name, 300)), h('span', { class: 'spacer' }),
        h('button', { type: 'button', click: () => update({ op: null }) }, 'Deselect')),
      facts(page, op),
      op.nodes.length > 0 && h('p', {}, 'Stands for ', op.nodes.slice(0, kMostNodes).map((node, i) => [i > 0 && ', ', nameOf(node, 120)]),
        rest > 0 && ` and ${count(rest)} more`),
      kernels(page.doc.kernels.filter((kernel) => kernel.op === op.index)));
  });
  return h('div', {}, status, panel);
}
