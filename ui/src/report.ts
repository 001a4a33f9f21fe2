/** The report of one document, in the order that a reader asks. */
import { h, visible, type Child } from './dom';
import { keys, listenForKeys } from './keys';
import type { Document } from './model';
import { Page } from './page';
import { about, unknown } from './panels/about';
import { comparison } from './panels/comparison';
import { criticalPath } from './panels/critical_path';
import { findings } from './panels/findings';
import { flame } from './panels/flame';
import { headline } from './panels/headline';
import { history } from './panels/history';
import { hotspots } from './panels/hotspots';
import { iterations } from './panels/iterations';
import { memory } from './panels/memory';
import { roofline } from './panels/roofline';
import { timelinePanel } from './panels/timeline';

function contents(sections: (HTMLElement | null)[]): HTMLElement {
  return h('nav', { 'aria-label': 'Sections' }, h('ul', {}, sections.flatMap((part) => {
    const title = part?.querySelector('h2')?.textContent;
    return part && title ? [h('li', {}, h('button', { type: 'button', class: 'link', click: () => part.scrollIntoView() }, title))] : [];
  })));
}

export interface ReportOptions {
  /** Gets the Run where it is not embedded. */
  download: (() => Promise<Blob>) | null;
  /** Shown above everything. */
  above?: Child;
}

let listening = false;

export function report(document: Document, options: ReportOptions): HTMLElement[] {
  const page = new Page(document);
  const help = keys();
  if (!listening) listenForKeys(() => (globalThis.document.getElementById('help') as HTMLDialogElement | null)?.showModal());
  listening = true;
  globalThis.document.title = `${visible(page.doc.headline.subject).slice(0, 100)} · neurolens`;
  const sections = [
    findings(page), hotspots(page), flame(page), timelinePanel(page), roofline(page), criticalPath(page), iterations(page), memory(page),
    comparison(page), history(page), about(page, options.download), unknown(page),
  ];
  const above = h('div', {}, options.above);
  return [above, headline(page, help.open), contents(sections), ...sections.filter((part) => part !== null),
    h('footer', { class: 'soft' }, `neurolens ${document.neurolens_version}`), help.dialog];
}
