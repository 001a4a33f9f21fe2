/** How sure: whole iterations with and without the observer, disturbed ones marked; what the observer cost. */
import { scaleLinear } from 'd3-scale';
import { h, nameOf, s } from '../dom';
import { count, interval, known, plain, ratio, time, timeScale } from '../format';
import { values } from '../load';
import { absent, section, type Page } from '../page';
import { axisX, axisY, dots, inside, plot } from '../plot';

type Kind = 'unobserved' | 'observed' | 'disturbed' | 'warmup';
interface Sample { at: number; duration: number; kind: Kind }

const kKinds: [Kind, string][] = [['warmup', 'warm-up, not used'], ['observed', 'observed'], ['unobserved', 'unobserved'], ['disturbed', 'disturbed, not used']];

async function read(page: Page): Promise<Sample[]> {
  const { iterations: it } = page.doc;
  const [duration, observed, warmup, disturbed] = await Promise.all([it.duration_ns, it.observed, it.warmup, it.disturbed].map(values));
  const samples: Sample[] = [];
  for (let i = 0; i < it.count; ++i) {
    const kind: Kind = warmup?.[i] === 1 ? 'warmup' : disturbed?.[i] === 1 ? 'disturbed' : observed?.[i] === 1 ? 'observed' : 'unobserved';
    const value = duration?.[i];
    if (known(value)) samples.push({ at: i, duration: value, kind });
  }
  return samples;
}

/** The range of times worth showing: outliers may leave it, and are counted. */
function range(samples: Sample[]): { low: number; high: number; beyond: number } {
  const sorted = samples.map((sample) => sample.duration).sort((a, b) => a - b);
  const q = (p: number): number => sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))] as number;
  const spread = Math.max(q(0.75) - q(0.25), q(0.5) * 0.005);
  const low = Math.max(sorted[0] as number, q(0.25) - 8 * spread);
  const high = Math.min(sorted[sorted.length - 1] as number, q(0.75) + 8 * spread);
  const room = Math.max((high - low) * 0.05, q(0.5) * 1e-3, 1);
  return { low: low - room, high: high + room, beyond: samples.filter((sample) => sample.duration > high || sample.duration < low).length };
}

const kBins = 60;

function drawHistogram(svg: SVGSVGElement, width: number, height: number, samples: Sample[], page: Page): void {
  const f = inside(width, height, { top: 28, right: 12, bottom: 44, left: 48 });
  const { low, high } = range(samples);
  const bins = Math.max(10, Math.min(kBins, Math.floor((f.right - f.left) / 8)));
  const tally = (kind: Kind): number[] => {
    const out = new Array<number>(bins).fill(0);
    for (const sample of samples) {
      if (sample.kind !== kind) continue;
      const bin = Math.floor(((sample.duration - low) / (high - low)) * bins);
      if (bin >= 0 && bin < bins) out[bin] = (out[bin] ?? 0) + 1;
    }
    return out;
  };
  const tallies = (['unobserved', 'observed', 'disturbed'] as const).map((kind) => [kind, tally(kind)] as const);
  const most = Math.max(1, ...tallies.flatMap(([, counts]) => counts));
  const unit = timeScale(high);
  const x = scaleLinear([low / unit.divisor, high / unit.divisor], [f.left, f.right]);
  const y = scaleLinear([0, most], [f.bottom, f.top]);
  axisX(svg, f, x, `time, ${unit.unit}`, x.tickFormat(6));
  axisY(svg, f, y, 'iterations', (v) => (Number.isInteger(v) ? String(v) : ''));
  const step = (f.right - f.left) / bins;
  for (const [kind, counts] of tallies) {
    let d = '';
    counts.forEach((n, i) => {
      if (n > 0) d += `M${f.left + i * step} ${f.bottom}V${y(n)}h${step}V${f.bottom}Z`;
    });
    svg.appendChild(s('path', { d, class: `bins ${kind}` }));
  }
  const { summary_unobserved: clean, summary_observed: watched } = page.doc.iterations;
  for (const [summary, name] of [[watched, 'observed'], [clean, 'unobserved']] as const) {
    if (!known(summary.p50_ns)) continue;
    const at = x(summary.p50_ns / unit.divisor);
    if (known(summary.low_ns) && known(summary.high_ns)) {
      const from = x(summary.low_ns / unit.divisor);
      svg.appendChild(s('rect', { x: from, y: f.top, width: Math.max(1, x(summary.high_ns / unit.divisor) - from), height: f.bottom - f.top, class: `span ${name}` }));
    }
    svg.appendChild(s('path', { d: `M${at} ${f.top}V${f.bottom}`, class: `median ${name}` }));
  }
}

