/**
 * What is selected and filtered, in one place. The address bar's hash keeps it, so that a link shows the
 * same view; every panel listens.
 */
export interface State {
  /** Index of the selected op; null: none. */
  op: number | null;
  /** Id of the finding whose ops the table shows; '': all ops. */
  finding: string;
  text: string;
  type: string;
  bound: string;
  by: 'op' | 'type' | 'node';
  sort: string;
  /** Window of the timeline in ns; null: all of it. */
  from: number | null;
  to: number | null;
}

export type Key = keyof State;
type Listener = (state: Readonly<State>, changed: ReadonlySet<Key>) => void;

const kStart: State = {
  op: null, finding: '', text: '', type: '', bound: '', by: 'op', sort: '-time', from: null, to: null,
};

const state: State = { ...kStart };
const listeners: Listener[] = [];
let writing = 0;

function parse(hash: string): State {
  const read = new URLSearchParams(hash.replace(/^#/, ''));
  const number = (key: string): number | null => {
    const text = read.get(key);
    const value = text === null || text === '' ? NaN : Number(text);
    return Number.isFinite(value) ? value : null;
  };
  const by = read.get('by');
  return {
    op: number('op'), from: number('from'), to: number('to'),
    finding: read.get('finding') ?? '', text: read.get('text') ?? '', type: read.get('type') ?? '',
    bound: read.get('bound') ?? '', sort: read.get('sort') ?? kStart.sort,
    by: by === 'type' || by === 'node' ? by : 'op',
  };
}

function remember(): void {
  const write = new URLSearchParams(location.hash.replace(/^#/, ''));
  for (const key of Object.keys(kStart) as Key[]) {
    if (state[key] === kStart[key]) write.delete(key);
    else write.set(key, String(state[key]));
  }
  const hash = write.toString();
  if (hash === location.hash.replace(/^#/, '')) return;
  history.replaceState(null, '', hash === '' ? location.pathname + location.search : `#${hash}`);
}

function apply(next: Partial<State>): void {
  const changed = new Set<Key>();
  for (const key of Object.keys(next) as Key[]) {
    if (next[key] === undefined || state[key] === next[key]) continue;
    (state as unknown as Record<string, unknown>)[key] = next[key];
    changed.add(key);
  }
  if (changed.size > 0) for (const listener of listeners) listener(state, changed);
}

export const current = (): Readonly<State> => state;

/** Changes some fields and tells everybody; the hash follows a moment later. */
export function update(next: Partial<State>): void {
  apply(next);
  clearTimeout(writing);
  writing = window.setTimeout(remember, 150);
}

/** Calls `listener` at once and after every change. */
export function follow(listener: Listener): void {
  listeners.push(listener);
  listener(state, new Set(Object.keys(kStart) as Key[]));
}

/** Forgets all listeners: the page is about to be drawn anew. */
export function forget(): void { listeners.length = 0; }

export function startState(): void {
  Object.assign(state, parse(location.hash));
  window.addEventListener('hashchange', () => apply(parse(location.hash)));
}
