// SPDX-License-Identifier: Apache-2.0
// The whole capture as one thin line over every view: what was copied when, by cause. A brush on it filters everything else.
import type { App } from './app';
import { h, hideTip, showTip, sized } from './dom';
import * as format from './format';
import { causeColor, color, fill } from './look';
import type { State } from './state';

const HEIGHT = 40;

export class Strip {
  readonly element: HTMLElement;
  private readonly canvas = h('canvas', {});
  private readonly brush = h('div', { class: 'brush', hidden: true });
  private width = 0;
  private binsFor = '';
  private bins: Float64Array[] = [];
  private dragFrom: number | null = null;

  constructor(private readonly app: App) {
    this.element = h(
      'div',
      {
        class: 'strip',
        tabindex: 0,
        role: 'slider',
        'aria-label': 'Time brush: filters everything to a span of time',
        onpointerdown: (event: PointerEvent) => this.down(event),
        onpointermove: (event: PointerEvent) => this.move(event),
        onpointerup: (event: PointerEvent) => this.up(event),
        onpointerleave: () => hideTip(),
        ondblclick: () => app.store.change({ time: null }),
        onkeydown: (event: KeyboardEvent) => this.key(event),
      },
      this.canvas,
      this.brush,
    );
  }

  update(state: State, before: State | null): void {
    const width = this.element.clientWidth;
    if (!width) return;
    const key = `${width} ${this.app.filterKey({ ...state, time: null })}`;
    if (key !== this.binsFor || !before) {
      this.width = width;
      if (key !== this.binsFor) this.count();
      this.binsFor = key;
      this.draw();
    }
    this.drawBrush(state.time);
  }

  private at(time: number): number {
    return (time / this.app.duration) * this.width;
  }
  private timeAt(x: number): number {
    return Math.max(0, Math.min(1, x / this.width)) * this.app.duration;
  }

  // All filters but that of time.
  private count(): void {
    const { report, duration } = this.app;
    const columns = Math.max(1, Math.floor(this.width / 2));
    this.bins = report.meta.causes.map(() => new Float64Array(columns));
    const { chosen } = this.app.selectionWithoutTime;
    const { time, cause, bytes, n } = report.events;
    const scale = columns / duration;
    for (let i = 0; i < n; ++i) {
      if (chosen[i] !== 1) continue;
      this.bins[cause[i]][Math.min(columns - 1, Math.floor(time[i] * scale))] += bytes[i];
    }
  }

  private draw(): void {
    const c = sized(this.canvas, this.width, HEIGHT);
    c.clearRect(0, 0, this.width, HEIGHT);
    const columns = this.bins[0]?.length ?? 0;
    let most = 0;
    for (let x = 0; x < columns; ++x)
      most = Math.max(
        most,
        this.bins.reduce((sum, bin) => sum + bin[x], 0),
      );
    c.fillStyle = color('line');
    c.fillRect(0, HEIGHT - 1, this.width, 1);
    if (!most) return;
    // Square roots, so that a single break beside a storm is seen.
    const scale = (HEIGHT - 4) / Math.sqrt(most);
    for (let x = 0; x < columns; ++x) {
      const sum = this.bins.reduce((all, bin) => all + bin[x], 0);
      if (!sum) continue;
      const height = Math.max(2, Math.sqrt(sum) * scale);
      let y = HEIGHT - 1;
      this.bins.forEach((bin, cause) => {
        if (!bin[x]) return;
        const part = (height * bin[x]) / sum;
        c.fillStyle =
          part < 5
            ? causeColor(this.app.report.meta.causes[cause])
            : fill(c, this.app.report.meta.causes[cause]); // no room for a pattern
        c.fillRect(x * 2, y - part, 2, part);
        y -= part;
      });
    }
  }

  private drawBrush(time: [number, number] | null): void {
    this.brush.hidden = !time;
    this.element.setAttribute(
      'aria-valuetext',
      time ? `${format.duration(time[0])} to ${format.duration(time[1])}` : 'all of it',
    );
    this.element.setAttribute('aria-valuenow', String(time ? Math.round(time[0] / 1e6) : 0));
    if (!time) return;
    this.brush.style.left = `${this.at(time[0])}px`;
    this.brush.style.width = `${Math.max(2, this.at(time[1]) - this.at(time[0]))}px`;
  }

  private x(event: PointerEvent): number {
    return event.clientX - this.element.getBoundingClientRect().left;
  }

  private down(event: PointerEvent): void {
    this.dragFrom = this.x(event);
    this.element.setPointerCapture(event.pointerId);
  }

  private move(event: PointerEvent): void {
    const x = this.x(event);
    if (this.dragFrom !== null && Math.abs(x - this.dragFrom) > 3)
      this.drawBrush(this.span(this.dragFrom, x));
    const column = Math.floor(x / 2);
    const parts = this.bins
      .map((bin, cause) => [this.app.report.meta.causes[cause], bin[column] ?? 0] as const)
      .filter(([, sum]) => sum > 0);
    showTip(event, [
      format.duration(this.timeAt(x)),
      ...parts.map(([cause, sum]) => `${cause} ${format.bytes(sum)}`),
    ]);
  }

  private up(event: PointerEvent): void {
    const x = this.x(event);
    if (this.dragFrom !== null && Math.abs(x - this.dragFrom) > 3)
      this.app.store.change({ time: this.span(this.dragFrom, x) });
    this.dragFrom = null;
  }

  private span(a: number, b: number): [number, number] {
    return [this.timeAt(Math.min(a, b)), this.timeAt(Math.max(a, b))];
  }

  private key(event: KeyboardEvent): void {
    const { duration, store } = this.app;
    const time = this.app.state.time;
    const step =
      ((event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0) * duration) / 50;
    if (step) {
      const [from, to] = time ?? [0, duration / 10];
      const clip = (value: number) => Math.max(0, Math.min(duration, value));
      if (event.shiftKey) {
        if (to + step > from) store.change({ time: [from, clip(to + step)] }, false);
      } else if (from + step >= 0 && to + step <= duration)
        store.change({ time: time ? [from + step, to + step] : [from, to] }, false);
    } else if (event.key === 'Escape') store.change({ time: null });
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
