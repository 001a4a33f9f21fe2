/** How close to the hardware: every op against the measured ceilings. */
import { scaleLog } from 'd3-scale';
import { h, letters, nameOf, s, visible } from '../dom';
import { byteRate, flopRate, interval, known, plain, plural, share, time } from '../format';
import type { Ceiling, Op } from '../model';
import { absent, section, type Page } from '../page';
import { axisX, axisY, dots, inside, plot, type Axis } from '../plot';
import { current, follow, update } from '../state';

const kMostMarks = 400;  // drawn one by one; the rest in one path

interface Point { op: Op; intensity: number; rate: number }

const kShape: Record<string, string> = { compute: 'square', overhead: 'cross' };
const shapeOf = (bound: string): string => kShape[bound] ?? (bound === '' ? 'hollow' : 'circle');

function mark(shape: string, x: number, y: number, r: number, name: string): SVGElement {
  if (shape === 'square') return s('rect', { x: x - r, y: y - r, width: 2 * r, height: 2 * r, class: name });
  if (shape === 'cross') return s('path', { d: `M${x - r} ${y - r}l${2 * r} ${2 * r}m0 ${-2 * r}l${-2 * r} ${2 * r}`, class: name });
  return s('circle', { cx: x, cy: y, r, class: name });
}

/** Ticks at 1, 2 and 5 of a decade, at 1 alone where there are many decades. */
function roundTicks(scale: Axis & { domain: () => number[] }): Axis {
  const [low = 1, high = 1] = scale.domain();
  const wide = Math.log10(high / low) > 4;
  return Object.assign((value: number) => scale(value), {
    ticks: () => {
      const out: number[] = [];
      for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); ++power) {
        for (const digit of wide ? [1] : [1, 2, 5]) {
          const tick = digit * 10 ** power;
          if (tick >= low && tick <= high) out.push(tick);
        }
      }
      return out;
    },
  });
}

const short = (value: number): string => String(Number(value.toPrecision(3)));

export function roofline(page: Page): HTMLElement {
  const { roofline: roof } = page.doc;
  const points = page.ops.flatMap((op): Point[] => (known(op.intensity) && op.intensity > 0 && known(op.flopRate) && op.flopRate > 0
    ? [{ op, intensity: op.intensity, rate: op.flopRate }] : []))
    .sort((a, b) => (b.op.share ?? 0) - (a.op.share ?? 0));
  if (!roof || roof.ceilings.length === 0) {
    return section('roofline', 'How close to the hardware', absent('This machine\'s ceilings are not in the Run. `neurolens peaks` measures them.'));
  }
  const used = roof.ceilings.filter((ceiling) => ceiling.used);
  const shown = used.length > 0 ? used : roof.ceilings;
  const compute = shown.filter((ceiling) => ceiling.kind === 'compute').sort((a, b) => b.value - a.value);
  const memory = shown.filter((ceiling) => ceiling.kind === 'memory').sort((a, b) => b.value - a.value);
  const spec = plot({
    id: 'roofline-plot', title: 'Roofline.', describe: 'Work done per second against work per byte; the area of a mark is its share of the time.',
    height: (width) => Math.max(260, Math.min(620, width * 0.5)),
    draw: (svg, width, height) => draw(svg, width, height, points, compute, memory),
    head: ['op', 'type', 'FLOP/B', 'achieved', 'bound', 'of its roof', 'time'],
    rows: () => points.map(({ op }) => [nameOf(op.name, 80), nameOf(op.type, 40), plain(op.intensity), flopRate(op.flopRate), op.bound || '-', share(op.roof), time(op.time)]),
  });
  follow((_, changed) => { if (changed.has('op')) spec.redraw(); });
  return section('roofline', 'How close to the hardware',
    h('p', { class: 'soft' }, `Ceilings measured on this machine, ${plural(roof.threads, 'thread')}. `,
      roof.unplaced > 0 && `${plural(roof.unplaced, 'op')} without a place here: the cost is not known. `, page.why('ops.roof_ratio')),
    spec.element,
    h('ul', { class: 'legend' }, ['square: bound by compute', 'circle: by memory', 'cross: by overhead', 'ring: not known'].map((text) => h('li', {}, text))),
    h('details', { class: 'data' }, h('summary', {}, 'Ceilings'),
      h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Ceilings' }, h('table', {},
        h('thead', {}, h('tr', {}, ['ceiling', 'value', '95 %', 'used'].map((title) => h('th', { scope: 'col' }, title)))),
        h('tbody', {}, roof.ceilings.map((c) => {
          const show = c.kind === 'compute' ? flopRate : byteRate;
          return h('tr', {}, h('td', {}, nameOf(c.label, 80)), h('td', {}, show(c.value)), h('td', {}, interval(c.low, c.high, show)), h('td', {}, c.used ? 'yes' : 'no'));
        }))))));
}

