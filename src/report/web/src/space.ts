// SPDX-License-Identifier: Apache-2.0
// The address space as far as events speak of it: blocks (one a mapping) of runs of pages, and what became of each page.
import type { App } from './app';

// Untouched pages that are still drawn, so that near things look near.
const GAP = 16;

export interface Run {
  page: number;
  pages: number;
  slot: number;
} // slot: place of its first page in the state arrays
export interface Block {
  name: string;
  runs: Run[];
  slots: number;
  touched: number;
}

// States of a slot: 0 nothing happened; from 1 on see `names`.
export interface States {
  names: string[];
  of: Uint8Array;
  breaks: Uint32Array;
}

export class Space {
  readonly blocks: Block[] = [];
  readonly slots: number;
  private readonly slotOfRow: Uint32Array;

  constructor(private readonly app: App) {
    const { pages, ranges } = app.report;
    // Each page number once, with the mapping that it was seen in first.
    const unique = uniquePages(pages.page);
    const n = unique.length;
    const rangeAt = new Uint32Array(n);
    const sizeAt = new Uint32Array(n);
    const index = new Uint32Array(pages.n);
    for (let row = 0, at = 0; row < pages.n; ++row) {
      // Rows of a process ascend: the next is mostly the next.
      if (row && pages.page[row] > pages.page[row - 1]) {
        while (unique[at] < pages.page[row]) ++at;
      } else at = lowerBound(unique, pages.page[row]);
      index[row] = at;
      if (pages.range[row]) rangeAt[at] = pages.range[row];
      if (pages.pages[row] > sizeAt[at]) sizeAt[at] = pages.pages[row];
    }
    let slot = 0;
    let block: Block | null = null;
    let run: Run | null = null;
    let blockRange = -1;
    const slotOf = new Uint32Array(n);
    for (let i = 0; i < n; ++i) {
      const page = unique[i];
      if (!block || rangeAt[i] !== blockRange) {
        blockRange = rangeAt[i];
        block = {
          name: blockRange ? ranges[blockRange - 1].name : '(mapping not known)',
          runs: [],
          slots: 0,
          touched: 0,
        };
        this.blocks.push(block);
        run = null;
      }
      if (!run || page > run.page + run.pages + GAP) {
        run = { page, pages: 0, slot };
        block.runs.push(run);
      }
      const end = Math.max(run.page + run.pages, page + Math.max(1, sizeAt[i]));
      slotOf[i] = run.slot + (page - run.page);
      slot += end - run.page - run.pages;
      run.pages = end - run.page;
      block.touched += Math.max(1, sizeAt[i]);
    }
    for (const one of this.blocks) one.slots = one.runs.reduce((sum, each) => sum + each.pages, 0);
    this.slots = slot;
    this.slotOfRow = index.map((i) => slotOf[i]);
  }

  // By cause of the last selected break, in one process or in any.
  byCause(scope: number | null): States {
    const { events, pages, meta } = this.app.report;
    const { chosen } = this.app.selection;
    const of = new Uint8Array(this.slots);
    const breaks = new Uint32Array(this.slots);
    const quiet = meta.causes.length + 1;
    for (let row = 0; row < pages.n; ++row) {
      if (scope !== null && pages.process[row] !== scope) continue;
      const slot = this.slotOfRow[row];
      for (let i = pages.firstEvent[row]; i < pages.firstEvent[row + 1]; ++i) {
        if (chosen[i] === 1) {
          // A huge page takes all of its slots.
          const size = events.bytes[i] / events.count[i] / 4096;
          for (let k = 0; k < size; ++k) {
            of[slot + k] = events.cause[i] + 1;
            breaks[slot + k] += events.count[i];
          }
        } else if (chosen[i] === 2 && !of[slot]) of[slot] = quiet;
      }
    }
    return { names: ['none', ...meta.causes, 'quiet'], of, breaks };
  }

  // Who broke it since the fork: the child, the parent, or both.
  againstParent(child: number): States {
    const { events, pages } = this.app.report;
    const { chosen } = this.app.selection;
    const process = this.app.process(child);
    const parent = process.forked_from;
    const from = process.fork_ns ?? 0;
    const to = process.exit_ns ?? Infinity;
    const of = new Uint8Array(this.slots);
    const breaks = new Uint32Array(this.slots);
    for (let row = 0; row < pages.n; ++row) {
      const who = pages.process[row];
      if (who !== child && who !== parent) continue;
      const bit = who === child ? 1 : 2;
      for (let i = pages.firstEvent[row]; i < pages.firstEvent[row + 1]; ++i) {
        if (chosen[i] !== 1 || events.time[i] < from || events.time[i] > to) continue;
        const size = events.bytes[i] / events.count[i] / 4096;
        for (let k = 0; k < size; ++k) {
          of[this.slotOfRow[row] + k] |= bit;
          breaks[this.slotOfRow[row] + k] += events.count[i];
        }
      }
    }
    return { names: ['none', 'child', 'parent', 'both'], of, breaks };
  }

  // Rows of the report for a page, by process.
  rowsOf(page: number): number[] {
    const { pages } = this.app.report;
    const rows: number[] = [];
    for (let row = 0; row < pages.n; ++row)
      if (pages.page[row] <= page && page < pages.page[row] + Math.max(1, pages.pages[row]))
        rows.push(row);
    return rows;
  }
}

// Rows ascend within a process: merging what ascends is faster than sorting all of it.
function uniquePages(rows: Float64Array): Float64Array {
  let lists: Float64Array[] = [];
  for (let from = 0, i = 1; i <= rows.length; ++i) {
    if (i < rows.length && rows[i] > rows[i - 1]) continue;
    lists.push(rows.subarray(from, i));
    from = i;
  }
  while (lists.length > 1) {
    const next: Float64Array[] = [];
    for (let i = 0; i < lists.length; i += 2)
      next.push(i + 1 < lists.length ? union(lists[i], lists[i + 1]) : lists[i]);
    lists = next;
  }
  return lists[0] ?? new Float64Array();
}

function union(a: Float64Array, b: Float64Array): Float64Array {
  const out = new Float64Array(a.length + b.length);
  let n = 0;
  for (let i = 0, k = 0; i < a.length || k < b.length; ) {
    const x = i < a.length ? a[i] : Infinity;
    const y = k < b.length ? b[k] : Infinity;
    out[n++] = x < y ? x : y;
    if (x <= y) ++i;
    if (y <= x) ++k;
  }
  return out.subarray(0, n);
}

function lowerBound(values: Float64Array, wanted: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
