// SPDX-License-Identifier: Apache-2.0
// The address space as a map of pages: one block a mapping, one cell a page, or many pages as long as it is seen from far away.
import type { App, View } from '../app';
import { button, choice, h, hideTip, showTip, sized } from '../dom';
import * as format from '../format';
import { color, fill, swatch } from '../look';
import { type Space, type Block, type Run, type States } from '../space';
import type { State } from '../state';
import { PageView } from './page';

const LABEL = 20;
const SPACE = 8; // between blocks
const BREAK = 10; // between runs of a block: something is left out
const PAD = 10;
const COLUMN = 300; // at least; small blocks stand side by side

interface Level {
  per: number;
  cell: number;
}
// From one page in large cells to thousands in a small one.
const LEVELS: Level[] = [32, 24, 16, 11, 8]
  .map((cell): Level => ({ per: 1, cell }))
  .concat(Array.from({ length: 20 }, (_, i) => ({ per: 2 ** (i + 1), cell: 7 })));

// One line of cells: of one run, on one y.
interface Line {
  y: number;
  x: number;
  run: Run;
  first: number;
  cells: number;
}
interface Header {
  x: number;
  y: number;
  width: number;
  block: Block;
}

class Memory implements View {
  readonly element = h('div', { class: 'memory' });
  private readonly tools = h('div', { class: 'tools' });
  private readonly canvas = h('canvas', {});
  private readonly space = h('div', { class: 'map-space' });
  private readonly scroller = h(
    'div',
    {
      class: 'map-scroll panel',
      tabindex: 0,
      role: 'application',
      'aria-label':
        'Memory map: arrow keys move, Enter opens, plus and minus zoom, Escape zooms out',
    },
    this.canvas,
    this.space,
  );
  private readonly pageView: PageView;
  private readonly split = h('div', { class: 'split' });
  private model: Space | null = null;
  private states: States | null = null;
  private statesFor = '';
  private level = 0;
  private lines: Line[] = [];
  private headers: Header[] = [];
  private height = 0;
  private laidFor = '';
  private cursor: number | null = null; // a page

  constructor(private readonly app: App) {
    this.pageView = new PageView(app);
    this.scroller.addEventListener('scroll', () => this.draw());
    this.scroller.addEventListener('pointermove', (event) => this.hover(event));
    this.scroller.addEventListener('pointerleave', hideTip);
    this.scroller.addEventListener('click', (event) => {
      const page = this.pageAt(event);
      if (page !== null) this.open(page);
    });
    this.scroller.addEventListener(
      'wheel',
      (event) => {
        if (event.ctrlKey || event.metaKey) {
          event.preventDefault();
          this.zoomBy(event.deltaY > 0 ? 1 : -1, this.pageAt(event));
        }
      },
      { passive: false },
    );
    this.scroller.addEventListener('keydown', (event) => this.key(event));
    new ResizeObserver(() => {
      if (this.model && this.element.isConnected) {
        this.lay();
        this.drawTools(this.app.state);
        this.draw();
      }
    }).observe(this.scroller);
    this.split.append(this.scroller, this.pageView.element);
    this.element.append(this.tools, this.split);
  }

  private get scope(): number | null {
    const { scope } = this.app.state;
    return scope !== null && scope < this.app.report.meta.processes.length ? scope : null;
  }

  private get comparing(): boolean {
    return (
      this.app.state.map === 'parent' &&
      this.scope !== null &&
      this.app.process(this.scope).forked_from !== null
    );
  }

  update(state: State): void {
    this.model ??= this.app.space;
    const wanted = `${this.app.filterKey()} ${this.scope} ${this.comparing}`;
    if (wanted !== this.statesFor) {
      this.statesFor = wanted;
      this.states = this.comparing
        ? this.model.againstParent(this.scope as number)
        : this.model.byCause(this.scope);
    }
    const page = /^0x[0-9a-f]+$/.test(state.page) ? Math.floor(Number(state.page) / 4096) : null;
    this.split.classList.toggle('with-page', page !== null);
    this.pageView.show(page === null ? null : this.model.rowsOf(page), page, this.scope);
    if (page !== null) this.cursor = page;
    this.lay();
    this.drawTools(state);
    if (page !== null) this.reveal(page);
    this.draw();
  }

