// SPDX-License-Identifier: Apache-2.0
// What was copied and what was left to share, over time; and a lane a process with its life, its breaks and what happened to it.
import uPlot from 'uplot';
import type { App, View } from '../app';
import { choice, h, hideTip, showTip, sized } from '../dom';
import * as format from '../format';
import { causeColor, color, DASHES, fill, SERIES, swatch } from '../look';
import type { State } from '../state';

const BINS = 800;
const LANE = 26;
const NAME = 190;
const EDGE = 18; // for a mark at the very end
const MOST_SERIES = 7;
const COLLECTING = 1;

interface Curve {
  name: string;
  process: number | null;
  copied: Float64Array;
}

interface Lane {
  process: number;
  depth: number;
  bins: Float64Array[];
  collecting: Uint8Array;
}

class Time implements View {
  readonly element = h('div', { class: 'time' });
  private readonly tools = h('div', { class: 'tools' });
  private readonly chart = h('div', { class: 'chart panel' });
  private readonly canvas = h('canvas', {});
  private readonly lanes = h('div', {
    class: 'lanes panel',
    tabindex: 0,
    'aria-label': 'Processes over time',
    role: 'img',
  });
  private readonly span = h('div', { class: 'brush', hidden: true });
  private plot: uPlot | null = null;
  private drawnFor = '';
  private rows: Lane[] = [];

  constructor(private readonly app: App) {
    this.lanes.append(this.canvas, this.span);
    this.lanes.addEventListener('pointermove', (event) => this.hover(event));
    this.lanes.addEventListener('pointerleave', hideTip);
    this.lanes.addEventListener('click', (event) => {
      const at = this.place(event);
      if (at.lane && at.x < NAME) this.app.store.toggle('process', at.lane.process);
    });
    this.element.append(this.tools, this.chart, this.lanes);
  }

  update(state: State, before: State | null): void {
    const key = `${this.app.filterKey({ ...state, time: null })} ${state.curve} ${this.element.clientWidth}x${this.element.clientHeight} ${document.documentElement.dataset.theme}`;
    if (key !== this.drawnFor || !before) {
      this.drawnFor = key;
      this.tools.replaceChildren(
        choice(
          'Curve',
          [
            ['copied', 'Copied so far'],
            ['shared', 'Still shared, at most'],
            ['rate', 'Copied per second'],
          ],
          state.curve,
          (curve) => this.app.store.change({ curve }),
        ),
        h('span', { class: 'muted' }, this.about(state.curve)),
        ...this.legend(),
      );
      this.countOnce();
      this.drawChart(state.curve);
      this.drawLanes();
    }
    this.showBrush(state.time);
  }

  private about(curve: string): string {
    if (this.app.report.meta.capture.detail === 'counts')
      return 'Detail counts: only the last time of each page is known.';
    if (curve === 'shared')
      return 'Inherited, less what was copied since; at the exit, what the page tables say.';
    return 'Drag to select a span: everything else follows it.';
  }

  private legend(): HTMLElement[] {
    const { report, selectionWithoutTime } = this.app;
    return [
      h(
        'span',
        { class: 'legend' },
        ...report.meta.causes.flatMap((cause, i) =>
          selectionWithoutTime.cause.breaks[i] ? [h('span', {}, swatch(cause), ` ${cause}`)] : [],
        ),
        h('span', {}, '▽ fork'),
        h('span', {}, '◇ exec'),
        h('span', {}, '▢ exit'),
        h('span', {}, '▬ collector at work'),
      ),
    ];
  }

  private countedFor = '';

  private countOnce(): void {
    const key = `${this.app.filterKey({ ...this.app.state, time: null })} ${this.width()}`;
    if (key !== this.countedFor) this.count();
    this.countedFor = key;
  }

  // Copies by process and moment, and what the lanes show; one pass.
  private count(): void {
    const { app } = this;
    const { report, duration } = app;
    const { events, pages, meta } = report;
    const { chosen } = app.selectionWithoutTime;
    const order = this.tree();
    const laneOf = new Int32Array(meta.processes.length).fill(-1);
    const columns = Math.max(50, Math.floor((this.width() - NAME - 24 - EDGE) / 2));
    this.rows = order.map(({ process, depth }, i) => {
      laneOf[process] = i;
      return {
        process,
        depth,
        bins: meta.causes.map(() => new Float64Array(columns)),
        collecting: new Uint8Array(columns),
      };
    });
    this.perBin = meta.processes.map(() => new Float64Array(BINS));
    for (let page = 0; page < pages.n; ++page) {
      const process = pages.process[page];
      const lane = this.rows[laneOf[process]];
      const sums = this.perBin[process];
      for (let i = pages.firstEvent[page]; i < pages.firstEvent[page + 1]; ++i) {
        if (chosen[i] !== 1) continue;
        const part = events.time[i] / duration;
        const column = Math.min(columns - 1, Math.floor(part * columns));
        sums[Math.min(BINS - 1, Math.floor(part * BINS))] += events.bytes[i];
        lane.bins[events.cause[i]][column] += events.bytes[i];
        if (events.flags[i] & COLLECTING) lane.collecting[column] = 1;
      }
    }
  }

