/** The timeline: canvas, its window, and what mouse, fingers and keys do to it. */
import { scaleLinear } from 'd3-scale';
import { h, letters, visible } from '../dom';
import { plural, time, timeScale } from '../format';
import { follow, update } from '../state';
import { colour, css, onColours } from '../theme';
import type { Events } from './columns';
import type { Lane } from './lanes';
import { label, paintLane, type Look, type Window } from './paint';

interface Row { top: number; height: number; track: number; lane: Lane | null }

// px at the usual size of letters
const kAxis = 24;
const kHead = 18;
const kLane = 20;
const kGap = 6;
const kLeast = 20;  // ns: the narrowest window
const kDrag = 4;    // px before a press is a drag

export class TimelineView {
  readonly element: HTMLElement;
  readonly canvas: HTMLCanvasElement;
  private readonly unit = letters();
  private readonly axisHeight = Math.round(kAxis * this.unit);
  private readonly headHeight = Math.round(kHead * this.unit);
  private readonly laneHeight = Math.round(kLane * this.unit);
  private readonly gap = Math.round(kGap * this.unit);
  private readonly font = `${Math.round(12 * this.unit)}px system-ui, sans-serif`;
  onPick: (event: number | null) => void = () => {};
  private readonly scroller: HTMLElement;
  private readonly tip = h('div', { class: 'tip', hidden: true });
  private readonly context: CanvasRenderingContext2D;
  private readonly image = h('canvas');
  private pixels: ImageData | null = null;
  private readonly rows: Row[] = [];
  private readonly height: number;
  private window: Window;
  private marked: Uint8Array | null = null;
  private picked: { lane: Lane; index: number } | null = null;
  private width = 0;
  private frame = 0;
  private band: { from: number; to: number } | null = null;
  private readonly fingers = new Map<number, number>();
  private pressed: { x: number; window: Window; shift: boolean; moved: boolean } | null = null;

  constructor(private readonly events: Events, lanes: Lane[], private readonly colourOf: (event: number) => number) {
    this.window = { from: 0, to: events.span };
    let top = this.axisHeight;
    let track = -1;
    for (const [index, lane] of lanes.entries()) {
      if (lane.track !== track) {
        track = lane.track;
        this.rows.push({ top, height: this.headHeight, track, lane: null });
        top += this.headHeight;
      }
      this.rows.push({ top, height: this.laneHeight, track, lane });
      top += this.laneHeight;
      if (lanes[index + 1]?.track !== track) top += this.gap;
    }
    this.height = Math.min(top + 4, Math.max(160, Math.round(innerHeight * 0.6)));
    this.canvas = h('canvas', {
      class: 'timeline-canvas', tabindex: 0, role: 'application',
      'aria-label': 'Timeline. W and S zoom, A and D pan, arrows go from event to event, Enter zooms to the event, 0 shows everything.',
    });
    const context = this.canvas.getContext('2d', { alpha: false });
    if (!context) throw new Error('this browser cannot draw a timeline');
    this.context = context;
    const spacer = h('div', {});
    spacer.style.height = `${top + 4 - this.height}px`;
    this.scroller = h('div', { class: 'timeline-scroll', scroll: () => this.schedule() }, this.canvas, spacer);
    this.scroller.style.height = `${this.height}px`;
    this.element = h('div', { class: 'timeline' }, this.scroller, this.tip);
    this.listen();
    new ResizeObserver(() => this.fit()).observe(this.scroller);
    onColours(() => this.schedule());
    follow((state, changed) => {
      if (!changed.has('from') && !changed.has('to')) return;
      this.window = this.legal(state.from ?? 0, state.to ?? events.span);
      this.schedule();
    });
  }

  /** Events to stand out; null: none does. */
  mark(marked: Uint8Array | null): void {
    this.marked = marked;
    for (const row of this.rows) row.lane?.mark(marked);
    this.schedule();
  }

  zoom(factor: number, at = this.width / 2): void {
    const { from, to } = this.window;
    const pivot = from + ((to - from) * at) / this.width;
    this.show(pivot - (pivot - from) * factor, pivot + (to - pivot) * factor);
  }

  pan(share: number): void {
    const step = (this.window.to - this.window.from) * share;
    this.show(this.window.from + step, this.window.to + step);
  }

