/** The events of a timeline as typed arrays, sorted by track, then begin, then longer first. */
import { Breath } from '../dom';
import { missing, stored } from '../load';
import type { Timeline, TrackRow } from '../model';

export interface Events {
  tracks: TrackRow[];
  names: string[];
  /** ns since the first event. */
  begin: Float64Array;
  end: Float64Array;
  /** Index into names. */
  name: Uint8Array | Uint16Array | Uint32Array;
  /** Row of ops; -1: none. */
  op: Int32Array;
  /** ns from the first event to the last end. */
  span: number;
}

const kPortion = 1 << 16;

/** Unpacks a timeline in portions, so that the page stays alive meanwhile. */
export async function unpack(timeline: Timeline): Promise<Events> {
  const n = timeline.count;
  const [begin, duration, name, op] = await Promise.all(
    [timeline.begin, timeline.duration, timeline.name, timeline.op].map(stored));
  if (!begin || !duration || !name || !op || name instanceof Float64Array) {
    throw new Error('the timeline of this report has no names');
  }
  const events: Events = {
    tracks: timeline.tracks, names: timeline.names, begin: new Float64Array(n), end: new Float64Array(n),
    name, op: new Int32Array(n), span: Math.max(1, timeline.end_ns - timeline.begin_ns),
  };
  const none = missing(timeline.op.type);
  const breath = new Breath();
  for (const track of timeline.tracks) {
    let clock = 0;
    const stop = Math.min(n, track.first + track.count);
    for (let from = track.first; from < stop; from += kPortion) {
      for (let i = from; i < Math.min(stop, from + kPortion); ++i) {
        clock = timeline.begin.delta ? clock + (begin[i] as number) : (begin[i] as number);
        events.begin[i] = clock;
        events.end[i] = clock + (duration[i] as number);
        const row = op[i] as number;
        events.op[i] = row === none ? -1 : row;
      }
      if (breath.due()) await breath.take();
    }
  }
  return events;
}
