/** Keys that work everywhere, and the screen that names them. */
import { h } from './dom';
import { update } from './state';

const kKeys: [string, string][] = [
  ['/', 'search ops'], ['t', 'to the timeline'], ['Esc', 'deselect; close this'], ['?', 'this help'],
  ['↑ ↓ PageUp PageDown Home End', 'in a table: go through the rows'], ['Enter', 'in a table by type: its ops; in the timeline: zoom to the event'],
  ['W S or + −', 'in the timeline: zoom'], ['A D', 'in the timeline: pan'], ['← → ↑ ↓', 'in the timeline: event before, after, lane above, below'],
  ['0', 'in the timeline: show everything'], ['Ctrl + wheel', 'in the timeline: zoom'], ['Shift + drag', 'in the timeline: zoom in on a piece'],
];

export function keys(): { dialog: HTMLDialogElement; open: () => void } {
  const dialog = h('dialog', { id: 'help', 'aria-labelledby': 'help-title' },
    h('h2', { id: 'help-title' }, 'Keys'),
    h('dl', {}, kKeys.map(([key, text]) => h('div', {}, h('dt', {}, h('kbd', {}, key)), h('dd', {}, text)))),
    h('button', { type: 'button', click: () => dialog.close() }, 'Close'));
  return { dialog, open: () => { if (!dialog.open) dialog.showModal(); } };
}

export function listenForKeys(open: () => void): void {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
    if (event.key === 'Escape') {
      if (typing) (event.target as HTMLElement).blur();
      else if (!document.querySelector('dialog[open]')) update({ op: null });
      return;
    }
    if (typing) return;
    if (event.key === '?') { event.preventDefault(); open(); }
    if (event.key === '/') {
      event.preventDefault();
      document.getElementById('op-search')?.focus();
    }
    if (event.key === 't') document.querySelector<HTMLElement>('.timeline-canvas')?.focus();
  });
}