  private drawTools(state: State): void {
    const { processes } = this.app.report.meta;
    const select = h(
      'select',
      {
        'aria-label': 'Whose memory',
        onchange: () =>
          this.app.store.change({
            scope: select.value === '' ? null : Number(select.value),
            map: select.value === '' ? 'cause' : state.map,
          }),
      },
      h('option', { value: '', selected: this.scope === null }, 'All processes'),
      processes.map((process) =>
        h(
          'option',
          { value: process.process, selected: this.scope === process.process },
          `${this.app.processName(process.process)}${process.forked_from === null ? '' : ', forked'}`,
        ),
      ),
    );
    const forked = this.scope !== null && this.app.process(this.scope).forked_from !== null;
    const { per } = LEVELS[this.level];
    const names = this.comparing
      ? [
          ['child', 'broken by it'],
          ['parent', 'by its parent'],
          ['both', 'by both'],
        ]
      : (this.states?.names ?? [])
          .slice(1, -1)
          .filter((_, i) => this.app.selection.cause.breaks[i])
          .map((name) => [name, name])
          .concat([['quiet', 'written, nothing copied']]);
    this.tools.replaceChildren(
      select,
      ...(forked
        ? [
            choice(
              'Colour',
              [
                ['cause', 'By cause'],
                ['parent', 'Against the parent'],
              ],
              this.comparing ? 'parent' : 'cause',
              (map) => this.app.store.change({ map }),
            ),
          ]
        : []),
      h(
        'span',
        { class: 'choice' },
        button('−', () => this.zoomBy(1, null), { 'aria-label': 'Zoom out' }),
        button('+', () => this.zoomBy(-1, null), { 'aria-label': 'Zoom in' }),
        button('Whole space', () => this.app.store.change({ level: null })),
      ),
      h(
        'span',
        { class: 'muted' },
        per === 1 ? 'a cell is a page' : `a cell is ${format.count(per)} pages`,
      ),
      h(
        'span',
        { class: 'legend' },
        names.map(([name, label]) => h('span', {}, swatch(name), ` ${label}`)),
        h('span', {}, swatch('none'), ' no event'),
      ),
    );
  }

  private lay(): void {
    if (!this.model) return;
    const width = this.scroller.clientWidth;
    const height = this.scroller.clientHeight;
    const key = `${width} ${height} ${this.app.state.level}`;
    if (key === this.laidFor || width < 50) return;
    this.laidFor = key;
    const { level } = this.app.state;
    if (level !== null && level < LEVELS.length) this.layAt((this.level = level), width);
    else
      for (this.level = 2; this.level < LEVELS.length; ++this.level) {
        this.layAt(this.level, width);
        if (this.height <= this.target(height)) break;
      }
    this.level = Math.min(this.level, LEVELS.length - 1);
    this.space.style.height = `${this.height}px`;
  }

  // Where the blocks' labels alone fill the height, no zoom makes it fit: then cells may take two thirds of it once more.
  private target(height: number): number {
    const labels =
      PAD * 2 +
      new Set(this.headers.map((header) => header.y)).size *
        (LABEL + SPACE + LEVELS[this.level].cell);
    return Math.max(height, labels + height * 0.66);
  }

