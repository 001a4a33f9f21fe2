/** What was measured, what is not known, and the Run to take away. */
import { h, nameOf, save } from '../dom';
import { bytes } from '../format';
import { runFile } from '../load';
import type { Fact } from '../model';
import { absent, section, type Page } from '../page';

const facts = (title: string, rows: Fact[]): HTMLElement | null => (rows.length === 0 ? null : h('div', {}, h('h3', {}, title),
  h('dl', { class: 'facts-list' }, rows.map((fact) => h('div', {}, h('dt', {}, nameOf(fact.label, 80)),
    h('dd', {}, fact.value === null ? 'not collected' : nameOf(fact.value, 500)))))));

/** Words as a shell takes them. */
const quoted = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

export function about(page: Page, download: (() => Promise<Blob>) | null): HTMLElement {
  const { measured: m, run, embedded_run: file } = page.doc;
  const command = m.command.map(quoted).join(' ');
  const name = file?.file_name ?? `${run.run_id}.run.json`;
  const take = download ?? (file ? () => runFile(file) : null);
  return section('about', 'What was measured',
    h('div', { class: 'columns' }, facts('Machine', m.host), facts('Software', m.software), facts('Workload', m.workload), facts('Settings', m.settings),
      facts('Labels', Object.entries(m.tags).map(([label, value]) => ({ label, value })))),
    h('h3', {}, 'Command'),
    command === '' ? absent('The command is not known.') : h('div', { class: 'command' }, h('pre', { tabindex: 0 }, h('code', {}, nameOf(command, 4000))),
      h('button', { type: 'button', click: () => { void navigator.clipboard?.writeText(command).catch(() => undefined); } }, 'Copy')),
    h('h3', {}, 'The Run'),
    h('p', {}, `${run.run_id}, ${run.created_at}, measured by neurolens ${run.neurolens_version}. `,
      take ? h('button', { type: 'button', id: 'download', click: () => { void take().then((blob) => save(blob, name.replace(/[^\w.-]+/g, '_'))); } },
        `Download ${name}${file ? ` (${bytes(file.size_bytes)})` : ''}`) : 'The Run is not embedded in this report.'));
}

export function unknown(page: Page): HTMLElement {
  return section('unknown', 'What is not known', page.doc.unknown.length === 0 ? absent('Nothing that this report would need is missing.')
    : h('ul', {}, page.doc.unknown.map((sentence) => h('li', {}, nameOf(sentence, 1000)))));
}
