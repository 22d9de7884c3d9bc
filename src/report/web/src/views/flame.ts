// SPDX-License-Identifier: Apache-2.0
// Stacks that broke pages, Python and native mixed, by bytes copied or by breaks. Callers on top; inverted: the code that wrote on top.
import { hierarchy, partition, type HierarchyRectangularNode } from 'd3-hierarchy';
import type { App, View } from '../app';
import { button, choice, h, hideTip, showTip, sized } from '../dom';
import * as format from '../format';
import { color } from '../look';
import type { State } from '../state';

const ROW = 20;

interface Node {
  frame: number;
  value: number;
  self: number;
  children: Map<number, Node>;
}
type Box = HierarchyRectangularNode<Node>;

const UNKNOWN = -1;
const ROOT = -2;

class Flame implements View {
  readonly element = h('div', { class: 'flame' });
  private readonly tools = h('div', { class: 'tools' });
  private readonly search = h('input', {
    type: 'search',
    placeholder: 'Search functions and files',
    'aria-label': 'Search functions and files',
    oninput: () => this.app.store.change({ search: this.search.value }, false),
  });
  private readonly found = h('span', { class: 'muted', role: 'status' });
  private readonly canvas = h('canvas', {});
  private readonly scroller = h(
    'div',
    {
      class: 'flame-scroll panel',
      tabindex: 0,
      role: 'application',
      'aria-label': 'Flame graph: arrow keys move, Enter zooms in, Escape out',
    },
    this.canvas,
  );
  private readonly status = h('div', {
    class: 'flame-status',
    role: 'status',
    'aria-live': 'polite',
  });
  private root: Box | null = null;
  private boxes: Box[] = [];
  private builtFor = '';
  private zoomed: Box | null = null;
  private current: Box | null = null;
  private matches: Uint8Array = new Uint8Array();