  private layAt(level: number, width: number): void {
    const { per, cell } = LEVELS[level];
    const room = width - PAD * 2;
    this.lines = [];
    this.headers = [];
    const columns = Math.max(1, Math.floor(room / COLUMN));
    const wide = Math.floor(room / columns);
    let y = PAD;
    let column = 0;
    const next = () => {
      column = 0;
      y += LABEL + cell + SPACE;
    };
    for (const block of this.model?.blocks ?? []) {
      const needed = block.runs.reduce(
        (sum, run) => sum + Math.ceil(run.pages / per) * cell + BREAK,
        0,
      );
      if (needed <= wide - 12) {
        this.headers.push({ x: PAD + column * wide, y, width: wide - 12, block });
        this.layRuns(block, PAD + column * wide, y + LABEL, room, per, cell);
        if (++column === columns) next();
        continue;
      }
      if (column) next();
      this.headers.push({ x: PAD, y, width: room, block });
      y = this.layRuns(block, PAD, y + LABEL, room, per, cell) + cell + SPACE;
    }
    if (column) next();
    this.height = y + PAD;
  }

  // Returns the y of the last line.
  private layRuns(
    block: Block,
    left: number,
    top: number,
    room: number,
    per: number,
    cell: number,
  ): number {
    let x = left;
    let y = top;
    for (const run of block.runs) {
      if (x > left) x += BREAK;
      for (let first = 0; first < run.pages; ) {
        let fits = Math.floor((PAD + room - x) / cell);
        if (fits < 1) {
          x = left;
          y += cell;
          fits = Math.floor(room / cell);
        }
        const cells = Math.min(fits, Math.ceil((run.pages - first) / per));
        this.lines.push({ y, x, run, first, cells });
        first += cells * per;
        x += cells * cell;
      }
    }
    return y;
  }

  private draw(): void {
    if (!this.model || !this.states) return;
    const width = this.scroller.clientWidth;
    const height = this.scroller.clientHeight;
    if (width < 50 || height < 20) return;
    const top = this.scroller.scrollTop;
    const c = sized(this.canvas, width, height);
    c.clearRect(0, 0, width, height);
    c.textBaseline = 'middle';
    const { cell } = LEVELS[this.level];
    for (const header of this.headers)
      if (header.y + LABEL >= top && header.y <= top + height)
        this.drawHeader(c, header, header.y - top);
    for (const line of this.lines)
      if (line.y + cell >= top && line.y <= top + height) this.drawLine(c, line, line.y - top);
    this.drawCursor(c, top);
  }

  private drawHeader(c: CanvasRenderingContext2D, { x, width, block }: Header, y: number): void {
    const first = block.runs[0];
    const last = block.runs[block.runs.length - 1];
    c.save();
    c.beginPath();
    c.rect(x, y, width, LABEL);
    c.clip();
    c.font = '600 12px system-ui, sans-serif';
    c.fillStyle = color('text');
    // The end of a path says most.
    let name = block.name;
    if (width < 600 && name.startsWith('/')) name = format.fileName(name);
    c.fillText(name, x, y + LABEL / 2);
    const at = x + c.measureText(name).width + 10;
    c.font = '12px system-ui, sans-serif';
    c.fillStyle = color('muted');
    const pages = format.counted(block.touched, 'page', 'pages');
    c.fillText(
      width < 600
        ? `${format.hex(first.page * 4096)}  ${pages}`
        : `${format.hex(first.page * 4096)} – ${format.hex((last.page + last.pages) * 4096)}   ${pages} with events`,
      at,
      y + LABEL / 2,
    );
    c.restore();
  }

  // Neighbouring cells of one state are one rectangle.
  private drawLine(c: CanvasRenderingContext2D, line: Line, y: number): void {
    const { per, cell } = LEVELS[this.level];
    const states = this.states as States;
    const gap = cell >= 8 ? 1 : 0;
    let from = 0;
    let before = this.cellState(line, 0);
    for (let i = 1; i <= line.cells; ++i) {
      const state = i < line.cells ? this.cellState(line, i) : -1;
      if (state === before) continue;
      c.globalAlpha = per > 1 ? 0.4 + (0.6 * (before >> 8)) / 8 : 1;
      c.fillStyle = fill(c, states.names[before & 255]);
      c.fillRect(line.x + from * cell, y, (i - from) * cell - gap, cell - 1);
      from = i;
      before = state;
    }
    c.globalAlpha = 1;
    if (!gap) return;
    c.fillStyle = color('panel');
    for (let i = 1; i < line.cells; ++i) c.fillRect(line.x + i * cell - 1, y, 1, cell - 1);
  }

