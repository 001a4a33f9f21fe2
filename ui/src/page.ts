/** What every panel gets: the document, its ops as rows, and how its numbers are known. */
import { h, why } from './dom';
import type { Document, Op } from './model';
import { opsOf } from './model';

export class Page {
  readonly ops: Op[];
  private readonly explanations: Map<string, string>;

  constructor(readonly doc: Document) {
    this.ops = opsOf(doc.ops);
    this.explanations = new Map(doc.explanations.map((entry) => [entry.key, entry.text]));
  }

  explain(key: string): string | undefined { return this.explanations.get(key); }

  /** The button that explains a number; nothing where the document does not. */
  why(key: string): HTMLElement | null {
    const text = this.explain(key);
    return text ? why(text) : null;
  }
}

/** A section of the page with its heading. */
export function section(id: string, title: string, ...children: Parameters<typeof h>[2][]): HTMLElement {
  return h('section', { id, 'aria-labelledby': `${id}-title` }, h('h2', { id: `${id}-title` }, title), ...children);
}

/** A sentence in place of a panel that has nothing to show. */
export const absent = (sentence: string): HTMLElement => h('p', { class: 'absent' }, sentence);