  private perBin: Float64Array[] = [];

  private width(): number {
    return Math.max(300, this.element.clientWidth - 28);
  }

  // Parents before their children.
  private tree(): { process: number; depth: number }[] {
    const { processes } = this.app.report.meta;
    const children = new Map<number | null, number[]>();
    for (const one of processes) {
      const parent = one.parent ?? one.forked_from;
      children.set(parent, [...(children.get(parent) ?? []), one.process]);
    }
    const order: { process: number; depth: number }[] = [];
    const seen = new Set<number>();
    const visit = (key: number, depth: number) => {
      if (seen.has(key)) return;
      seen.add(key);
      order.push({ process: key, depth });
      for (const child of children.get(key) ?? []) visit(child, depth + 1);
    };
    for (const root of children.get(null) ?? []) visit(root, 0);
    for (const one of processes) visit(one.process, 0);
    return order;
  }

  private curves(): Curve[] {
    const { processes } = this.app.report.meta;
    const sums = this.perBin.map((bins) => bins.reduce((all, one) => all + one, 0));
    const order = processes
      .map((one) => one.process)
      .filter((key) => sums[key] > 0 || processes[key].inherited_bytes)
      .sort((a, b) => sums[b] - sums[a]);
    const own = order.slice(0, order.length > MOST_SERIES + 1 ? MOST_SERIES : MOST_SERIES + 1);
    const list: Curve[] = own.map((process) => ({
      name: this.app.processName(process),
      process,
      copied: this.perBin[process],
    }));
    const rest = order.slice(own.length);
    if (rest.length) {
      const copied = new Float64Array(BINS);
      for (const key of rest) for (let i = 0; i < BINS; ++i) copied[i] += this.perBin[key][i];
      list.push({ name: `${rest.length} others`, process: null, copied });
    }
    return list;
  }

  private values(curve: Curve, kind: string): (number | null)[] {
    const step = this.app.duration / BINS;
    const process = curve.process === null ? null : this.app.process(curve.process);
    const from = process ? (process.fork_ns ?? process.start_ns) : 0;
    const to = process?.exit_ns ?? this.app.duration;
    let sum = 0;
    return Array.from(curve.copied, (one, i) => {
      sum += one;
      const at = (i + 1) * step;
      if (at < from || at - step > to) return kind === 'copied' && at > to ? sum : null;
      if (kind === 'rate') return one / (step / 1e9);
      if (kind === 'copied') return sum;
      if (!process || process.inherited_bytes === null) return null;
      const last = at >= to && process.still_shared_bytes !== null;
      return last ? process.still_shared_bytes : Math.max(0, process.inherited_bytes - sum);
    });
  }

