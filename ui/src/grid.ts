/**
 * A table that stays quick with any number of rows: only the rows in sight exist. Columns that do not fit
 * give way by priority; all of them are in the panel of the selected row.
 */
import { append, h, letters, replace, type Child } from './dom';

export interface Column<T> {
  key: string;
  title: string;
  /** What the number is and how it is known. */
  explain?: string;
  /** Least width in px. */
  width: number;
  /** Least width where the table has room. */
  roomy?: number;
  /** 0 stays longest. */
  priority: number;
  /** Share of the width that is left; 0 or absent: none. */
  grows?: number;
  number?: boolean;
  /** `width`: px that the column has. */
  cell: (row: T, width: number) => Child;
  /** Sort key; null and undefined come last. */
  order?: (row: T) => number | string | null | undefined;
}

export interface GridOptions<T> {
  label: string;
  id: string;
  keyOf: (row: T) => number;
  onSelect: (row: T) => void;
  /** A click or Enter. */
  onOpen?: (row: T) => void;
  onSort: (sort: string) => void;
  empty: string;
}

const kRow = 34;  // px at the usual size of letters
const kMargin = 6;  // rows drawn beyond the edge
const kPadding = 20;
const kRoomy = 700;  // px

export class Grid<T> {
  readonly element: HTMLElement;
  private readonly head: HTMLElement;
  private readonly body: HTMLElement;
  private readonly drawn = new Map<number, HTMLElement>();
  private rows: T[] = [];
  private shown: Column<T>[] = [];
  private readonly widths = new Map<Column<T>, number>();
  private cursor = -1;
  private sort = '';
  private frame = 0;
  private width = 0;
  private scale = letters();
  private get row(): number { return kRow * this.scale; }

  constructor(private columns: Column<T>[], private readonly options: GridOptions<T>) {
    this.head = h('div', { role: 'row', class: 'grid-row grid-head', 'aria-rowindex': 1 });
    this.body = h('div', { role: 'rowgroup', class: 'grid-body' });
    this.element = h('div', {
      role: 'grid', class: 'grid', id: options.id, tabindex: 0, 'aria-label': options.label,
      scroll: () => this.schedule(),
      keydown: (event: KeyboardEvent) => this.onKey(event),
    }, h('div', { role: 'rowgroup', class: 'grid-top' }, this.head), this.body);
    new ResizeObserver(() => this.fit()).observe(this.element);
    window.addEventListener('beforeprint', () => this.draw(true));
    window.addEventListener('afterprint', () => this.draw());
  }

  setColumns(columns: Column<T>[]): void {
    this.columns = columns;
    this.width = 0;
    this.fit();
  }

  /** Shows `rows` in this order; `sort` is the key of the column ("-key": falling). */
  setRows(rows: T[], sort: string): void {
    this.rows = rows;
    this.sort = sort;
    this.cursor = Math.min(this.cursor, rows.length - 1);
    this.element.setAttribute('aria-rowcount', String(rows.length + 1));
    this.body.style.height = `${Math.max(1, rows.length) * this.row}px`;
    this.clear();
    this.drawHead();
    this.draw();
  }

  /** Marks the row with this key and brings it into sight. */
  select(key: number | null): void {
    const index = key === null ? -1 : this.rows.findIndex((row) => this.options.keyOf(row) === key);
    if (index === this.cursor) return;
    this.cursor = index;
    if (index >= 0) this.reveal(index);
    this.clear();
    this.draw();
  }

  private reveal(index: number): void {
    const top = index * this.row;
    const room = this.element.clientHeight - this.head.offsetHeight;
    if (top < this.element.scrollTop) this.element.scrollTop = top;
    else if (top + this.row > this.element.scrollTop + room) this.element.scrollTop = top + this.row - room;
  }

  private fit(): void {
    const width = this.element.clientWidth;
    if (width === this.width || width === 0) return;
    this.width = width;
    this.scale = letters();
    const least = (column: Column<T>): number => this.scale * (width >= kRoomy * this.scale ? (column.roomy ?? column.width) : column.width);
    const order = [...this.columns].sort((a, b) => a.priority - b.priority);
    const keep = new Set<Column<T>>();
    let used = kPadding;
    for (const column of order) {
      if (keep.size > 1 && used + least(column) > width) break;
      keep.add(column);
      used += least(column);
    }
    this.shown = this.columns.filter((column) => keep.has(column));
    const shares = this.shown.reduce((sum, column) => sum + (column.grows ?? 0), 0) || 1;
    const left = Math.max(0, width - used);
    const tracks = this.shown.map((column) => {
      const own = Math.floor(least(column) + (left * (column.grows ?? 0)) / shares);
      this.widths.set(column, own);
      return `${own}px`;
    });
    this.element.style.setProperty('--columns', tracks.join(' '));
    this.element.setAttribute('aria-colcount', String(this.columns.length));
    this.clear();
    this.drawHead();
    this.draw();
  }

