// SPDX-License-Identifier: Apache-2.0
// What views share: the report, the state, and the selection that follows from both.
import type { Process, Report } from './data';
import { fileName } from './format';
import { namesOf, neighbourBreaks, select, type Names, type Selection } from './selection';
import { Space } from './space';
import { parse, Store, type State } from './state';
import { grouped, type ObjectRows } from './views/rows';

export interface View {
  readonly element: HTMLElement;
  // Draws anew; `before` is null the first time, and after the theme or the size has changed.
  update(state: State, before: State | null): void;
  // Whatever it can make before it is shown.
  prepare?(state: State): void;
}

export type MakeView = (app: App) => View;

const FILTERS: (keyof State)[] = [
  'time',
  'process',
  'cause',
  'phase',
  'mechanism',
  'site',
  'object',
  'group',
  'type',
  'module',
  'mapping',
  'frame',
];

export class App {
  readonly store = new Store();
  readonly names: Names;
  private readonly selections = new Map<string, Selection>();
  private madeSpace: Space | null = null;
  private readonly madeRows = new Map<string, ObjectRows>();
  private readonly unfiltered = this.filterKey(parse(''));

  constructor(readonly report: Report) {
    this.names = namesOf(report);
  }

  get state(): State {
    return this.store.state;
  }
  get duration(): number {
    return Math.max(1, this.report.meta.capture.duration_ns, this.lastMoment);
  }

  filterKey(state: State = this.state): string {
    return JSON.stringify(FILTERS.map((key) => state[key]));
  }

  get selection(): Selection {
    return this.selectionOf(this.state);
  }

  // For what draws all of time and the brush on it.
  get selectionWithoutTime(): Selection {
    return this.selectionOf(this.state.time ? { ...this.state, time: null } : this.state);
  }

  // Taking a filter off again, and going back, should cost nothing. The unfiltered one always stays.
  private selectionOf(state: State): Selection {
    const key = this.filterKey(state);
    const known = this.selections.get(key);
    if (known) return known;
    const made = select(this.report, this.names, state);
    if (this.selections.size > 6) {
      const oldest = [...this.selections].find(([, one]) => one.filtered);
      if (oldest) this.selections.delete(oldest[0]);
    }
    this.selections.set(key, made);
    return made;
  }

  // Rows of the object table and of the overview.
  get objectRows(): ObjectRows {
    const key = this.filterKey();
    let rows = this.madeRows.get(key);
    if (!rows) {
      if (this.madeRows.size > 3)
        this.madeRows.delete(
          [...this.madeRows.keys()].find((one) => one !== this.unfiltered) ?? '',
        );
      this.madeRows.set(key, (rows = grouped(this, neighbourBreaks(this.report, this.selection))));
    }
    return rows;
  }

  // The memory map's model of the address space; it does not depend on filters.
  get space(): Space {
    return (this.madeSpace ??= new Space(this));
  }

  // Sums as the JSON report has them, as long as nothing is filtered: they also count what lost its detail.
  get breaks(): number {
    return this.selection.filtered ? this.selection.breaks : this.report.meta.totals.breaks;
  }
  get bytes(): number {
    return this.selection.filtered ? this.selection.bytes : this.report.meta.totals.copied_bytes;
  }

  process(key: number): Process {
    return this.report.meta.processes[key];
  }
  processName(key: number): string {
    const process = this.process(key);
    return process ? `${process.pid} ${process.command}` : '?';
  }

  objectName(index: number): string {
    const { objects, strings } = this.report;
    return strings[objects.name[index]] || '(no name)';
  }

  // What it is called together with others like it.
  groupName(index: number): string {
    const { objects, strings } = this.report;
    return strings[objects.group[index]] || this.objectName(index);
  }

  siteFrames(site: number): number[] {
    const { sites } = this.report;
    return [...sites.frames.subarray(sites.first[site], sites.first[site + 1])];
  }

  frameText(frame: number): string {
    const { fn, file, line, module } = this.report.frames[frame];
    const where = file ? `${fileName(file)}${line ? `:${line}` : ''}` : fileName(module);
    return where ? `${fn}  ${where}` : fn;
  }

  siteText(site: number): string {
    const frames = this.siteFrames(site);
    return frames.length ? this.frameText(frames[0]) : '(stack not known)';
  }

  private last = -1;
  private get lastMoment(): number {
    if (this.last < 0) {
      this.last = 0;
      const { time, n } = this.report.events;
      for (let i = 0; i < n; ++i) if (time[i] > this.last) this.last = time[i];
    }
    return this.last;
  }
}