  // Of the most frequent state in the cell's pages; above it, in eighths, how many have it.
  private cellState(line: Line, at: number): number {
    const { per } = LEVELS[this.level];
    const { of } = this.states as States;
    const from = line.run.slot + line.first + at * per;
    if (per === 1) return of[from];
    const to = Math.min(from + per, line.run.slot + line.run.pages);
    COUNTS.fill(0);
    for (let slot = from; slot < to; ++slot) ++COUNTS[of[slot]];
    const quiet = this.comparing ? -1 : (this.states as States).names.length - 1;
    let best = 0;
    for (let state = 1; state < COUNTS.length; ++state)
      if (
        COUNTS[state] &&
        (best === 0 || best === quiet || (state !== quiet && COUNTS[state] > COUNTS[best]))
      )
        best = state;
    return best === 0 ? 0x800 : best | (Math.ceil((8 * COUNTS[best]) / (to - from)) << 8);
  }

  private lineOf(page: number): Line | undefined {
    const { per } = LEVELS[this.level];
    return this.lines.find(
      (line) =>
        page >= line.run.page + line.first &&
        page < line.run.page + Math.min(line.run.pages, line.first + line.cells * per),
    );
  }

  private drawCursor(c: CanvasRenderingContext2D, top: number): void {
    if (this.cursor === null) return;
    const line = this.lineOf(this.cursor);
    if (!line) return;
    const { per, cell } = LEVELS[this.level];
    const at = Math.floor((this.cursor - line.run.page - line.first) / per);
    c.strokeStyle = color('text');
    c.lineWidth = 2;
    c.strokeRect(line.x + at * cell - 1.5, line.y - top - 1.5, cell + 2, cell + 2);
  }

  private pageAt(event: MouseEvent): number | null {
    const bounds = this.scroller.getBoundingClientRect();
    const x = event.clientX - bounds.left;
    const y = event.clientY - bounds.top + this.scroller.scrollTop;
    const { per, cell } = LEVELS[this.level];
    const line = this.lines.find(
      (one) => y >= one.y && y < one.y + cell && x >= one.x && x < one.x + one.cells * cell,
    );
    return line ? line.run.page + line.first + Math.floor((x - line.x) / cell) * per : null;
  }

  private slotOf(page: number): number | null {
    const line = this.lineOf(page);
    return line ? line.run.slot + page - line.run.page : null;
  }

  private hover(event: PointerEvent): void {
    const page = this.pageAt(event);
    const slot = page === null ? null : this.slotOf(page);
    if (page === null || slot === null || !this.states) {
      hideTip();
      return;
    }
    const { per } = LEVELS[this.level];
    const counts = new Map<string, number>();
    let breaks = 0;
    const run = (this.lineOf(page) as Line).run;
    const end = Math.min(slot + per, run.slot + run.pages);
    for (let i = slot; i < end; ++i) {
      const name = this.states.names[this.states.of[i]];
      counts.set(name, (counts.get(name) ?? 0) + 1);
      breaks += this.states.breaks[i];
    }
    const words: Record<string, string> = {
      none: 'no event',
      quiet: 'written, nothing copied',
      child: 'broken by it',
      parent: 'broken by its parent',
      both: 'broken by both',
    };
    showTip(event, [
      per === 1
        ? `page ${format.hex(page * 4096)}`
        : `${format.hex(page * 4096)} and ${format.count(end - slot - 1)} more`,
      ...[...counts]
        .sort((a, b) => b[1] - a[1])
        .map(
          ([name, n]) =>
            `${words[name] ?? name}${per === 1 ? '' : `: ${format.counted(n, 'page', 'pages')}`}`,
        ),
      ...(breaks ? [format.counted(breaks, 'break', 'breaks')] : []),
      per === 1 ? 'Click: what is on this page' : 'Click to zoom in',
    ]);
  }