  private drawHead(): void {
    replace(this.head, this.shown.map((column) => {
      const falling = this.sort === `-${column.key}`;
      const rising = this.sort === column.key;
      const mark = falling ? ' ↓' : rising ? ' ↑' : '';
      return h('div', {
        role: 'columnheader', class: column.number ? 'number' : '', title: column.explain ?? null,
        'aria-sort': falling ? 'descending' : rising ? 'ascending' : column.order ? 'none' : null,
      }, column.order
        ? h('button', { type: 'button', 'data-sort': column.key, click: () => {
          this.options.onSort(falling ? column.key : rising || column.number ? `-${column.key}` : column.key);
        } }, column.title + mark)
        : column.title);
    }));
  }

  private schedule(): void {
    if (this.frame === 0) {
      this.frame = requestAnimationFrame(() => { this.frame = 0; this.draw(); });
    }
  }

  private clear(): void {
    this.drawn.clear();
    this.body.textContent = '';
  }

  private draw(paper = false): void {
    const top = paper ? 0 : Math.floor(this.element.scrollTop / this.row) - kMargin;
    const from = Math.max(0, top);
    const room = paper ? 100 : Math.ceil(this.element.clientHeight / this.row) + 2 * kMargin;
    const to = Math.min(this.rows.length, from + room);
    if (paper) this.body.style.height = `${(to - from) * this.row}px`;
    else this.body.style.height = `${Math.max(1, this.rows.length) * this.row}px`;
    for (const [index, element] of this.drawn) {
      if (index < from || index >= to) { element.remove(); this.drawn.delete(index); }
    }
    for (let index = from; index < to; ++index) {
      if (!this.drawn.has(index)) this.drawn.set(index, this.drawRow(index));
    }
    if (this.rows.length === 0 && this.body.childElementCount === 0) {
      append(this.body, [h('div', { role: 'row', class: 'grid-row' },
        h('div', { role: 'gridcell', class: 'empty' }, this.options.empty))]);
    }
    const active = this.drawn.get(this.cursor);
    if (active) this.element.setAttribute('aria-activedescendant', active.id);
    else this.element.removeAttribute('aria-activedescendant');
  }

  private drawRow(index: number): HTMLElement {
    const row = this.rows[index] as T;
    const element = h('div', {
      role: 'row', class: 'grid-row', id: `${this.options.id}-${index}`, 'aria-rowindex': index + 2,
      'aria-selected': index === this.cursor ? 'true' : 'false',
      click: () => {
        this.options.onSelect(row);
        this.options.onOpen?.(row);
      },
    }, this.shown.map((column) => h('div', {
      role: 'gridcell', class: column.number ? 'number' : '',
    }, column.cell(row, (this.widths.get(column) ?? column.width) / this.scale))));
    element.style.transform = `translateY(${index * this.row}px)`;
    this.body.appendChild(element);
    return element;
  }

  private onKey(event: KeyboardEvent): void {
    if (event.target !== this.element || event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(this.element.clientHeight / this.row) - 2);
    const last = this.rows.length - 1;
    const steps: Record<string, number> = {
      ArrowDown: this.cursor + 1, ArrowUp: this.cursor - 1, PageDown: this.cursor + page,
      PageUp: this.cursor - page, Home: 0, End: last,
    };
    const chosen = this.rows[this.cursor];
    if (event.key === 'Enter' && chosen !== undefined) this.options.onOpen?.(chosen);
    const next = steps[event.key];
    if (next === undefined || last < 0) return;
    event.preventDefault();
    const row = this.rows[Math.min(last, Math.max(0, next))];
    if (row !== undefined) {
      this.select(this.options.keyOf(row));
      this.options.onSelect(row);
    }
  }
}

/** Sorts a copy by a column; what is missing comes last either way. */
export function sorted<T>(rows: readonly T[], columns: readonly Column<T>[], sort: string): T[] {
  const falling = sort.startsWith('-');
  const key = falling ? sort.slice(1) : sort;
  const order = columns.find((column) => column.key === key)?.order;
  if (!order) return [...rows];
  const sign = falling ? -1 : 1;
  const keyed = rows.map((row, index) => ({ row, index, key: order(row) }));
  keyed.sort((a, b) => {
    if (a.key === b.key) return a.index - b.index;
    if (a.key === null || a.key === undefined) return 1;
    if (b.key === null || b.key === undefined) return -1;
    const less = typeof a.key === 'string' && typeof b.key === 'string'
      ? a.key.localeCompare(b.key) < 0 : a.key < b.key;
    return less ? -sign : sign;
  });
  return keyed.map((entry) => entry.row);
}
