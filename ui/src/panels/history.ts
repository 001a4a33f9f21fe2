/** The trend over the store, with its change points. */
import { scaleLinear } from 'd3-scale';
import { line } from 'd3-shape';
import { h, nameOf, s, visible } from '../dom';
import { count, digits, ratio, time, timeScale } from '../format';
import type { History } from '../model';
import { absent, section, type Page } from '../page';
import { axisX, axisY, inside, plot } from '../plot';

const showIn = (history: History) => (value: number): string => (history.unit === 'ns' ? time(value) : `${digits(value)} per second`);

function draw(svg: SVGSVGElement, width: number, height: number, history: History): void {
  const f = inside(width, height, { top: 28, right: 16, bottom: 44, left: 66 });
  const all = history.points.map((point) => point.value);
  const low = all.reduce((a, b) => Math.min(a, b), Infinity);
  const high = all.reduce((a, b) => Math.max(a, b), -Infinity);
  const room = Math.max((high - low) * 0.1, Math.abs(high) * 0.005);
  const unit = history.unit === 'ns' ? timeScale(high) : { unit: 'per second', divisor: 1 };
  const x = scaleLinear([0, Math.max(1, all.length - 1)], [f.left + 6, f.right - 6]);
  const y = scaleLinear([(low - room) / unit.divisor, (high + room) / unit.divisor], [f.bottom, f.top]);
  axisX(svg, f, x, 'Run, oldest first', (v) => {
    const point = history.points[v];
    return point ? point.created_at.slice(0, 10) : '';
  }, 6);
  axisY(svg, f, y, unit.unit, y.tickFormat(6));
  let from = 0;
  const changes = [...history.changes, { index: all.length, before: history.changes[history.changes.length - 1]?.after ?? NaN, after: NaN, ratio: NaN }];
  for (const change of changes) {
    if (Number.isFinite(change.before)) {
      svg.appendChild(s('path', { d: `M${x(from)} ${y(change.before / unit.divisor)}H${x(Math.max(from, change.index - 1))}`, class: 'level' }));
    }
    if (change.index < all.length) {
      const at = x(change.index - 0.5);
      svg.appendChild(s('path', { d: `M${at} ${f.top}V${f.bottom}`, class: 'change' }));
      svg.appendChild(s('text', { x: at + 4, y: f.top + 12 }, ratio(change.ratio)));
    }
    from = change.index;
  }
  svg.appendChild(s('path', { d: line<number>((_, i) => x(i), (v) => y(v / unit.divisor))(all) ?? '', class: 'trend' }));
  history.points.forEach((point, i) => {
    const current = i === history.current;
    if (all.length > 1500 && !current) return;
    svg.appendChild(s('circle', { cx: x(i), cy: y(point.value / unit.divisor), r: current ? 6 : 3, class: current ? 'now' : 'point' },
      s('title', {}, `${visible(point.run_id)} ${point.created_at}: ${showIn(history)(point.value)}`)));
  });
}

export function historyPlot(history: History, id = 'history-plot'): HTMLElement {
  return plot({
    id, title: 'Trend.', describe: 'Vertical lines are changes, horizontal ones the level between them; the large point is this Run.',
    height: (w) => Math.max(220, Math.min(420, w * 0.4)), draw: (svg, w, hh) => draw(svg, w, hh, history),
    head: ['Run', 'when', history.metric.slice(0, 80)], rows: () => history.points.map((point) => [nameOf(point.run_id, 40), point.created_at, showIn(history)(point.value)]),
  }).element;
}

export function history(page: Page): HTMLElement | null {
  const { history: past } = page.doc;
  if (!past) return null;
  if (past.points.length < 2) return section('history', 'History', absent('The store holds no other Run to show a trend with.'));
  const show = showIn(past);
  return section('history', 'History',
    h('p', {}, nameOf(past.metric, 120), ` over ${count(past.points.length)} Runs. `, past.changes.length === 0 ? 'No change was found. '
      : `${count(past.changes.length)} ${past.changes.length === 1 ? 'change' : 'changes'}: `,
    past.changes.map((change, i) => `${i > 0 ? '; ' : ''}${show(change.before)} → ${show(change.after)} (${ratio(change.ratio)}) at ${past.points[change.index]?.created_at.slice(0, 10) ?? '?'}`),
    ' ', page.why('history.changes')),
    historyPlot(past));
}