  private open(page: number): void {
    if (LEVELS[this.level].per === 1)
      this.app.store.change({ page: format.hex(page * 4096), level: this.level });
    else this.zoomBy(-3, page);
  }

  // Negative: closer. What is at `anchor` stays in sight.
  private zoomBy(steps: number, anchor: number | null): void {
    hideTip();
    const { cell } = LEVELS[this.level];
    const middle = this.scroller.scrollTop + this.scroller.clientHeight / 2;
    const page =
      anchor ?? this.cursor ?? this.lines.find((line) => line.y + cell > middle)?.run.page ?? null;
    let level = Math.max(0, Math.min(LEVELS.length - 1, this.level + steps));
    if (LEVELS[this.level].per > 1 && LEVELS[level].per === 1 && steps === -3)
      level = Math.max(level, 2);
    if (page !== null && anchor !== null) this.cursor = page;
    this.app.store.change({ level }, false);
    if (page !== null) this.reveal(page, true);
  }

  private reveal(page: number, center = false): void {
    const line = this.lineOf(page);
    if (!line) return;
    const height = this.scroller.clientHeight;
    if (
      center ||
      line.y < this.scroller.scrollTop ||
      line.y + LEVELS[this.level].cell > this.scroller.scrollTop + height
    )
      this.scroller.scrollTop = line.y - height / 2;
  }

  private move(dx: number, dy: number): void {
    const { per, cell } = LEVELS[this.level];
    if (this.cursor === null || !this.lineOf(this.cursor)) {
      this.cursor = this.lines[0]?.run.page ?? null;
      return;
    }
    const line = this.lineOf(this.cursor) as Line;
    const at = Math.floor((this.cursor - line.run.page - line.first) / per) + dx;
    const index = this.lines.indexOf(line);
    const pageOf = (one: Line, i: number) =>
      one.run.page + one.first + Math.max(0, Math.min(one.cells - 1, i)) * per;
    if (dy) {
      const x = line.x + at * cell;
      const onto = this.lines.filter((one) => (dy > 0 ? one.y > line.y : one.y < line.y));
      const y =
        dy > 0 ? Math.min(...onto.map((one) => one.y)) : Math.max(...onto.map((one) => one.y));
      const next = onto
        .filter((one) => one.y === y)
        .sort(
          (a, b) =>
            Math.abs(a.x + (a.cells * cell) / 2 - x) - Math.abs(b.x + (b.cells * cell) / 2 - x),
        )[0];
      if (next) this.cursor = pageOf(next, Math.floor((x - next.x) / cell));
    } else if (at < 0) {
      if (this.lines[index - 1]) this.cursor = pageOf(this.lines[index - 1], Infinity);
    } else if (at >= line.cells) {
      if (this.lines[index + 1]) this.cursor = pageOf(this.lines[index + 1], 0);
    } else this.cursor = pageOf(line, at);
  }

  private key(event: KeyboardEvent): void {
    const arrows: Record<string, [number, number]> = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    };
    if (event.key in arrows) {
      this.move(...arrows[event.key]);
      if (this.cursor !== null) this.reveal(this.cursor);
      this.draw();
    } else if (event.key === 'Enter' && this.cursor !== null) this.open(this.cursor);
    else if (event.key === '+' || event.key === '=') this.zoomBy(-1, this.cursor);
    else if (event.key === '-') this.zoomBy(1, this.cursor);
    else if (event.key === 'Escape')
      this.app.store.change(this.app.state.page ? { page: '' } : { level: null });
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

const COUNTS = new Uint32Array(16);

export const makeMemory = (app: App): View => new Memory(app);