  constructor(private readonly app: App) {
    this.scroller.addEventListener('pointermove', (event) => this.hover(event));
    this.scroller.addEventListener('pointerleave', hideTip);
    this.scroller.addEventListener('click', (event) => {
      const box = this.boxAt(event);
      if (box) this.zoom(box);
    });
    this.scroller.addEventListener('keydown', (event) => this.key(event));
    this.search.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') this.nextMatch();
    });
    this.element.append(this.tools, this.scroller, this.status);
  }

  update(state: State): void {
    const key = `${this.app.filterKey()} ${state.by} ${state.inverted}`;
    if (key !== this.builtFor) {
      this.builtFor = key;
      this.build(state);
      this.current = null;
    }
    this.zoomed = this.pathTo(state.zoom) ?? this.root;
    if (this.search.value !== state.search) this.search.value = state.search;
    this.tools.replaceChildren(
      choice(
        'Width',
        [
          ['bytes', 'Bytes copied'],
          ['breaks', 'Breaks'],
        ],
        state.by,
        (by) => this.app.store.change({ by }),
      ),
      choice(
        'Direction',
        [
          ['0', 'Callers on top'],
          ['1', 'Inverted: writers on top'],
        ],
        state.inverted ? '1' : '0',
        (value) => this.app.store.change({ inverted: value === '1', zoom: '' }),
      ),
      this.search,
      this.found,
      h(
        'span',
        { class: 'legend' },
        h('span', {}, h('i', { class: 'kind python' }), 'Python'),
        h('span', {}, h('i', { class: 'kind native' }), 'native'),
        h('span', {}, h('i', { class: 'kind inlined' }), 'inlined'),
      ),
      ...(this.zoomed && this.zoomed !== this.root
        ? [button('Zoom out', () => this.app.store.change({ zoom: '' }))]
        : []),
    );
    this.match(state.search);
    this.draw();
    this.tell(this.current ?? this.zoomed);
  }

  private build(state: State): void {
    const { app } = this;
    const { sites, frames } = app.report;
    const sum = state.by === 'bytes' ? app.selection.site.bytes : app.selection.site.breaks;
    const make = (frame: number): Node => ({ frame, value: 0, self: 0, children: new Map() });
    const top = make(ROOT);
    for (let site = 0; site < sum.length; ++site) {
      const value = sum[site];
      if (!value) continue;
      top.value += value;
      let node = top;
      const step = (frame: number) => {
        let next = node.children.get(frame);
        if (!next) node.children.set(frame, (next = make(frame)));
        next.value += value;
        node = next;
      };
      const first = site ? sites.first[site - 1] : 0;
      const end = site ? sites.first[site] : 0;
      if (first === end) step(UNKNOWN);
      else if (state.inverted) for (let i = first; i < end; ++i) step(sites.frames[i]);
      else for (let i = end; i-- > first; ) step(sites.frames[i]);
      node.self += value;
    }
    const name = (node: Node) => frames[node.frame]?.fn ?? '';
    const tree = hierarchy(top, (node) =>
      [...node.children.values()].sort((a, b) => b.value - a.value || (name(a) < name(b) ? -1 : 1)),
    );
    tree.each((one) => {
      (one as { value?: number }).value = one.data.value;
    });
    this.root = partition<Node>()(tree);
    this.boxes = this.root.descendants();
    this.boxes.forEach((box, i) => {
      (box as Box & { at: number }).at = i;
    });
    this.matches = new Uint8Array(this.boxes.length);
  }

  private nameOf(box: Box): string {
    const { frame } = box.data;
    if (frame === ROOT) return 'all breaks';
    return frame === UNKNOWN ? '(stack not known)' : this.app.frameText(frame);
  }

  private amount(value: number): string {
    return this.app.state.by === 'bytes'
      ? format.bytes(value)
      : format.counted(value, 'break', 'breaks');
  }

  // A path in the URL: frames from the root on.
  private pathTo(zoom: string): Box | null {
    if (!zoom || !this.root) return null;
    let box: Box | null = this.root;
    for (const frame of zoom.split('.').map(Number)) {
      box = box?.children?.find((child) => child.data.frame === frame) ?? null;
      if (!box) return null;
    }
    return box;
  }

  private zoom(box: Box): void {
    const target = box === this.zoomed && box.parent ? box.parent : box;
    this.current = null;
    this.app.store.change({
      zoom: target
        .ancestors()
        .reverse()
        .slice(1)
        .map((one) => one.data.frame)
        .join('.'),
    });
  }

  private match(search: string): void {
    const words = search.toLowerCase().split(/\s+/).filter(Boolean);
    this.matches.fill(0);
    if (!words.length) {
      this.found.textContent = '';
      return;
    }
    let sum = 0;
    let n = 0;
    const known = new Map<number, boolean>();
    const visit = (box: Box, inside: boolean) => {
      const { frame } = box.data;
      let is = known.get(frame);
      if (is === undefined) {
        const text =
          frame >= 0
            ? `${this.app.frameText(frame)} ${this.app.report.frames[frame].file} ${this.app.report.frames[frame].module}`.toLowerCase()
            : '';
        known.set(frame, (is = frame >= 0 && words.every((word) => text.includes(word))));
      }
      if (is) {
        ++n;
        this.matches[(box as Box & { at: number }).at] = 1;
        if (!inside) sum += box.data.value;
      }
      for (const child of box.children ?? []) visit(child, inside || is);
    };
    if (this.root) visit(this.root, false);
    this.found.textContent = n
      ? `${format.counted(n, 'frame', 'frames')}: ${this.amount(sum)}, ${format.percent(sum, this.root?.data.value ?? 0)}`
      : 'no match';
  }

  private nextMatch(): void {
    const from = this.current ? (this.current as Box & { at: number }).at : -1;
    const order = [...this.matches.keys()].filter((i) => this.matches[i]);
    if (!order.length) return;
    this.current = this.boxes[order.find((i) => i > from) ?? order[0]];
    this.scroller.focus();
    this.draw();
    this.tell(this.current);
  }

  private place(box: Box, width: number): [number, number] {
    const zoomed = this.zoomed as Box;
    const scale = width / (zoomed.x1 - zoomed.x0);
    return [
      Math.max(0, (box.x0 - zoomed.x0) * scale),
      Math.min(width, (box.x1 - zoomed.x0) * scale),
    ];
  }

  private draw(): void {
    const width = this.scroller.clientWidth - 20;
    const { root, zoomed } = this;
    if (!root || !zoomed || width < 50) return;
    const depth = Math.max(
      ...this.boxes
        .filter((box) => box.x1 > zoomed.x0 && box.x0 < zoomed.x1)
        .map((box) => box.depth),
      0,
    );
    const c = sized(this.canvas, width, (depth + 1) * ROW + 2);
    c.clearRect(0, 0, width, (depth + 1) * ROW + 2);
    if (!root.data.value) {
      c.fillStyle = color('muted');
      c.fillText('Nothing was broken, or no stacks were recorded.', 4, 14);
      return;
    }
    c.font = '12px system-ui, sans-serif';
    c.textBaseline = 'middle';
    const searching = this.app.state.search !== '';
    for (const box of this.boxes) {
      if (box.x1 <= zoomed.x0 || box.x0 >= zoomed.x1) continue;
      const [from, to] = this.place(box, width);
      if (to - from < 0.6) continue;
      this.drawBox(c, box, from, to - from, searching);
    }
  }

  private drawBox(
    c: CanvasRenderingContext2D,
    box: Box,
    x: number,
    width: number,
    searching: boolean,
  ): void {
    const y = box.depth * ROW;
    const frame = this.app.report.frames[box.data.frame];
    const kind = !frame ? 'root' : frame.python ? 'python' : frame.inlined ? 'inlined' : 'native';
    const inner = Math.max(0.5, width - 1);
    const matched = this.matches[(box as Box & { at: number }).at] === 1;
    c.globalAlpha = (searching && !matched) || box.depth < (this.zoomed as Box).depth ? 0.45 : 1;
    c.fillStyle = color(kind);
    c.fillRect(x, y, inner, ROW - 1);
    // Python is told by its edge as well as by its colour.
    if (kind === 'python' && inner > 6) {
      c.fillStyle = color('python-text');
      c.fillRect(x, y, 2, ROW - 1);
    }
    if (matched || box === this.current) {
      c.globalAlpha = 1;
      c.strokeStyle = color(box === this.current ? 'accent' : 'text');
      c.lineWidth = box === this.current ? 2.5 : 1.2;
      c.strokeRect(x + 1, y + 1, Math.max(0, inner - 2), ROW - 3);
    }
    if (inner > 26) {
      c.save();
      c.beginPath();
      c.rect(x + 6, y, inner - 9, ROW);
      c.clip();
      c.fillStyle = color(
        kind === 'python' ? 'python-text' : kind === 'root' ? 'text' : 'native-text',
      );
      const own = frame ? frame.fn : this.nameOf(box);
      c.fillText(own, x + 6, y + ROW / 2);
      if (frame) {
        const where = this.nameOf(box).slice(own.length);
        c.globalAlpha *= 0.7;
        c.fillText(where, x + 6 + c.measureText(own).width, y + ROW / 2);
      }
      c.restore();
    }
    c.globalAlpha = 1;
  }

  private boxAt(event: MouseEvent): Box | null {
    const bounds = this.canvas.getBoundingClientRect();
    const x = event.clientX - bounds.left;
    const depth = Math.floor((event.clientY - bounds.top) / ROW);
    const width = bounds.width;
    return (
      this.boxes.find((box) => {
        if (
          box.depth !== depth ||
          !this.zoomed ||
          box.x1 <= this.zoomed.x0 ||
          box.x0 >= this.zoomed.x1
        )
          return false;
        const [from, to] = this.place(box, width);
        return x >= from && x < to;
      }) ?? null
    );
  }

  private describe(box: Box): string[] {
    const total = this.root?.data.value ?? 0;
    const frame = this.app.report.frames[box.data.frame];
    return [
      this.nameOf(box),
      `${this.amount(box.data.value)}, ${format.percent(box.data.value, total)} of what is selected`,
      ...(box.data.self && box.children
        ? [`${this.amount(box.data.self)} of it written here itself`]
        : []),
      ...(frame
        ? [
            `${frame.python ? 'Python' : frame.inlined ? 'native, inlined' : 'native'}  ${frame.file || frame.module || frame.unnamed}`,
          ]
        : []),
    ];
  }

  private hover(event: PointerEvent): void {
    const box = this.boxAt(event);
    if (box) showTip(event, this.describe(box));
    else hideTip();
    this.canvas.style.cursor = box ? 'pointer' : 'default';
  }

  private tell(box: Box | null): void {
    if (!box) {
      this.status.replaceChildren();
      return;
    }
    const { frame } = box.data;
    this.status.replaceChildren(
      h('span', { class: 'untrusted' }, this.describe(box).join('  ·  ')),
      ...(frame >= 0
        ? [
            button('Filter by this function', () =>
              this.app.store.change({ frame: [frame], zoom: '' }),
            ),
          ]
        : []),
    );
  }

  private key(event: KeyboardEvent): void {
    const box = this.current ?? this.zoomed;
    if (!box) return;
    const siblings = box.parent?.children ?? [box];
    const at = siblings.indexOf(box);
    const next: Record<string, Box | null | undefined> = {
      ArrowDown: box.children?.[0],
      ArrowUp: box.parent,
      ArrowRight: siblings[at + 1],
      ArrowLeft: siblings[at - 1],
    };
    if (event.key in next) {
      this.current = next[event.key] ?? box;
      this.draw();
      this.tell(this.current);
    } else if (event.key === 'Enter') this.zoom(box);
    else if (event.key === 'Escape') {
      if (this.app.state.search) this.app.store.change({ search: '' });
      else this.app.store.change({ zoom: '' });
    } else if (event.key === 'n') this.nextMatch();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

export const makeFlame = (app: App): View => new Flame(app);