  show(from: number, to: number): void {
    const next = this.legal(from, to);
    const all = next.from === 0 && next.to === this.events.span;
    update({ from: all ? null : next.from, to: all ? null : next.to });
  }

  /** Selects an event and brings it into sight. */
  pick(lane: Lane, index: number, tell = true): void {
    this.picked = { lane, index };
    const begin = lane.begin[index] as number;
    const end = lane.end[index] as number;
    const { from, to } = this.window;
    if (end < from || begin > to) {
      const half = Math.max(to - from, (end - begin) * 2) / 2;
      this.show((begin + end) / 2 - half, (begin + end) / 2 + half);
    }
    const row = this.rows.find((r) => r.lane === lane);
    if (row) {
      const { scrollTop } = this.scroller;
      if (row.top < scrollTop + this.axisHeight) this.scroller.scrollTop = row.top - this.axisHeight;
      else if (row.top + this.laneHeight > scrollTop + this.height) this.scroller.scrollTop = row.top + this.laneHeight - this.height;
    }
    this.schedule();
    if (tell) this.onPick(lane.event[index] as number);
  }

  pickEvent(event: number, tell = true): void {
    for (const { lane } of this.rows) {
      if (!lane) continue;
      const index = lane.beginsFrom(this.events.begin[event] as number, 0);
      for (let i = index; i < lane.event.length && lane.begin[i] === this.events.begin[event]; ++i) {
        if (lane.event[i] === event) { this.pick(lane, i, tell); return; }
      }
    }
  }

  private legal(from: number, to: number): Window {
    const { span } = this.events;
    const width = Math.min(span, Math.max(Math.min(kLeast, span), to - from));
    const left = Math.min(Math.max(0, from), span - width);
    return { from: left, to: left + width };
  }

