/**
 * Draws lanes into pixels. A lane is one row of colours, whatever its number of events; the rows become an
 * image that is stretched to the height of a lane. Events wide enough get their name on top.
 */
import { elide, visible } from '../dom';
import type { Events } from './columns';
import type { Lane } from './lanes';

export interface Window { from: number; to: number }

export interface Look {
  /** Colour of an event, 0xRRGGBB. */
  colour: (event: number) => number;
  back: number;
  accent: number;
  font: string;
  /** px of a letter, on average. */
  letter: number;
}

const kLabelWidth = 44;  // px from which an event carries its name
const kFaint = 0.22;     // least opacity of a pixel with anything in it
const kDimmed = 0.3;

/** Colours of one lane, one pixel a column, written to `row` as RGBA words. */
export function paintLane(
  row: Uint32Array, lane: Lane, look: Look, window: Window, marked: Uint8Array | null, pixels: number,
): void {
  const back = word(look.back);
  row.fill(back);
  const step = (window.to - window.from) / pixels;
  const { begin: begins, end: ends, busy } = lane;
  const n = begins.length;
  let i = lane.endsAfter(window.from);
  while (i < n) {
    const begin = begins[i] as number;
    if (begin >= window.to) break;
    const x = Math.max(0, Math.floor((begin - window.from) / step));
    if (x >= pixels) break;
    const right = ((ends[i] as number) - window.from) / step;
    if (right >= x + 1) {
      const stop = Math.min(pixels, Math.max(x + 1, Math.round(right)));
      const colour = shade(look, lane.event[i] as number, marked, 1);
      row.fill(colour, x, stop);
      // A line between neighbours of one colour.
      if (stop - x > 3 && begin >= window.from) row[x] = mix(look.back, look.colour(lane.event[i] as number), 0.35);
      ++i;
      continue;
    }
    const j = lane.run(i, window.from + (x + 1) * step);
    const share = Math.min(1, ((busy[j] as number) - (busy[i] as number)) / step);
    row[x] = shadeGroup(look, lane, i, j, marked, Math.max(kFaint, share));
    i = j;
  }
}

function shade(look: Look, event: number, marked: Uint8Array | null, opacity: number): number {
  if (!marked) return mix(look.back, look.colour(event), opacity);
  return marked[event] ? word(look.accent) : mix(look.back, look.colour(event), opacity * kDimmed);
}

/** The colour of the run [from, to) that lane.run() met last. */
function shadeGroup(look: Look, lane: Lane, from: number, to: number, marked: Uint8Array | null, opacity: number): number {
  const longest = lane.event[lane.runLongest] as number;
  if (!marked) return mix(look.back, look.colour(longest), opacity);
  if (lane.marksIn(from, to) > 0) return word(look.accent);
  return shade(look, longest, marked, opacity);
}

/** 0xRRGGBB as an opaque pixel of ImageData on a little-endian machine. */
function word(rgb: number): number {
  return (0xff000000 | ((rgb & 0xff) << 16) | (rgb & 0xff00) | (rgb >>> 16)) >>> 0;
}

function mix(back: number, front: number, opacity: number): number {
  const channel = (shift: number): number => {
    const a = (back >>> shift) & 0xff;
    return Math.round(a + (((front >>> shift) & 0xff) - a) * opacity);
  };
  return (0xff000000 | (channel(0) << 16) | (channel(8) << 8) | channel(16)) >>> 0;
}

/** Black or white, whichever reads better on `rgb`. */
export function inkOn(rgb: number): string {
  const light = 0.299 * ((rgb >>> 16) & 0xff) + 0.587 * ((rgb >>> 8) & 0xff) + 0.114 * (rgb & 0xff);
  return light > 140 ? '#000' : '#fff';
}

/** Names on the events that are wide enough. */
export function label(
  context: CanvasRenderingContext2D, lane: Lane, events: Events, look: Look, window: Window,
  marked: Uint8Array | null, box: { left: number; top: number; width: number; height: number },
): void {
  const scale = box.width / (window.to - window.from);
  const least = kLabelWidth / scale;
  context.font = look.font;
  context.textBaseline = 'middle';
  let i = lane.endsAfter(window.from);
  while (i < lane.begin.length && (lane.begin[i] as number) < window.to) {
    if (lane.length(i) < least) {
      // The next long one may be far: skip what cannot be labelled within the next piece of screen.
      const j = Math.max(i + 1, lane.beginsFrom((lane.begin[i] as number) + least, i));
      if (j - i > 1 && lane.length(lane.longest(i, j)) < least) { i = j; continue; }
      ++i;
      continue;
    }
    const left = Math.max(0, ((lane.begin[i] as number) - window.from) * scale);
    const right = Math.min(box.width, ((lane.end[i] as number) - window.from) * scale);
    const letters = Math.floor((right - left - 8) / look.letter);
    if (letters >= 4) {
      const event = lane.event[i] as number;
      const dim = marked !== null && !marked[event];
      context.fillStyle = marked?.[event] ? inkOn(look.accent) : dim ? '#8888' : inkOn(look.colour(event));
      context.fillText(elide(visible((events.names[events.name[event] as number] ?? '').slice(0, 300)), letters),
        box.left + left + 4, box.top + box.height / 2 + 0.5);
    }
    ++i;
  }
}
