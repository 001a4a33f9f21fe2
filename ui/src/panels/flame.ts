/** Stacks of a sampling profiler, callers above what they call. */
import { h, nameOf, s, visible, elide, replace } from '../dom';
import { count, share, withUnit } from '../format';
import { values } from '../load';
import type { Profile } from '../model';
import { section, type Page } from '../page';
import { plot } from '../plot';

interface Tree { parent: Int32Array; frame: Int32Array; self: Float64Array; total: Float64Array; children: number[][]; roots: number[] }

const kRow = 20;
const kLeastWidth = 2;  // px
const kMostDepth = 64;

async function treeOf(profile: Profile): Promise<Tree> {
  const [parent, frame, self] = await Promise.all([profile.parent, profile.frame, profile.self].map(values));
  const n = self?.length ?? 0;
  const tree: Tree = {
    parent: Int32Array.from(parent ?? [], (v) => (Number.isNaN(v) ? -1 : v)), frame: Int32Array.from(frame ?? []), self: self ?? new Float64Array(),
    total: Float64Array.from(self ?? []), children: Array.from({ length: n }, () => []), roots: [],
  };
  for (let i = n - 1; i >= 0; --i) {
    const above = tree.parent[i] as number;
    if (above >= 0) tree.total[above] = (tree.total[above] as number) + (tree.total[i] as number);
  }
  for (let i = 0; i < n; ++i) {
    const above = tree.parent[i] as number;
    if (above >= 0) tree.children[above]?.push(i);
    else tree.roots.push(i);
  }
  const heavier = (a: number, b: number): number => (tree.total[b] as number) - (tree.total[a] as number);
  tree.roots.sort(heavier);
  for (const list of tree.children) list.sort(heavier);
  return tree;
}

function build(profile: Profile, tree: Tree): HTMLElement {
  const whole = tree.roots.reduce((sum, root) => sum + (tree.total[root] as number), 0) || 1;
  let top: number | null = null;
  const name = (stack: number): string => profile.frames[tree.frame[stack] as number]?.function ?? '?';
  const boxes = (width: number): { stack: number; depth: number; x: number; w: number }[] => {
    const out: { stack: number; depth: number; x: number; w: number }[] = [];
    const scale = width / (top === null ? whole : (tree.total[top] as number) || 1);
    const todo: { list: number[]; depth: number; x: number }[] = [{ list: top === null ? tree.roots : [top], depth: 0, x: 0 }];
    for (let task = todo.pop(); task; task = todo.pop()) {
      let { x } = task;
      for (const stack of task.list) {
        const w = (tree.total[stack] as number) * scale;
        if (w < kLeastWidth) break;
        out.push({ stack, depth: task.depth, x, w });
        if (task.depth + 1 < kMostDepth) todo.push({ list: tree.children[stack] ?? [], depth: task.depth + 1, x });
        x += w;
      }
    }
    return out;
  };
  const bySelf = new Map<number, { self: number; total: number }>();
  tree.self.forEach((weight, stack) => {
    const frame = tree.frame[stack] as number;
    const entry = bySelf.get(frame) ?? { self: 0, total: 0 };
    entry.self += weight;
    bySelf.set(frame, entry);
  });
  const drawn = plot({
    id: 'flame-plot', title: 'Flame graph.', describe: 'Callers above what they call; the width is the share of the samples.',
    height: (width) => (1 + boxes(width).reduce((deep, box) => Math.max(deep, box.depth), 0)) * kRow + 4,
    draw: (svg, width) => {
      for (const box of boxes(width)) {
        const piece = s('rect', { x: box.x, y: box.depth * kRow, width: Math.max(1, box.w - 1), height: kRow - 1, class: `flame f${(tree.frame[box.stack] as number) % 5}` },
          s('title', {}, `${visible(name(box.stack)).slice(0, 300)}: ${withUnit(tree.total[box.stack], profile.unit)}, ${share((tree.total[box.stack] as number) / whole)}`));
        piece.addEventListener('click', () => { top = top === box.stack ? null : box.stack; drawn.redraw(); });
        svg.appendChild(piece);
        const letters = Math.floor((box.w - 8) / 7);
        if (letters > 2) svg.appendChild(s('text', { x: box.x + 4, y: box.depth * kRow + 14, class: 'piece-label' }, elide(visible(name(box.stack).slice(0, 300)), letters)));
      }
    },
    head: ['function', 'module', 'self', 'share'],
    rows: () => [...bySelf].sort((a, b) => b[1].self - a[1].self).map(([frame, weight]) => [nameOf(profile.frames[frame]?.function ?? '?', 120),
      nameOf(profile.frames[frame]?.module ?? '', 80), withUnit(weight.self, profile.unit), share(weight.self / whole)]),
  });
  return h('div', {}, h('p', { class: 'soft' }, `${count(tree.self.length)} stacks, ${withUnit(whole, profile.unit)}. A click zooms to a function, a second one back. `,
    h('button', { type: 'button', click: () => { top = null; drawn.redraw(); } }, 'All')), drawn.element);
}

export function flame(page: Page): HTMLElement | null {
  const { profile } = page.doc;
  if (!profile) return null;
  const holder = h('div', {});
  void treeOf(profile).then((tree) => replace(holder, build(profile, tree)));
  return section('flame', 'Which code', page.why('profile'), holder);
}