  private fit(): void {
    const width = this.scroller.clientWidth;
    if (width === 0) return;
    const ratio = Math.min(2, devicePixelRatio);
    this.width = width;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${this.height}px`;
    this.draw();
  }

  private schedule(): void {
    if (this.frame === 0) this.frame = requestAnimationFrame(() => { this.frame = 0; this.draw(); });
  }

  /** Room for one row of pixels for each lane in sight; the same one from frame to frame. */
  private stripes(pixels: number, lanes: number): ImageData {
    if (this.pixels?.width === pixels && this.pixels.height === lanes) return this.pixels;
    this.image.width = pixels;
    this.image.height = lanes;
    this.pixels = new ImageData(pixels, lanes);
    return this.pixels;
  }

  private draw(): void {
    if (this.width === 0) return;
    const started = performance.now();
    const { context, window: w } = this;
    const pixels = this.canvas.width;
    const ratio = pixels / this.width;
    const look: Look = {
      colour: this.colourOf, back: colour('--panel'), accent: colour('--accent'), font: this.font, letter: 6.4 * this.unit,
    };
    const top = this.scroller.scrollTop;
    const seen = this.rows.filter((row) => row.top + row.height > top && row.top < top + this.height);
    const lanes = seen.filter((row) => row.lane !== null);
    const data = this.stripes(pixels, Math.max(1, lanes.length));
    const words = new Uint32Array(data.data.buffer);
    lanes.forEach((row, i) => {
      paintLane(words.subarray(i * pixels, (i + 1) * pixels), row.lane as Lane, look, w, this.marked, pixels);
    });
    this.image.getContext('2d')?.putImageData(data, 0, 0);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.imageSmoothingEnabled = false;
    context.fillStyle = css(look.back);
    context.fillRect(0, 0, this.width, this.height);
    lanes.forEach((row, i) => {
      context.drawImage(this.image, 0, i, pixels, 1, 0, row.top - top, this.width, this.laneHeight - 2);
      label(context, row.lane as Lane, this.events, look, w, this.marked,
        { left: 0, top: row.top - top, width: this.width, height: this.laneHeight - 2 });
    });
    const axis = this.axis();
    context.fillStyle = css(colour('--line'));
    for (const tick of axis.ticks) context.fillRect(tick.x, this.axisHeight, 1, this.height);
    context.font = `600 ${this.font}`;
    context.fillStyle = css(colour('--ink'));
    context.textBaseline = 'middle';
    for (const row of seen) {
      if (row.lane) continue;
      const { name, count } = this.events.tracks[row.track] as { name: string; count: number };
      context.fillText(`${visible(name.slice(0, 200))} · ${plural(count, 'event')}`, 4, row.top - top + this.headHeight / 2);
    }
    this.drawPicked(top);
    this.drawAxis(axis);
    this.canvas.dataset['frame'] = (performance.now() - started).toFixed(2);
  }

  private x(at: number): number { return ((at - this.window.from) / (this.window.to - this.window.from)) * this.width; }
  private at(x: number): number { return this.window.from + (x / this.width) * (this.window.to - this.window.from); }

  private drawPicked(top: number): void {
    const { context, picked } = this;
    if (this.band) {
      context.fillStyle = `${css(colour('--accent'))}33`;
      context.fillRect(this.x(this.band.from), this.axisHeight, this.x(this.band.to) - this.x(this.band.from), this.height);
    }
    const row = picked && this.rows.find((r) => r.lane === picked.lane);
    if (!picked || !row) return;
    const left = Math.max(-4, this.x(picked.lane.begin[picked.index] as number));
    const right = Math.min(this.width + 4, this.x(picked.lane.end[picked.index] as number));
    context.strokeStyle = css(colour('--ink'));
    context.lineWidth = 2;
    context.strokeRect(left, row.top - top - 1, Math.max(3, right - left), this.laneHeight);
  }

  private axis(): { ticks: { x: number; text: string }[] } {
    const { window: w } = this;
    const scale = timeScale(Math.max(Math.abs(w.to), 1));
    const narrow = timeScale(w.to - w.from);
    const unit = narrow.divisor < scale.divisor ? narrow : scale;
    const axis = scaleLinear([w.from / unit.divisor, w.to / unit.divisor], [0, this.width]);
    const count = Math.max(2, Math.floor(this.width / (110 * this.unit)));
    const show = axis.tickFormat(count);
    return { ticks: axis.ticks(count).map((tick) => ({ x: axis(tick), text: `${show(tick)} ${unit.unit}` })) };
  }

  private drawAxis(axis: { ticks: { x: number; text: string }[] }): void {
    const { context } = this;
    context.fillStyle = css(colour('--panel'));
    context.fillRect(0, 0, this.width, this.axisHeight);
    context.font = this.font;
    context.textBaseline = 'middle';
    for (const { x, text } of axis.ticks) {
      context.fillStyle = css(colour('--line'));
      context.fillRect(x, this.axisHeight - 6, 1, 6);
      context.fillStyle = css(colour('--soft'));
      if (x + 3 + 7 * this.unit * text.length < this.width) context.fillText(text, x + 3, this.axisHeight / 2 - 2);
    }
    context.fillStyle = css(colour('--line'));
    context.fillRect(0, this.axisHeight - 1, this.width, 1);
  }

  private hit(x: number, y: number): { lane: Lane; index: number } | null {
    const line = y + this.scroller.scrollTop;
    const row = y < this.axisHeight ? undefined : this.rows.find((r) => line >= r.top && line < r.top + r.height);
    const lane = row?.lane;
    if (!lane) return null;
    const step = (this.window.to - this.window.from) / this.width;
    const moment = this.at(x);
    const first = lane.endsAfter(moment - step);
    const last = lane.beginsFrom(moment + step, Math.min(first, lane.begin.length - 1));
    return first < last ? { lane, index: lane.longest(first, last) } : null;
  }

  private listen(): void {
    const { canvas } = this;
    const spot = (event: MouseEvent): [number, number] => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    canvas.addEventListener('wheel', (event) => {
      const [x] = spot(event);
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        this.zoom(Math.exp(Math.max(-1, Math.min(1, event.deltaY / 200))), x);
      } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        event.preventDefault();
        this.pan((event.deltaX || event.deltaY) / this.width);
      }
    }, { passive: false });
    canvas.addEventListener('pointerdown', (event) => {
      const [x] = spot(event);
      this.fingers.set(event.pointerId, x);
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      this.pressed = { x, window: { ...this.window }, shift: event.shiftKey, moved: false };
    });
    canvas.addEventListener('pointermove', (event) => this.onMove(event, ...spot(event)));
    const up = (event: PointerEvent): void => {
      const [x, y] = spot(event);
      this.fingers.delete(event.pointerId);
      const { pressed } = this;
      this.pressed = null;
      if (!pressed || event.type === 'pointercancel') return;
      if (this.band) {
        const { from, to } = this.band;
        this.band = null;
        this.show(from, to);
      } else if (!pressed.moved) {
        const found = this.hit(x, y);
        if (found) this.pick(found.lane, found.index);
        else this.unpick();
      }
    };
    canvas.addEventListener('pointerup', up);
    canvas.addEventListener('pointercancel', up);
    canvas.addEventListener('pointerleave', () => { this.tip.hidden = true; });
    canvas.addEventListener('dblclick', () => this.zoomToPicked());
    canvas.addEventListener('keydown', (event) => this.onKey(event));
  }

  private onMove(event: PointerEvent, x: number, y: number): void {
    const others = [...this.fingers].filter(([id]) => id !== event.pointerId);
    const before = this.fingers.get(event.pointerId);
    if (others.length === 1 && before !== undefined) {
      const other = (others[0] as [number, number])[1];
      const spread = Math.abs(x - other);
      if (spread > 10) this.zoom(Math.max(0.2, Math.abs(before - other) / spread), (x + other) / 2);
      this.fingers.set(event.pointerId, x);
      this.pressed = null;
      return;
    }
    const { pressed } = this;
    if (!pressed) { this.hover(x, y); return; }
    if (!pressed.moved && Math.abs(x - pressed.x) < kDrag) return;
    pressed.moved = true;
    this.tip.hidden = true;
    if (pressed.shift) {
      const ends = [this.at(pressed.x), this.at(x)].sort((a, b) => a - b) as [number, number];
      this.band = { from: ends[0], to: ends[1] };
      this.schedule();
    } else {
      const step = ((pressed.x - x) / this.width) * (pressed.window.to - pressed.window.from);
      this.show(pressed.window.from + step, pressed.window.to + step);
    }
  }

  private hover(x: number, y: number): void {
    const found = this.hit(x, y);
    this.tip.hidden = found === null;
    if (!found) return;
    const { lane, index } = found;
    const event = lane.event[index] as number;
    const name = this.events.names[this.events.name[event] as number] ?? '';
    this.tip.textContent = `${visible(name.slice(0, 300))} · ${time(lane.length(index))} at ${time(lane.begin[index])}`;
    this.tip.style.left = `${Math.min(x + 12, Math.max(0, this.width - 320))}px`;
    this.tip.style.top = `${Math.min(y + 16, this.height - 30)}px`;
  }

  private unpick(): void {
    this.picked = null;
    this.onPick(null);
    this.schedule();
  }

  private zoomToPicked(): void {
    if (!this.picked) return;
    const begin = this.picked.lane.begin[this.picked.index] as number;
    const end = this.picked.lane.end[this.picked.index] as number;
    const room = Math.max(kLeast, end - begin) * 0.2;
    this.show(begin - room, end + room);
  }

  private step(by: number): void {
    if (!this.picked) { this.stepLane(0); return; }
    const index = this.picked.index + by;
    if (index >= 0 && index < this.picked.lane.event.length) this.pick(this.picked.lane, index);
  }

  private stepLane(by: number): void {
    const lanes = this.rows.flatMap((row) => (row.lane ? [row.lane] : []));
    const now = this.picked ? lanes.indexOf(this.picked.lane) : 0;
    const lane = lanes[Math.min(lanes.length - 1, Math.max(0, now + by))];
    if (!lane) return;
    const moment = this.picked
      ? ((this.picked.lane.begin[this.picked.index] as number) + (this.picked.lane.end[this.picked.index] as number)) / 2
      : (this.window.from + this.window.to) / 2;
    this.pick(lane, Math.min(lane.event.length - 1, lane.endsAfter(moment)));
  }

  private onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const acts: Record<string, () => void> = {
      w: () => this.zoom(0.7), s: () => this.zoom(1 / 0.7), a: () => this.pan(-0.15), d: () => this.pan(0.15),
      '+': () => this.zoom(0.7), '-': () => this.zoom(1 / 0.7), 0: () => this.show(0, this.events.span),
      ArrowLeft: () => this.step(-1), ArrowRight: () => this.step(1), ArrowUp: () => this.stepLane(-1),
      ArrowDown: () => this.stepLane(1), Enter: () => this.zoomToPicked(), Escape: () => this.unpick(),
    };
    const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }
}
