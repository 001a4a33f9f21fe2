/** One sentence, one number with its interval, a verdict if there is a baseline. */
import { h, nameOf, type Child } from '../dom';
import { interval, known, time } from '../format';
import type { Verdict } from '../model';
import type { Page } from '../page';
import { switchTheme } from '../theme';

const kMark: Record<Verdict['verdict'], string> = {
  regressed: '▲', improved: '▼', equivalent: '=', inconclusive: '?',
};

export function verdictBadge(verdict: string): HTMLElement {
  return h('span', { class: `badge ${verdict}` }, `${kMark[verdict as Verdict['verdict']] ?? '·'} ${verdict}`);
}

export function headline(page: Page, help: () => void): HTMLElement {
  const { headline: head, run, observer } = page.doc;
  const facts: Child[] = [];
  for (const fact of head.facts) facts.push(h('li', {}, nameOf(fact, 400)));
  if (known(head.throughput_per_second)) facts.push(h('li', {}, page.why('headline.throughput_per_second')));
  if (known(head.roof_ratio)) facts.push(h('li', {}, page.why('headline.roof_ratio')));
  if (observer.integrity !== 'ok') facts.push(h('li', { class: 'alarm' }, `Integrity: ${observer.integrity}`));
  return h('header', { id: 'headline' },
    h('div', { class: 'bar' },
      h('span', { class: 'brand' }, 'neurolens'),
      h('span', { class: 'spacer' }),
      h('button', { type: 'button', id: 'theme', click: switchTheme }, 'Light / dark'),
      h('button', { type: 'button', id: 'help-button', click: help, 'aria-keyshortcuts': '?' }, 'Keys')),
    h('h1', {}, nameOf(head.subject, 400)),
    run.status === 'partial' && h('p', { class: 'alarm' }, 'A partial Run: ', nameOf(run.status_reason ?? 'it was stopped before its end', 400)),
    h('p', { class: 'number' },
      h('strong', {}, known(head.time_ns) ? time(head.time_ns) : 'no time'), ` per ${head.unit_of_work} `,
      known(head.low_ns) && h('span', { class: 'interval' }, `95 % ${interval(head.low_ns, head.high_ns)}`),
      ' ', page.why('headline.time_ns')),
    head.observer_included && h('p', { class: 'alarm' }, 'The observer is included in this number.'),
    head.verdict && h('p', { class: 'verdict' }, verdictBadge(head.verdict.verdict), ' ',
      nameOf(head.verdict_sentence ?? '', 400), ' ', page.why('headline.verdict')),
    h('ul', { class: 'facts' }, facts));
}