  private drawChart(kind: string): void {
    this.plot?.destroy();
    const { duration } = this.app;
    const curves = this.curves();
    const shown =
      kind === 'shared'
        ? curves.filter(
            (curve) =>
              curve.process !== null && this.app.process(curve.process).inherited_bytes !== null,
          )
        : curves;
    const xs = Array.from({ length: BINS }, (_, i) => ((i + 1) * duration) / BINS / 1e9);
    const height = Math.max(
      170,
      Math.min(360, Math.floor((this.element.clientHeight || 600) * 0.4)),
    );
    const axis = {
      stroke: color('muted'),
      grid: { stroke: color('line'), width: 1 },
      ticks: { stroke: color('line'), width: 1 },
      font: '12px system-ui, sans-serif',
    };
    this.chart.replaceChildren();
    if (!shown.length) {
      this.plot = null;
      this.chart.append(
        h(
          'p',
          { class: 'muted' },
          kind === 'shared'
            ? 'Not known: no snapshot was taken at the forks.'
            : 'Nothing was copied.',
        ),
      );
      return;
    }
    this.plot = new uPlot(
      {
        width: this.width() - 24,
        height,
        padding: [10, EDGE, 0, 0],
        legend: { show: false },
        cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 6 } },
        scales: {
          x: { time: false, range: [0, duration / 1e9] },
          y: { range: (_, __, max) => [0, Math.max(max * 1.05, 4096)] },
        },
        axes: [
          {
            ...axis,
            values: (_, ticks) => ticks.map((tick) => format.tick(tick * 1e9)),
            size: 28,
            space: 90,
          },
          {
            ...axis,
            values: (_, ticks) => ticks.map((tick) => format.bytes(tick)),
            size: NAME,
            splits: (_, __, min, max) => bytesTicks(min, max),
          },
        ],
        series: [
          {},
          ...shown.map((curve, i) => ({
            label: curve.name,
            stroke: color(SERIES[i % SERIES.length]),
            dash: DASHES[i % DASHES.length],
            width: 1.6,
            points: { show: false },
            paths:
              kind === 'rate'
                ? undefined
                : (uPlot.paths.stepped as (options: { align: 1 | -1 }) => uPlot.Series.PathBuilder)(
                    { align: -1 },
                  ),
          })),
        ],
        hooks: {
          setSelect: [
            (plot) => {
              const { left, width } = plot.select;
              if (width > 3)
                this.app.store.change({
                  time: [plot.posToVal(left, 'x') * 1e9, plot.posToVal(left + width, 'x') * 1e9],
                });
              else this.app.store.change({ time: null });
            },
          ],
          ready: [
            (plot) => {
              this.plot = plot;
              this.showBrush(this.app.state.time);
            },
          ],
          setCursor: [(plot) => this.legendAt(plot, shown, kind)],
        },
      },
      [xs, ...shown.map((curve) => this.values(curve, kind))] as uPlot.AlignedData,
      this.chart,
    );
    this.chart.append((this.series = h('ul', { class: 'series' })));
    this.legendAt(this.plot, shown, kind);
  }

  private series: HTMLElement = h('ul', {});

  private legendAt(plot: uPlot, curves: Curve[], kind: string): void {
    const at = plot.cursor.idx;
    const last = (values: (number | null | undefined)[]) =>
      values.findLast((value) => value !== null && value !== undefined) ?? 0;
    this.series.replaceChildren(
      ...curves.map((curve, i) => {
        const values = plot.data[i + 1];
        const value =
          at !== null && at !== undefined ? values[at] : last(values as (number | null)[]);
        const line = h('canvas', { class: 'line-sample', 'aria-hidden': 'true' });
        const c = sized(line, 26, 10);
        c.strokeStyle = color(SERIES[i % SERIES.length]);
        c.setLineDash(DASHES[i % DASHES.length]);
        c.lineWidth = 2;
        c.beginPath();
        c.moveTo(0, 5);
        c.lineTo(26, 5);
        c.stroke();
        return h(
          'li',
          {},
          line,
          h('span', { class: 'name' }, curve.name),
          h(
            'span',
            { class: 'muted' },
            value === null || value === undefined
              ? '–'
              : `${format.bytes(Math.round(value))}${kind === 'rate' ? '/s' : ''}`,
          ),
        );
      }),
    );
  }

  private showBrush(time: [number, number] | null): void {
    const { plot } = this;
    this.span.hidden = !time;
    if (time) {
      this.span.style.left = `${this.x(time[0]) + 12}px`;
      this.span.style.width = `${Math.max(2, this.x(time[1]) - this.x(time[0]))}px`;
    }
    if (!plot || !plot.over.clientWidth) return;
    const scale = plot.over.clientWidth / (this.app.duration / 1e9);
    plot.setSelect(
      time
        ? {
            left: (time[0] / 1e9) * scale,
            width: ((time[1] - time[0]) / 1e9) * scale,
            top: 0,
            height: plot.over.clientHeight,
          }
        : { left: 0, width: 0, top: 0, height: 0 },
      false,
    );
  }

  private x(time: number): number {
    return NAME + (time / this.app.duration) * (this.width() - NAME - 24 - EDGE);
  }

  private drawLanes(): void {
    const width = this.width() - 24;
    const height = this.rows.length * LANE + 4;
    const c = sized(this.canvas, width, height);
    const { meta } = this.app.report;
    c.font = '12px system-ui, sans-serif';
    c.textBaseline = 'middle';
    const most = Math.max(
      1,
      ...this.rows.map((row) =>
        row.bins[0].reduce(
          (high, _, x) =>
            Math.max(
              high,
              row.bins.reduce((sum, bin) => sum + bin[x], 0),
            ),
          0,
        ),
      ),
    );
    this.rows.forEach((row, i) => {
      const process = meta.processes[row.process];
      const top = i * LANE + 3;
      const from = this.x(process.fork_ns ?? process.start_ns);
      const to = this.x(process.exit_ns ?? this.app.duration);
      c.fillStyle = color('text');
      const name = `${'  '.repeat(Math.min(6, row.depth))}${this.app.processName(row.process)}`;
      c.save();
      c.beginPath();
      c.rect(0, top, NAME - 12, LANE);
      c.clip();
      c.fillText(name, 2, top + LANE / 2 - 3);
      c.restore();
      c.fillStyle = color('state-none');
      c.fillRect(from, top, Math.max(1, to - from), LANE - 8);
      this.drawBreaks(c, row, top, most);
      this.drawMarks(c, row, top, from, to);
    });
  }

  private drawBreaks(c: CanvasRenderingContext2D, row: Lane, top: number, most: number): void {
    const columns = row.bins[0].length;
    const step = (this.width() - NAME - 24 - EDGE) / columns;
    const high = LANE - 8;
    for (let x = 0; x < columns; ++x) {
      const sum = row.bins.reduce((all, bin) => all + bin[x], 0);
      if (row.collecting[x]) {
        c.fillStyle = color('text');
        c.fillRect(NAME + x * step, top + high + 1, step + 0.5, 2);
      }
      if (!sum) continue;
      let y = top + high;
      const height = Math.max(3, Math.sqrt(sum / most) * high);
      row.bins.forEach((bin, cause) => {
        if (!bin[x]) return;
        const part = (height * bin[x]) / sum;
        c.fillStyle =
          part < 5
            ? causeColor(this.app.report.meta.causes[cause])
            : fill(c, this.app.report.meta.causes[cause]);
        c.fillRect(NAME + x * step, y - part, step + 0.5, part);
        y -= part;
      });
    }
  }

  private drawMarks(
    c: CanvasRenderingContext2D,
    row: Lane,
    top: number,
    from: number,
    to: number,
  ): void {
    const process = this.app.process(row.process);
    const middle = top + (LANE - 8) / 2;
    c.strokeStyle = c.fillStyle = color('text');
    c.lineWidth = 1.3;
    const shape = (points: number[][]) => {
      c.beginPath();
      points.forEach(([x, y], i) => (i ? c.lineTo(x, y) : c.moveTo(x, y)));
      c.closePath();
      c.fillStyle = color('panel');
      c.fill();
      c.stroke();
    };
    if (process.fork_ns !== null) {
      shape([
        [from - 4, middle - 4],
        [from + 4, middle - 4],
        [from, middle + 4],
      ]);
      const parent = this.rows.findIndex((one) => one.process === process.forked_from);
      if (parent >= 0) {
        c.setLineDash([2, 2]);
        c.beginPath();
        c.moveTo(from, parent * LANE + 3 + LANE - 8);
        c.lineTo(from, middle - 5);
        c.stroke();
        c.setLineDash([]);
      }
    }
    for (const time of process.exec_ns) {
      const x = this.x(time);
      shape([
        [x, middle - 5],
        [x + 5, middle],
        [x, middle + 5],
        [x - 5, middle],
      ]);
    }
    if (process.exit_ns !== null)
      shape([
        [to - 3, middle - 3],
        [to + 3, middle - 3],
        [to + 3, middle + 3],
        [to - 3, middle + 3],
      ]);
  }

  private place(event: MouseEvent): { lane: Lane | undefined; x: number } {
    const box = this.canvas.getBoundingClientRect();
    return {
      lane: this.rows[Math.floor((event.clientY - box.top) / LANE)],
      x: event.clientX - box.left,
    };
  }

  private hover(event: PointerEvent): void {
    const { lane, x } = this.place(event);
    if (!lane) {
      hideTip();
      return;
    }
    const process = this.app.process(lane.process);
    const time = ((x - NAME) / (this.width() - NAME - 24 - EDGE)) * this.app.duration;
    const lines = [this.app.processName(lane.process)];
    if (time >= 0) {
      lines.push(format.duration(time));
      const column = Math.floor((time / this.app.duration) * lane.bins[0].length);
      lane.bins.forEach((bin, cause) => {
        if (bin[column])
          lines.push(`${this.app.report.meta.causes[cause]} ${format.bytes(bin[column])}`);
      });
      if (lane.collecting[column]) lines.push('the garbage collector was at work');
    }
    const near = (at: number | null) => at !== null && Math.abs(this.x(at) - x) < 6;
    if (near(process.fork_ns))
      lines.push(
        `forked at ${format.duration(process.fork_ns ?? 0)}, ${format.bytes(process.inherited_bytes)} inherited`,
      );
    if (process.exec_ns.some(near)) lines.push('exec: its memory is new from here');
    if (near(process.exit_ns))
      lines.push(
        `ended at ${format.duration(process.exit_ns ?? 0)}, ${format.end(process.end)}, ${format.bytes(process.still_shared_bytes)} still shared`,
      );
    if (x < NAME) lines.push('Click to filter by this process');
    showTip(event, lines);
  }
}

// Powers of two times 1, 2 or 4, so that the labels are whole.
function bytesTicks(min: number, max: number): number[] {
  const step = 2 ** Math.max(10, Math.ceil(Math.log2((max - min) / 5)));
  const ticks: number[] = [];
  for (let tick = 0; tick <= max; tick += step) ticks.push(tick);
  return ticks;
}

export const makeTime = (app: App): View => new Time(app);
