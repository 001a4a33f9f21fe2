/** Against the baseline: what made the total change, and what became of every op. */
import { scaleLinear } from 'd3-scale';
import { elide, h, nameOf, s, visible } from '../dom';
import { count, interval, inScale, known, ratio, share, time, timeScale } from '../format';
import { Grid, sorted, type Column } from '../grid';
import { coded, type Comparison } from '../model';
import { section, type Page } from '../page';
import { axisX, inside, plot } from '../plot';
import { update } from '../state';
import { verdictBadge } from './headline';

const kBar = 24;

interface Step { label: string; from: number; to: number; kind: string; row: number | null }

function stepsOf(c: Comparison): Step[] {
  if (!known(c.baseline_ns) || !known(c.candidate_ns) || c.waterfall.length === 0) return [];
  const steps: Step[] = [{ label: 'baseline', from: 0, to: c.baseline_ns, kind: 'total', row: null }];
  let at = c.baseline_ns;
  for (const step of c.waterfall) {
    steps.push({ label: step.label, from: at, to: at + step.delta_ns, kind: step.kind, row: step.row });
    at += step.delta_ns;
  }
  steps.push({ label: 'this Run', from: 0, to: c.candidate_ns, kind: 'total', row: null });
  return steps;
}

function draw(svg: SVGSVGElement, width: number, height: number, steps: Step[]): void {
  const names = Math.min(240, Math.max(90, width * 0.3));
  const f = inside(width, height, { top: 6, right: 90, bottom: 44, left: names });
  const ends = steps.flatMap((step) => [step.from, step.to]).filter((v) => v > 0);
  const low = ends.reduce((a, b) => Math.min(a, b), Infinity);
  const high = ends.reduce((a, b) => Math.max(a, b), 0);
  const unit = timeScale(high);
  // Totals dwarf changes: the axis begins near the smaller total, and says so by a broken bar.
  const start = Math.max(0, low - (high - low) * 0.6);
  const x = scaleLinear([start / unit.divisor, high / unit.divisor], [f.left, f.right]);
  const at = (ns: number): number => x(Math.max(start, ns) / unit.divisor);
  axisX(svg, f, x, start > 0 ? `time, ${unit.unit} (the axis does not begin at 0)` : `time, ${unit.unit}`, x.tickFormat(5));
  steps.forEach((step, i) => {
    const y = f.top + i * kBar;
    const total = step.kind === 'total';
    const delta = step.to - step.from;
    const left = Math.min(at(step.from), at(step.to));
    const right = Math.max(at(step.from), at(step.to));
    const name = total ? 'bar-total' : delta > 0 ? 'bar-worse' : 'bar-better';
    svg.appendChild(s('rect', { x: left, y: y + 3, width: Math.max(1, right - left), height: kBar - 8, class: name },
      s('title', {}, `${visible(step.label).slice(0, 200)} (${step.kind}): ${time(total ? step.to : delta)}`)));
    if (i + 1 < steps.length) svg.appendChild(s('path', { d: `M${at(step.to)} ${y + kBar - 5}v8`, class: 'link-line' }));
    const tag = step.kind === 'added' || step.kind === 'removed' ? ` (${step.kind})` : '';
    svg.appendChild(s('text', { x: names - 8, y: y + kBar / 2 + 3, 'text-anchor': 'end' }, elide(visible(step.label.slice(0, 400)) + tag, Math.floor(names / 7.2))));
    const sign = total ? '' : delta > 0 ? '+' : '−';
    svg.appendChild(s('text', { x: right + 6, y: y + kBar / 2 + 3 }, sign + time(Math.abs(total ? step.to : delta))));
  });
}

interface Line {
  row: number; name: string; type: string; kind: string; base: number | null; now: number | null; delta: number;
  ratio: number | null; low: number | null; high: number | null; verdict: string; discovered: boolean; op: number | null;
}

function linesOf(c: Comparison): Line[] {
  const { ops } = c;
  return Array.from({ length: ops.count }, (_, i): Line => ({
    row: i, name: ops.name[i] ?? '', type: coded(ops.type, i), kind: coded(ops.kind, i), base: ops.baseline_ns[i] ?? null,
    now: ops.candidate_ns[i] ?? null, delta: (ops.candidate_ns[i] ?? 0) - (ops.baseline_ns[i] ?? 0), ratio: ops.ratio[i] ?? null,
    low: ops.ratio_low[i] ?? null, high: ops.ratio_high[i] ?? null, verdict: coded(ops.verdict, i), discovered: ops.discovered[i] ?? false,
    op: ops.candidate_ops[i]?.[0] ?? null,
  }));
}

