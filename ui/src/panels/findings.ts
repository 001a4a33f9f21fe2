/** What to do, ranked by the time to be won. */
import { h, nameOf } from '../dom';
import { count, known, share, time } from '../format';
import type { Finding } from '../model';
import { absent, section, type Page } from '../page';
import { update } from '../state';

const kShown = 10;

/** Identifies a finding in the address bar. */
export const idOf = (finding: Finding, index: number): string => `${index + 1}-${finding.rule}`;

function links(page: Page, finding: Finding, index: number): HTMLElement | null {
  const first = finding.ops[0];
  if (first === undefined) return null;
  return h('p', { class: 'links' },
    h('button', {
      type: 'button', class: 'link', click: () => {
        update({ finding: idOf(finding, index), by: 'op', op: first, text: '', type: '', bound: '' });
        document.getElementById('hotspots')?.scrollIntoView();
      },
    }, finding.ops.length === 1 ? 'Show the op' : `Show its ${count(finding.ops.length)} ops`),
    ' ', finding.ops.slice(0, 3).map((op) => [nameOf(page.ops[op]?.name ?? `op ${op}`, 40), ' ']),
    finding.ops.length > 3 && `and ${count(finding.ops.length - 3)} more`);
}

function card(page: Page, finding: Finding, index: number): HTMLElement {
  const gain = known(finding.gain_ns)
    ? `save up to ${time(finding.gain_ns)}${known(finding.gain_ratio) ? ` (${share(finding.gain_ratio)})` : ''}` : 'no estimate';
  return h('li', { class: `finding ${finding.severity}` },
    h('h3', {}, nameOf(finding.title, 300)),
    h('p', { class: 'gain' }, h('strong', {}, gain), ' ', h('span', { class: `badge ${finding.severity}` }, finding.severity),
      ' ', h('span', { class: 'soft', title: finding.confidence_reason }, `${finding.confidence} confidence`)),
    h('p', {}, nameOf(finding.message, 1500)),
    links(page, finding, index),
    finding.suggestions.length > 0 && h('ul', {}, finding.suggestions.map((text) => h('li', {}, nameOf(text, 1000)))),
    h('details', {}, h('summary', {}, 'Evidence and next step'),
      h('table', { class: 'facts-table' }, h('tbody', {}, finding.evidence.map((entry) => h('tr', {},
        h('th', { scope: 'row', title: entry.name }, nameOf(entry.label, 120)), h('td', {}, nameOf(entry.text, 300)))))),
      h('p', {}, `Confidence ${finding.confidence}: `, nameOf(finding.confidence_reason, 500)),
      finding.next_step !== '' && h('p', {}, 'Next: ', h('code', {}, nameOf(finding.next_step, 500))),
      finding.references.length > 0 && h('p', { class: 'soft' }, 'See ', finding.references.map((text, i) => [i > 0 && ', ', nameOf(text, 300)])),
      h('p', { class: 'soft' }, 'Rule: ', h('code', {}, nameOf(finding.rule)))));
}

export function findings(page: Page): HTMLElement {
  const all = page.doc.findings;
  if (all.length === 0) return section('findings', 'What to do', absent('No rule found anything worth doing.'));
  const list = h('ol', { class: 'findings' }, all.slice(0, kShown).map((finding, i) => card(page, finding, i)));
  const rest = all.length - kShown;
  const more = rest > 0 && h('button', {
    type: 'button', click: (event: Event) => {
      for (let i = kShown; i < all.length; ++i) list.appendChild(card(page, all[i] as Finding, i));
      (event.target as HTMLElement).remove();
    },
  }, `Show ${rest} more`);
  return section('findings', 'What to do', h('p', { class: 'soft' }, 'Ranked by the time to be won. ', page.why('findings.gain_ns'), page.why('findings.confidence')), list, more);
}