function draw(svg: SVGSVGElement, width: number, height: number, points: Point[], compute: Ceiling[], memory: Ceiling[]): void {
  const f = inside(width, height, { top: 28, right: 16, bottom: 44, left: 62 });
  const tops = compute.map((c) => c.value);
  const knees = compute.length > 0 && memory.length > 0 ? memory.map((m) => (tops[0] as number) / m.value) : [];
  const xs = [...points.map((p) => p.intensity), ...knees];
  const ys = [...points.map((p) => p.rate), ...tops];
  if (xs.length === 0 || ys.length === 0) {
    svg.appendChild(s('text', { x: 20, y: 40 }, 'No op has both a known cost and a time.'));
    return;
  }
  const low = (values: number[]): number => values.reduce((a, b) => Math.min(a, b), Infinity);
  const high = (values: number[]): number => values.reduce((a, b) => Math.max(a, b), 0);
  const x = scaleLog([low(xs) / 2, high(xs) * 2], [f.left, f.right]);
  const y = scaleLog([Math.max(low(ys) / 2, high(ys) / 1e7), high(ys) * 2], [f.bottom, f.top]);
  axisX(svg, f, roundTicks(x), 'FLOP per byte', short);
  axisY(svg, f, roundTicks(y), 'FLOP/s', (v) => flopRate(v).replace('FLOP/s', '').replace(/\.0+ /, ' '));
  const [left, right] = x.domain() as [number, number];
  const peak = tops[0] ?? Infinity;
  for (const m of memory) {
    const end = Math.min(right, peak / m.value);
    const start = Math.max(left, (y.domain()[0] as number) / m.value);
    svg.appendChild(s('path', { d: `M${x(start)} ${y(start * m.value)}L${x(end)} ${y(end * m.value)}`, class: 'roof' }));
    const at = Math.exp(Math.log(end) * 0.85 + Math.log(start) * 0.15);
    svg.appendChild(s('text', { x: x(at) - 6, y: y(at * m.value) - 4, 'text-anchor': 'end', class: 'roof-label' }, visible(m.label).slice(0, 40)));
  }
  let free = -Infinity;
  for (const c of compute) {
    const start = Math.max(left, memory.length > 0 ? c.value / (memory[0] as Ceiling).value : left);
    svg.appendChild(s('path', { d: `M${x(start)} ${y(c.value)}H${f.right}`, class: 'roof' }));
    if (y(c.value) - free < 14) continue;
    free = y(c.value);
    svg.appendChild(s('text', { x: f.right, y: y(c.value) - 6, 'text-anchor': 'end', class: 'roof-label' }, visible(c.label).slice(0, 40)));
  }
  const place = (p: Point): [number, number] => [x(p.intensity), Math.min(f.bottom, y(p.rate))];
  svg.appendChild(dots(points.slice(kMostMarks).map(place), 4, 'small'));
  const own = points.slice(0, kMostMarks);
  for (const p of [...own].reverse()) {
    const [px, py] = place(p);
    const r = letters() * (3 + 14 * Math.sqrt(p.op.share ?? 0));
    const shape = mark(shapeOf(p.op.bound), px, py, r, `mark ${shapeOf(p.op.bound)}`);
    shape.appendChild(s('title', {}, `${visible(p.op.name).slice(0, 200)}: ${flopRate(p.rate)}, ${plain(p.intensity)} FLOP/B, ${share(p.op.roof)} of its roof`));
    shape.addEventListener('click', () => update({ op: p.op.index }));
    svg.appendChild(shape);
  }
  const chosen = points.find((p) => p.op.index === current().op);
  if (chosen) {
    const [px, py] = place(chosen);
    svg.appendChild(s('circle', { cx: px, cy: py, r: letters() * (8 + 14 * Math.sqrt(chosen.op.share ?? 0)), class: 'chosen' }));
  }
}