function table(c: Comparison): HTMLElement {
  const lines = linesOf(c);
  const longest = lines.reduce((top, line) => Math.max(top, line.base ?? 0, line.now ?? 0), 1);
  const unit = timeScale(longest);
  const x = (v: number | null): string => inScale(unit, v, longest);
  const columns: Column<Line>[] = [
    { key: 'name', title: 'op', width: 120, roomy: 220, priority: 0, grows: 1, cell: (l, width) => nameOf(l.name, Math.max(8, Math.floor((width - 14) / 8.8))), order: (l) => l.name },
    { key: 'delta', title: `change, ${unit.unit}`, width: 124, priority: 0, number: true, cell: (l) => (l.delta > 0 ? '+' : '') + x(l.delta), order: (l) => Math.abs(l.delta) },
    { key: 'kind', title: 'kind', width: 92, priority: 2, cell: (l) => l.kind, order: (l) => l.kind },
    { key: 'base', title: `baseline, ${unit.unit}`, width: 132, priority: 3, number: true, cell: (l) => x(l.base), order: (l) => l.base },
    { key: 'now', title: `this Run, ${unit.unit}`, width: 132, priority: 3, number: true, cell: (l) => x(l.now), order: (l) => l.now },
    { key: 'ratio', title: 'ratio', width: 84, priority: 1, number: true, cell: (l) => ratio(l.ratio), order: (l) => l.ratio },
    { key: 'interval', title: '98 %', width: 180, priority: 5, number: true, cell: (l) => interval(l.low, l.high, ratio), order: (l) => l.low },
    { key: 'verdict', title: 'verdict', width: 130, priority: 4, cell: (l) => (l.verdict === '' ? '-' : verdictBadge(l.verdict)), order: (l) => l.verdict || null },
    { key: 'type', title: 'type', width: 110, priority: 6, cell: (l) => nameOf(l.type, 40), order: (l) => l.type },
  ];
  const grid = new Grid<Line>(columns, {
    label: 'Compared ops', id: 'comparison-grid', keyOf: (l) => l.row, empty: 'No op was compared.',
    onSort: (sort) => grid.setRows(sorted(lines, columns, sort), sort),
    onSelect: (l) => { grid.select(l.row); if (l.op !== null) update({ op: l.op }); },
  });
  grid.setRows(sorted(lines, columns, '-delta'), '-delta');
  return grid.element;
}

export function comparison(page: Page): HTMLElement | null {
  const c = page.doc.comparison;
  if (!c) return null;
  const steps = stepsOf(c);
  const waterfall = steps.length > 0 && plot({
    id: 'waterfall', title: 'What made the change.', describe: 'From the baseline\'s time to this Run\'s, op by op.',
    height: () => steps.length * kBar + 54, draw: (svg, w, hh) => draw(svg, w, hh, steps),
    head: ['step', 'kind', 'change'], rows: () => c.waterfall.map((step) => [nameOf(step.label, 100), step.kind, `${step.delta_ns > 0 ? '+' : ''}${time(step.delta_ns)}`]),
  }).element;
  const added = c.ops.kind.values.map((kind, code): [string, number] => [kind, c.ops.kind.codes.filter((v) => v === code).length]);
  return section('comparison', 'Against the baseline',
    h('p', {}, verdictBadge(c.total.verdict), ` ${ratio(c.total.ratio)} ${interval(c.total.ratio_low, c.total.ratio_high, ratio)}, `,
      `${time(c.baseline_ns)} → ${time(c.candidate_ns)}. `, page.why('headline.verdict'), page.why('comparison.waterfall')),
    h('p', { class: 'soft' }, 'Baseline: ', nameOf(c.baseline.path ?? c.baseline.run_id, 200), ', ', nameOf(c.baseline.subject, 300), `, ${c.baseline.created_at}. `,
      c.interleaved ? 'Measured interleaved. ' : `Not measured interleaved: changes up to ${share(c.margin_ratio)} can be the luck of two launches. `,
      `Ops aligned cover ${share(c.baseline_covered_ratio)} of the baseline's time and ${share(c.candidate_covered_ratio)} of this Run's.`),
    waterfall || null,
    h('p', { class: 'soft' }, added.filter(([, n]) => n > 0).map(([kind, n], i) => `${i > 0 ? ', ' : ''}${count(n)} ${kind}`)),
    table(c),
    c.differences.length > 0 && h('div', {}, h('h3', {}, 'What else differs'), h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Differences' },
      h('table', {}, h('thead', {}, h('tr', {}, ['', 'baseline', 'this Run'].map((title) => h('th', { scope: 'col' }, title)))),
        h('tbody', {}, c.differences.map((d) => h('tr', {}, h('th', { scope: 'row' }, nameOf(d.field, 80)), h('td', {}, nameOf(d.baseline, 200)), h('td', {}, nameOf(d.candidate, 200)))))))),
    c.notes.length > 0 && h('ul', {}, c.notes.map((note) => h('li', {}, nameOf(note, 600)))));
}
