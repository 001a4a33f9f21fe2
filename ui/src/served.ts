/** The same report served over a store (`neurolens view`): list, filter, open, compare two, trends; live. */
import { h, nameOf, replace, visible, type Child } from './dom';
import { count, plural, time } from './format';
import { Grid, sorted, type Column } from './grid';
import type { Document, History } from './model';
import { historyPlot } from './panels/history';
import { report } from './report';
import { forget } from './state';

interface Entry {
  run_id: string; created_at: string; workload: string; host: string; backend: string; provider: string | null;
  precision: string | null; threads: number | null; batch_size: number | null; status: string; size_bytes: number;
  tags: Record<string, string>; latency_ns: number | null;
}

interface Listing { revision: string; store: string | null; runs: Entry[]; baselines: { name: string; run_id: string }[] }

const kLook = 2000;  // ms between looks for something new
const kLatest = '@latest';

async function ask<T>(path: string, query: Record<string, string> = {}): Promise<T> {
  const response = await fetch(`${path}?${new URLSearchParams(query).toString()}`);
  const body: unknown = await response.json();
  if (!response.ok) throw new Error((body as { error?: string }).error ?? `the server answered ${response.status}`);
  return body as T;
}

const asked = (key: string): string => new URLSearchParams(location.hash.replace(/^#/, '')).get(key) ?? '';

/** Goes to a report, or to the list; what was selected in the report before is forgotten. */
function go(run: string, baseline = ''): void {
  const next = new URLSearchParams();
  if (run !== '') next.set('run', run);
  if (run !== '' && baseline !== '') next.set('baseline', baseline);
  location.hash = next.toString();
}

const label = (entry: Entry): string => `${entry.workload} · ${entry.created_at.slice(0, 19)} · ${entry.run_id.slice(0, 8)}`;

class Viewer {
  private listing: Listing = { revision: '', store: null, runs: [], baselines: [] };
  private shown = '?';
  private filter = { text: '', backend: '', precision: '' };
  private sort = '-when';
  private chosen: Entry | null = null;
  private base: Entry | null = null;
  private refresh: (() => void) | null = null;

  constructor(private readonly page: HTMLElement) {}

  async start(): Promise<void> {
    await this.look();
    await this.show();
    window.addEventListener('hashchange', () => { void this.show(); });
    const again = (): void => { void this.look().catch(() => this.lost()).finally(() => setTimeout(again, kLook)); };
    setTimeout(again, kLook);
  }

  private async look(): Promise<void> {
    const { revision } = await ask<{ revision: string }>('/api/revision');
    document.getElementById('lost')?.remove();
    if (revision === this.listing.revision) return;
    const first = this.listing.revision === '';
    this.listing = await ask<Listing>('/api/runs');
    this.listing.revision = revision;
    if (first) return;
    if (asked('run') === '') this.refresh?.();
    // A Run by its id never changes; the latest one and a named file may.
    else if (asked('run') === kLatest || asked('run').startsWith('file:')) await this.show(true);
  }

  private lost(): void {
    if (document.getElementById('lost')) return;
    this.page.prepend(h('p', { class: 'alarm', id: 'lost', role: 'alert' }, 'The server does not answer; is `neurolens view` still running?'));
  }

  private async show(again = false): Promise<void> {
    const run = asked('run');
    const wanted = `${run} ${asked('baseline')}`;
    if (wanted === this.shown && !again) return;
    this.shown = wanted;
    try {
      if (run === '') this.showList();
      else await this.showReport(run, asked('baseline'));
    } catch (error) {
      replace(this.page, this.bar(), h('p', { class: 'alarm', role: 'alert' }, `This Run cannot be shown: ${visible(String(error)).slice(0, 500)}`));
    }
  }

  private bar(...children: Child[]): HTMLElement {
    return h('div', { class: 'bar runs-bar' }, h('button', { type: 'button', id: 'all-runs', click: () => go('') }, '← All Runs'), children);
  }

  private async showReport(run: string, baseline: string): Promise<void> {
    const found = await ask<Document>('/api/findings', { run, ...(baseline === '' ? {} : { baseline }) });
    const against = h('select', { id: 'against', change: () => go(run, against.value) },
      h('option', { value: '' }, 'no baseline'),
      this.listing.baselines.map((entry) => h('option', { value: `@baseline:${entry.name}` }, `baseline ${entry.name}`)),
      this.listing.runs.filter((entry) => entry.run_id !== run).slice(0, 500).map((entry) => h('option', { value: entry.run_id }, label(entry))));
    if (baseline !== '' && ![...against.options].some((option) => option.value === baseline)) {
      against.append(h('option', { value: baseline }, baseline));
    }
    against.value = baseline;
    const { scrollY } = window;
    forget();
    replace(this.page, ...report(found, {
      above: this.bar(h('label', {}, 'against ', against), h('span', { class: 'soft' }, run === kLatest ? 'follows the latest Run' : '')),
      download: async () => (await fetch(`/api/run?${new URLSearchParams({ run }).toString()}`)).blob(),
    }));
    window.scrollTo(0, scrollY);
  }

  private rows(): Entry[] {
    const text = this.filter.text.toLowerCase();
    return this.listing.runs.filter((entry) => (this.filter.backend === '' || entry.backend === this.filter.backend)
      && (this.filter.precision === '' || entry.precision === this.filter.precision)
      && (text === '' || [entry.workload, entry.run_id, entry.host, entry.created_at, ...Object.entries(entry.tags).flat()]
        .some((value) => value.toLowerCase().includes(text))));
  }

  private choice(id: string, values: (string | null)[], key: 'backend' | 'precision'): HTMLElement {
    const found = [...new Set(values.filter((value): value is string => value !== null && value !== ''))].sort();
    const select = h('select', { id, change: () => { this.filter[key] = select.value; this.refresh?.(); } },
      h('option', { value: '' }, 'all'), found.map((value) => h('option', { value }, value)));
    select.value = this.filter[key];
    return h('label', {}, `${key} `, select);
  }

  private columns(): Column<Entry>[] {
    return [
      { key: 'workload', title: 'workload', width: 130, roomy: 200, priority: 0, grows: 3, cell: (e, width) => nameOf(e.workload, Math.max(8, Math.floor((width - 14) / 8.8))), order: (e) => e.workload },
      { key: 'when', title: 'when', width: 196, priority: 2, cell: (e) => e.created_at.slice(0, 19).replace('T', ' '), order: (e) => e.created_at },
      { key: 'latency', title: 'latency', width: 100, priority: 1, number: true, cell: (e) => time(e.latency_ns), order: (e) => e.latency_ns },
      { key: 'backend', title: 'backend', width: 120, priority: 3, cell: (e) => nameOf(e.backend, 40), order: (e) => e.backend },
      { key: 'precision', title: 'precision', width: 96, priority: 4, cell: (e) => e.precision ?? '-', order: (e) => e.precision },
      { key: 'threads', title: 'threads', width: 84, priority: 5, number: true, cell: (e) => count(e.threads), order: (e) => e.threads },
      { key: 'batch', title: 'batch', width: 70, priority: 6, number: true, cell: (e) => count(e.batch_size), order: (e) => e.batch_size },
      { key: 'host', title: 'machine', width: 180, priority: 7, grows: 1, cell: (e) => nameOf(e.host, 60), order: (e) => e.host },
      { key: 'status', title: '', width: 90, priority: 8, cell: (e) => (e.status === 'complete' ? '' : nameOf(e.status, 20)), order: (e) => e.status },
      { key: 'id', title: 'Run', width: 100, priority: 9, cell: (e) => nameOf(e.run_id.slice(0, 8)), order: (e) => e.run_id },
    ];
  }

  private showList(): void {
    document.title = 'Runs · neurolens';
    const columns = this.columns();
    const rows = new Map<Entry, number>();
    const note = h('p', { class: 'soft', role: 'status', id: 'run-count' });
    const open = h('button', { type: 'button', id: 'open-run', click: () => { if (this.chosen) go(this.chosen.run_id); } }, 'Open');
    const mark = h('button', { type: 'button', id: 'mark-base', click: () => { this.base = this.chosen; tell(); } }, 'Use as baseline');
    const compare = h('button', { type: 'button', id: 'compare-runs', click: () => { if (this.chosen && this.base) go(this.chosen.run_id, this.base.run_id); } }, 'Compare');
    const chosen = h('span', { class: 'soft', id: 'base-note' });
    const tell = (): void => {
      open.disabled = mark.disabled = this.chosen === null;
      compare.disabled = this.chosen === null || this.base === null || this.chosen === this.base;
      replace(chosen, this.base ? ['baseline: ', nameOf(label(this.base), 80)] : 'select a Run, use it as baseline, select another, compare');
    };
    const grid = new Grid<Entry>(columns, {
      label: 'Runs', id: 'run-grid', keyOf: (entry) => rows.get(entry) ?? -1, empty: 'No Run passes these filters.',
      onSort: (sort) => { this.sort = sort; this.refresh?.(); },
      onSelect: (entry) => { this.chosen = entry; grid.select(rows.get(entry) ?? null); tell(); },
    });
    grid.element.addEventListener('dblclick', () => open.click());
    grid.element.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') open.click();
      if (event.key === 'b') mark.click();
      if (event.key === 'c') compare.click();
    });
    this.refresh = () => {
      const same = (entry: Entry | null): Entry | null => this.listing.runs.find((other) => other.run_id === entry?.run_id) ?? null;
      this.chosen = same(this.chosen);
      this.base = same(this.base);
      const found = sorted(this.rows(), columns, this.sort);
      rows.clear();
      found.forEach((entry, index) => rows.set(entry, index));
      note.textContent = `${plural(found.length, 'Run')} of ${count(this.listing.runs.length)}`;
      grid.setRows(found, this.sort);
      grid.select(this.chosen ? (rows.get(this.chosen) ?? null) : null);
      tell();
    };
    const search = h('input', {
      type: 'search', id: 'run-search', placeholder: 'workload, id, machine, time or label', 'aria-label': 'Search Runs', value: this.filter.text,
      input: () => { this.filter.text = search.value; this.refresh?.(); },
    });
    const { runs, store } = this.listing;
    replace(this.page,
      h('header', {}, h('h1', {}, 'neurolens'), h('p', { class: 'soft' }, store === null ? 'The named Runs' : ['Store ', nameOf(store, 200)],
        ' ', h('button', { type: 'button', class: 'link', id: 'follow-latest', click: () => go(kLatest) }, 'follow the latest Run'))),
      h('section', { 'aria-labelledby': 'runs-title' }, h('h2', { id: 'runs-title' }, 'Runs'),
        h('div', { class: 'controls' }, search, this.choice('backend-filter', runs.map((entry) => entry.backend), 'backend'),
          this.choice('precision-filter', runs.map((entry) => entry.precision), 'precision')),
        note, grid.element, h('div', { class: 'controls' }, open, mark, compare, chosen)),
      store !== null && this.trend());
    this.refresh();
  }

  private trend(): HTMLElement {
    const runs = new Map<string, number>();
    for (const { workload } of this.listing.runs) runs.set(workload, (runs.get(workload) ?? 0) + 1);
    const models = [...runs].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0])).map(([name]) => name);
    const model = h('select', { id: 'trend-model' }, models.slice(0, 500).map((name) => h('option', { value: name }, visible(name).slice(0, 80))));
    const metric = h('input', { type: 'search', id: 'trend-metric', value: 'latency', 'aria-label': 'Metric: latency, throughput or op:NAME', list: 'metrics' });
    const holder = h('div', { id: 'trend' });
    const draw = async (): Promise<void> => {
      try {
        const found = await ask<History>('/api/history', { model: model.value, metric: metric.value });
        replace(holder, found.points.length < 2 ? h('p', { class: 'absent' }, 'Fewer than two Runs have this value.') : historyPlot(found, 'trend-plot'));
      } catch (error) {
        replace(holder, h('p', { class: 'alarm' }, visible(String(error)).slice(0, 300)));
      }
    };
    model.addEventListener('change', () => { void draw(); });
    metric.addEventListener('change', () => { void draw(); });
    if (models.length > 0) void draw();
    return h('section', { 'aria-labelledby': 'trend-title' }, h('h2', { id: 'trend-title' }, 'History'),
      h('div', { class: 'controls' }, h('label', {}, 'workload ', model), h('label', {}, 'metric ', metric),
        h('datalist', { id: 'metrics' }, ['latency', 'throughput'].map((value) => h('option', { value }))),
        h('button', { type: 'button', click: () => { void draw(); } }, 'Show')), holder);
  }
}

export async function serve(page: HTMLElement): Promise<void> { await new Viewer(page).start(); }
