/** The longest chain of ops that wait for each other. */
import { elide, h, nameOf, s, visible } from '../dom';
import { count, share, time } from '../format';
import { absent, section, type Page } from '../page';
import { plot } from '../plot';
import { follow, current, update } from '../state';

const kNarrow = 1;  // px: narrower ops are drawn together

export function criticalPath(page: Page): HTMLElement {
  const { critical_path: path } = page.doc;
  const title = 'Critical path';
  if (!path) return section('critical-path', title, absent('The ops\' dataflow is not known, hence no critical path.'));
  const ops = path.ops.flatMap((index) => page.ops[index] ?? []);
  const drawn = plot({
    id: 'path-plot', title: 'The chain', describe: 'from first to last; the width of a piece is its time.', height: () => 60,
    draw: (svg, width) => {
      const total = ops.reduce((sum, op) => sum + (op.time ?? 0), 0) || 1;
      let x = 0;
      let held = 0;
      for (const [i, op] of ops.entries()) {
        held += ((op.time ?? 0) / total) * width;
        if (held < kNarrow && i + 1 < ops.length && op.index !== current().op) continue;
        const w = held;
        held = 0;
        const piece = s('rect', { x, y: 6, width: Math.max(0.3, w - (w > 3 ? 1 : 0)), height: 34, class: op.index === current().op ? 'piece chosen-piece' : 'piece' },
          s('title', {}, `${visible(op.name).slice(0, 200)}: ${time(op.time)}`));
        piece.addEventListener('click', () => update({ op: op.index }));
        svg.appendChild(piece);
        const letters = Math.floor((w - 8) / 7);
        if (letters > 7) svg.appendChild(s('text', { x: x + 4, y: 27, class: 'piece-label' }, elide(visible(op.name), letters)));
        x += w;
      }
    },
    head: ['op', 'type', 'time', 'share of the path'],
    rows: () => ops.map((op) => [nameOf(op.name, 80), nameOf(op.type, 40), time(op.time), share((op.time ?? 0) / (path.time_ns || 1))]),
  });
  follow((_, changed) => { if (changed.has('op')) drawn.redraw(); });
  return section('critical-path', title,
    h('p', {}, `${count(ops.length)} of ${count(page.ops.length)} ops wait for each other: ${time(path.time_ns)} of ${time(path.total_ns)}. `,
      `Running independent ops side by side could win at most a factor of ${path.parallelism_ratio.toFixed(2)}. `, page.why('critical_path.time_ns')),
    drawn.element);
}