function drawCourse(svg: SVGSVGElement, width: number, height: number, samples: Sample[]): void {
  const f = inside(width, height, { top: 28, right: 12, bottom: 44, left: 62 });
  const { low, high } = range(samples);
  const unit = timeScale(high);
  const last = samples[samples.length - 1]?.at ?? 1;
  const x = scaleLinear([0, Math.max(1, last)], [f.left + 4, f.right - 4]);
  const y = scaleLinear([low / unit.divisor, high / unit.divisor], [f.bottom, f.top]);
  axisX(svg, f, x, 'iteration, in the order they ran', (v) => (Number.isInteger(v) ? count(v) : ''));
  axisY(svg, f, y, unit.unit, y.tickFormat(6));
  const size = samples.length > 2000 ? 2.5 : samples.length > 300 ? 4 : 6;
  for (const [kind] of kKinds) {
    const points = samples.filter((sample) => sample.kind === kind)
      .map((sample): [number, number] => [x(sample.at), Math.min(f.bottom, Math.max(f.top, y(sample.duration / unit.divisor)))]);
    if (kind !== 'disturbed') { svg.appendChild(dots(points, size, kind)); continue; }
    let d = '';
    for (const [px, py] of points) d += `M${px - 4} ${py - 4}l8 8m0 -8l-8 8`;
    svg.appendChild(s('path', { d, class: 'crosses' }));
  }
}

function summaryTable(page: Page): HTMLElement {
  const { iterations: it } = page.doc;
  const row = (label: string, r: typeof it.summary_observed): HTMLElement => h('tr', {}, h('th', { scope: 'row' }, label),
    [count(r.count), time(r.p50_ns), interval(r.low_ns, r.high_ns), time(r.p95_ns), time(r.min_ns)].map((text) => h('td', {}, text)));
  return h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Iterations' }, h('table', {},
    h('thead', {}, h('tr', {}, ['', 'used', 'median', '95 %', 'p95', 'fastest'].map((title) => h('th', { scope: 'col' }, title)))),
    h('tbody', {}, row('unobserved', it.summary_unobserved), row('observed', it.summary_observed))),
  h('p', { class: 'soft' }, `${count(it.warmup_count)} of warm-up and ${count(it.disturbed_count)} disturbed ones are shown and not used. `, page.why('headline.time_ns')));
}

function observer(page: Page): HTMLElement {
  const { observer: o } = page.doc;
  return h('div', { id: 'observer' }, h('h3', {}, 'What observing cost'),
    h('p', {}, known(o.observed_ratio) ? `An observed iteration takes ${ratio(o.observed_ratio)} the time of an unobserved one. ` : 'The observer\'s cost was not measured. ',
      known(o.events_lost) ? `${count(o.events_lost)} events were lost. ` : '', `Integrity: ${o.integrity}. `, page.why('observer.observed_ratio'), page.why('observer.ledger')),
    o.reasons.length > 0 && h('ul', {}, o.reasons.map((reason) => h('li', {}, nameOf(reason, 500)))),
    o.ledger.length > 0 && h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Ledger of the observer' }, h('table', {},
      h('thead', {}, h('tr', {}, ['one observation of', 'costs', '95 %', 'per iteration'].map((title) => h('th', { scope: 'col' }, title)))),
      h('tbody', {}, o.ledger.map((entry) => h('tr', {}, h('td', {}, nameOf(entry.event, 60)), h('td', {}, time(entry.cost_ns)),
        h('td', {}, interval(entry.low_ns, entry.high_ns)), h('td', {}, plain(entry.events_per_iteration))))))));
}

export function iterations(page: Page): HTMLElement {
  const holder = h('div', { class: 'pair' });
  const title = 'How sure';
  if (page.doc.iterations.count === 0) return section('iterations', title, absent('No whole iterations were timed.'), observer(page));
  void read(page).then((samples) => {
    if (samples.length === 0) { holder.append(absent('No whole iterations were timed.')); return; }
    const { beyond } = range(samples);
    const out = beyond > 0 ? ` ${count(beyond)} lie beyond the edge.` : '';
    const rows = (): string[][] => samples.map((sample) => [count(sample.at), time(sample.duration), sample.kind]);
    const head = ['iteration', 'time', 'kind'];
    holder.append(
      plot({ id: 'iterations-histogram', title: 'Distribution.', describe: `How often each time was taken; lines are medians, bands their 95 % intervals.${out}`,
        height: (w) => Math.max(220, Math.min(420, w * 0.5)), draw: (svg, w, hh) => drawHistogram(svg, w, hh, samples, page), head, rows }).element,
      plot({ id: 'iterations-course', title: 'Course.', describe: `Every iteration in its order; crosses are disturbed.${out}`,
        height: (w) => Math.max(220, Math.min(420, w * 0.5)), draw: (svg, w, hh) => drawCourse(svg, w, hh, samples), head, rows }).element);
  });
  return section('iterations', title, summaryTable(page), holder,
    h('ul', { class: 'legend' }, kKinds.map(([kind, text]) => h('li', {}, h('span', { class: `swatch kind-${kind}` }), text))), observer(page));
}
