/**
 * What every plot has: a frame with axes that follows the width of the page, a table of its numbers for
 * those who do not see it, and its image as a file.
 */
import { append, h, letters, replace, s, save, type Child } from './dom';

export interface Axis {
  /** Value to pixel. */
  (value: number): number;
  ticks: (count: number) => number[];
}

export interface Margin { top: number; right: number; bottom: number; left: number }

export interface PlotSpec {
  id: string;
  title: string;
  /** One sentence: what is to be seen. */
  describe: string;
  height: (width: number) => number;
  draw: (svg: SVGSVGElement, width: number, height: number) => void;
  head: string[];
  rows: () => Child[][];
}

const kMostRows = 1000;

function table(spec: PlotSpec): HTMLElement {
  const body = h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': `${spec.title}: table` });
  const details = h('details', { class: 'data' }, h('summary', {}, 'Table of these numbers'), body);
  details.addEventListener('toggle', () => {
    if (!details.open || body.childElementCount > 0) return;
    const rows = spec.rows();
    append(body, [h('table', {},
      h('thead', {}, h('tr', {}, spec.head.map((title) => h('th', { scope: 'col' }, title)))),
      h('tbody', {}, rows.slice(0, kMostRows).map((row) => h('tr', {}, row.map((cell) => h('td', {}, cell)))))),
    rows.length > kMostRows && h('p', {}, `${rows.length - kMostRows} more rows are in the Run.`)]);
  });
  return details;
}

/** A plot as a figure; redrawn when its width changes. `redraw` draws it again at once. */
export function plot(spec: PlotSpec): { element: HTMLElement; redraw: () => void } {
  const holder = h('div', { class: 'plot' });
  const buttons = h('div', { class: 'tools' },
    h('button', { type: 'button', click: () => save(asSvg(holder.querySelector('svg')), `${spec.id}.svg`) }, 'SVG'),
    h('button', { type: 'button', click: () => { void savePng(holder.querySelector('svg'), `${spec.id}.png`); } }, 'PNG'));
  const element = h('figure', { id: spec.id },
    h('figcaption', {}, h('strong', {}, spec.title), ' ', spec.describe, buttons), holder, table(spec));
  let width = 0;
  const redraw = (): void => {
    if (width < 40) return;
    const height = spec.height(width);
    const svg = s('svg', {
      width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': `${spec.title}. ${spec.describe}`,
    });
    spec.draw(svg, width, height);
    replace(holder, svg);
  };
  new ResizeObserver((entries) => {
    const now = Math.floor(entries[0]?.contentRect.width ?? 0);
    if (now === width) return;
    width = now;
    redraw();
  }).observe(holder);
  return { element, redraw };
}

export interface Frame { left: number; right: number; top: number; bottom: number }

export function inside(width: number, height: number, margin: Margin): Frame {
  return { left: margin.left, right: width - margin.right, top: margin.top, bottom: height - margin.bottom };
}

/** Horizontal axis below the frame. */
export function axisX(svg: Element, f: Frame, scale: Axis, label: string, show: (v: number) => string, most = 8): void {
  const room = Math.max(2, Math.min(most, Math.floor((f.right - f.left) / 80)));
  const axis = s('g', { class: 'axis' }, s('path', { d: `M${f.left} ${f.bottom}H${f.right}` }));
  let free = -Infinity;
  for (const tick of scale.ticks(room)) {
    const x = scale(tick);
    append(axis, [s('path', { d: `M${x} ${f.bottom}v5` })]);
    const text = show(tick);
    const half = text.length * 3.6 * letters();
    if (x - half < free || x + half > f.right + 30) continue;
    free = x + half + 8;
    append(axis, [s('text', { x, y: f.bottom + 18, 'text-anchor': 'middle' }, text)]);
  }
  append(axis, [s('text', { x: (f.left + f.right) / 2, y: f.bottom + 36, 'text-anchor': 'middle', class: 'label' }, label)]);
  svg.appendChild(axis);
}

/** Vertical axis left of the frame, with lines across it. */
export function axisY(svg: Element, f: Frame, scale: Axis, label: string, show: (v: number) => string, most = 6): void {
  const axis = s('g', { class: 'axis' });
  const room = Math.max(2, Math.min(most, Math.floor((f.bottom - f.top) / 40)));
  let free = Infinity;
  for (const tick of scale.ticks(room)) {
    const y = scale(tick);
    if (y > free - 16) continue;
    free = y;
    append(axis, [
      s('path', { d: `M${f.left} ${y}H${f.right}`, class: 'rule' }),
      s('text', { x: f.left - 7, y: y + 4, 'text-anchor': 'end' }, show(tick))]);
  }
  append(axis, [s('text', { x: f.left, y: f.top - 10, 'text-anchor': 'start', class: 'label' }, label)]);
  svg.insertBefore(axis, svg.firstChild);
}

/** Many points as one path; `size` is the diameter. */
export function dots(points: readonly (readonly [number, number])[], size: number, name: string): SVGPathElement {
  let d = '';
  for (const [x, y] of points) d += `M${x.toFixed(1)} ${y.toFixed(1)}h0`;
  return s('path', { d, class: `dots ${name}`, 'stroke-width': size, 'stroke-linecap': 'round' });
}

const kCarried = ['fill', 'fill-opacity', 'stroke', 'stroke-width', 'stroke-opacity', 'stroke-dasharray',
  'stroke-linecap', 'opacity', 'font-size', 'font-family', 'font-weight', 'text-anchor'];

/** The plot as a file that stands alone: the page's style is written into its elements. */
function asSvg(svg: SVGSVGElement | null): Blob {
  if (!svg) return new Blob([]);
  const copy = svg.cloneNode(true) as SVGSVGElement;
  const from = svg.querySelectorAll('*');
  copy.querySelectorAll('*').forEach((element, index) => {
    const source = from[index];
    if (!source) return;
    const style = getComputedStyle(source);
    for (const name of kCarried) element.setAttribute(name, style.getPropertyValue(name));
    element.removeAttribute('class');
    element.removeAttribute('tabindex');
  });
  const back = s('rect', { width: '100%', height: '100%', fill: getComputedStyle(document.body).backgroundColor });
  copy.insertBefore(back, copy.firstChild);
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  return new Blob([new XMLSerializer().serializeToString(copy)], { type: 'image/svg+xml' });
}

async function savePng(svg: SVGSVGElement | null, name: string): Promise<void> {
  if (!svg) return;
  const kSharper = 2;
  const image = new Image();
  const url = URL.createObjectURL(asSvg(svg));
  try {
    image.src = url;
    await image.decode();
    const canvas = h('canvas', { width: svg.width.baseVal.value * kSharper, height: svg.height.baseVal.value * kSharper });
    canvas.getContext('2d')?.drawImage(image, 0, 0, canvas.width, canvas.height);
    saveCanvas(canvas, name);
  } finally {
    URL.revokeObjectURL(url);
  }
}

export function saveCanvas(canvas: HTMLCanvasElement, name: string): void {
  canvas.toBlob((blob) => { if (blob) save(blob, name); }, 'image/png');
}
