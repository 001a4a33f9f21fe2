/** Memory and other quantities over time. */
import { scaleLinear } from 'd3-scale';
import { curveStepAfter, line } from 'd3-shape';
import { h, nameOf, s, visible } from '../dom';
import { bytes, byteScale, known, plain, time, timeScale, withUnit } from '../format';
import { values } from '../load';
import type { Counter } from '../model';
import { absent, section, type Page } from '../page';
import { axisX, axisY, inside, plot } from '../plot';

interface Series { counter: Counter; at: Float64Array; value: Float64Array }

const kMostSeries = 12;
const kMostPoints = 4000;

function draw(svg: SVGSVGElement, width: number, height: number, series: Series): void {
  const f = inside(width, height, { top: 28, right: 12, bottom: 44, left: 70 });
  const n = series.at.length;
  const first = series.at[0] ?? 0;
  const last = series.at[n - 1] ?? first + 1;
  const most = series.value.reduce((top, v) => Math.max(top, v), 0) || 1;
  const unit = timeScale(last);
  const isBytes = series.counter.unit === 'bytes';
  const scale = isBytes ? byteScale(most) : { unit: series.counter.unit, divisor: 1 };
  const x = scaleLinear([first / unit.divisor, Math.max(last, first + 1) / unit.divisor], [f.left, f.right]);
  const y = scaleLinear([0, (most * 1.05) / scale.divisor], [f.bottom, f.top]);
  axisX(svg, f, x, `time, ${unit.unit}`, x.tickFormat(6));
  axisY(svg, f, y, scale.unit, isBytes ? y.tickFormat(5) : (v) => withUnit(v, series.counter.unit));
  // Of points closer than a pixel the highest one is kept: a peak is what one looks for.
  const stride = Math.max(1, Math.ceil(n / kMostPoints));
  const kept: [number, number][] = [];
  for (let i = 0; i < n; i += stride) {
    let best = i;
    for (let k = i; k < Math.min(n, i + stride); ++k) if ((series.value[k] as number) > (series.value[best] as number)) best = k;
    kept.push([(series.at[best] as number) / unit.divisor, (series.value[best] as number) / scale.divisor]);
  }
  const path = line<[number, number]>((p) => x(p[0]), (p) => y(p[1])).curve(curveStepAfter)(kept);
  svg.appendChild(s('path', { d: path ?? '', class: 'series' }));
}

export function memory(page: Page): HTMLElement {
  const { memory: m } = page.doc;
  const facts: [string, number | null][] = [
    ['before the measurement', m.host_before_bytes], ['peak of the process', m.host_peak_bytes], ['peak of the accelerator', m.accelerator_peak_bytes]];
  const holder = h('div', { class: 'pair' });
  const list = h('dl', { class: 'facts-list' }, facts.map(([label, value]) => h('div', {}, h('dt', {}, label, ' ', page.why('memory.host_peak_bytes')), h('dd', {}, bytes(value)))));
  if (m.counters.length === 0) return section('memory', 'Memory', list, absent('Nothing was collected over time.'));
  void Promise.all(m.counters.slice(0, kMostSeries).map(async (counter): Promise<Series> =>
    ({ counter, at: await values(counter.time_ns), value: await values(counter.value) }))).then((all) => {
    all.forEach((series, i) => {
      holder.append(plot({
        id: `counter-${i}`, title: visible(series.counter.name).slice(0, 80), describe: 'over time.', height: (w) => Math.max(200, Math.min(340, w * 0.4)),
        draw: (svg, w, hh) => draw(svg, w, hh, series), head: ['at', 'value'],
        rows: () => Array.from(series.at, (at, k) => [time(at), known(series.value[k]) ? withUnit(series.value[k], series.counter.unit) : plain(null)]),
      }).element);
    });
  });
  return section('memory', 'Memory', list, holder, m.counters.length > kMostSeries
    && h('p', { class: 'soft' }, 'Not drawn: ', m.counters.slice(kMostSeries, 60).map((counter) => [nameOf(counter.name, 60), ' '])));
}
