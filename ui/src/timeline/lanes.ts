/**
 * Events arranged for drawing. A track is cut into lanes in which events do not overlap, so that both
 * their begins and their ends rise and a binary search finds any moment. Each lane carries a running sum of
 * busy time and a pyramid of longest events: what a pixel that covers a thousand events should look like is
 * found without looking at them.
 */
import { Breath } from '../dom';
import type { Events } from './columns';
import type { TrackRow } from '../model';

const kFanBits = 2;
const kFan = 1 << kFanBits;  // events below one block of the pyramid

export class Lane {
  /** Per event of this lane: its index in Events. */
  readonly event: Uint32Array;
  readonly begin: Float64Array;
  readonly end: Float64Array;
  /** Busy time before event i; one longer than the others. */
  readonly busy: Float64Array;
  private readonly pyramid: Uint32Array[] = [];
  /** Marked events before event i; null: nothing is marked. */
  private marks: Uint32Array | null = null;

  constructor(readonly track: number, readonly depth: number, members: Uint32Array, source: Events) {
    const n = members.length;
    this.event = members;
    this.begin = new Float64Array(n);
    this.end = new Float64Array(n);
    this.busy = new Float64Array(n + 1);
    for (let i = 0; i < n; ++i) {
      const e = members[i] as number;
      const begin = source.begin[e] as number;
      const end = source.end[e] as number;
      this.begin[i] = begin;
      this.end[i] = end;
      this.busy[i + 1] = (this.busy[i] as number) + (end - begin);
    }
    for (let width = n; width > kFan;) {
      const below = this.pyramid[this.pyramid.length - 1];
      const blocks = Math.ceil(width / kFan);
      const level = new Uint32Array(blocks);
      for (let b = 0; b < blocks; ++b) {
        let best = below ? (below[b * kFan] as number) : b * kFan;
        const stop = Math.min(width, (b + 1) * kFan);
        for (let i = b * kFan + 1; i < stop; ++i) {
          const candidate = below ? (below[i] as number) : i;
          if (this.length(candidate) > this.length(best)) best = candidate;
        }
        level[b] = best;
      }
      this.pyramid.push(level);
      width = blocks;
    }
  }

  /** Notes which events are marked: one byte for each in Events. */
  mark(marked: Uint8Array | null): void {
    if (!marked) { this.marks = null; return; }
    const marks = this.marks ?? new Uint32Array(this.event.length + 1);
    let sum = 0;
    for (let i = 0; i < this.event.length; ++i) {
      sum += marked[this.event[i] as number] as number;
      marks[i + 1] = sum;
    }
    this.marks = marks;
  }

  /** Number of marked events in [from, to). */
  marksIn(from: number, to: number): number {
    return this.marks ? (this.marks[to] as number) - (this.marks[from] as number) : 0;
  }

  length(i: number): number { return (this.end[i] as number) - (this.begin[i] as number); }

  /** First event that ends after `time`. */
  endsAfter(time: number): number { return search(this.end, time, 0, this.end.length, true); }
  /** First event at or after `from` that begins at or after `time`; looks near `from` first. */
  beginsFrom(time: number, from: number): number {
    let step = 1;
    let low = from;
    while (low + step < this.begin.length && (this.begin[low + step] as number) < time) {
      low += step;
      step *= 2;
    }
    return search(this.begin, time, low, Math.min(this.begin.length, low + step + 1), false);
  }

  /** What the last run() met: the longest event of the run. */
  runLongest = 0;

  /**
   * Passes over event `from` and those behind it that begin before `time`; returns the first one that does
   * not. Blocks of the pyramid are taken whole where they lie within, so that the steps grow with the
   * logarithm of the number of events. Nothing is allocated: this runs for every pixel of a frame.
   */
  run(from: number, time: number): number {
    const { begin, end, pyramid } = this;
    const n = begin.length;
    let longest = from;
    let length = (end[from] as number) - (begin[from] as number);
    let i = from + 1;
    let level = 0;  // of the blocks tried: 0 is single events
    while (i < n) {
      const bits = level * kFanBits;
      const size = 1 << bits;
      const last = i + size - 1;
      if (last >= n || (begin[last] as number) >= time) {
        if (level === 0) break;
        --level;
        continue;
      }
      const candidate = level === 0 ? i : ((pyramid[level - 1] as Uint32Array)[i >>> bits] as number);
      const other = (end[candidate] as number) - (begin[candidate] as number);
      if (other > length) { length = other; longest = candidate; }
      i += size;
      if (level < pyramid.length && (i & (size * kFan - 1)) === 0) ++level;
    }
    this.runLongest = longest;
    return i;
  }

  /** The longest event in [from, to), which is not empty. */
  longest(from: number, to: number): number {
    let best = from;
    const consider = (candidate: number): void => {
      if (this.length(candidate) > this.length(best)) best = candidate;
    };
    const walk = (low: number, high: number, level: number): void => {
      const at = (i: number): number => (level < 0 ? i : (this.pyramid[level]?.[i] as number));
      if (level + 1 >= this.pyramid.length || high - low <= 2 * kFan) {
        for (let i = low; i < high; ++i) consider(at(i));
        return;
      }
      const inner = Math.ceil(low / kFan);
      const outer = Math.floor(high / kFan);
      for (let i = low; i < inner * kFan; ++i) consider(at(i));
      for (let i = outer * kFan; i < high; ++i) consider(at(i));
      if (inner < outer) walk(inner, outer, level + 1);
    };
    walk(from, to, -1);
    return best;
  }
}

function search(values: Float64Array, limit: number, from: number, to: number, strictly: boolean): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const value = values[middle] as number;
    if (strictly ? value <= limit : value < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

const kPortion = 1 << 15;
const kMostLanes = 256;  // of one track; deeper events share the last one

/** Cuts every track into lanes: an event goes into the first one that is free when it begins. */
export async function arrange(events: Events): Promise<Lane[]> {
  const lanes: Lane[] = [];
  const breath = new Breath();
  const place = new Uint16Array(events.name.length);
  for (let track = 0; track < events.tracks.length; ++track) {
    const { first: from, count } = events.tracks[track] as TrackRow;
    const to = from + count;
    const free: number[] = [];
    const sizes: number[] = [];
    for (let low = from; low < to; low += kPortion) {
      for (let e = low; e < Math.min(to, low + kPortion); ++e) {
        const begin = events.begin[e] as number;
        let lane = 0;
        while (lane < free.length && lane < kMostLanes - 1 && (free[lane] as number) > begin) ++lane;
        free[lane] = Math.max(free[lane] ?? 0, events.end[e] as number);
        sizes[lane] = (sizes[lane] ?? 0) + 1;
        place[e] = lane;
      }
      if (breath.due()) await breath.take();
    }
    const members = sizes.map((size) => new Uint32Array(size));
    const filled = sizes.map(() => 0);
    for (let e = from; e < to; ++e) {
      const lane = place[e] as number;
      (members[lane] as Uint32Array)[filled[lane] as number] = e;
      filled[lane] = (filled[lane] as number) + 1;
    }
    if (breath.due()) await breath.take();
    for (let depth = 0; depth < members.length; ++depth) {
      lanes.push(new Lane(track, depth, members[depth] as Uint32Array, events));
      if (breath.due()) await breath.take();
    }
  }
  return lanes;
}
