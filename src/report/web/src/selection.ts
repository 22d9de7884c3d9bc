// SPDX-License-Identifier: Apache-2.0
// Which events the filters let through, and sums over them. One pass over the columns each; a million events take some 20 ms.
import { PHASE_SHIFT, type Report } from './data';
import type { State } from './state';

export interface Sum {
  breaks: Float64Array;
  bytes: Float64Array;
}

export interface Selection {
  filtered: boolean;
  // By event: 0 not selected, 1 a break, 2 another answer of the kernel.
  chosen: Uint8Array;
  breaks: number;
  bytes: number;
  // Indexed as the events have it (sites, objects and ranges: 0 is none).
  process: Sum;
  cause: Sum;
  phase: Sum;
  site: Sum;
  object: Sum;
  range: Sum;
  mechanism: Sum; // all answers, not breaks alone
  first: number; // time of the first and the last break
  last: number;
}

// What derived names belong to sites and objects; made once.
export interface Names {
  typeOf: string[]; // by object
  moduleOf: string[]; // by site: the file or library of the innermost stack frame
  isBreak: Uint8Array; // by mechanism
}

export function namesOf(report: Report): Names {
  const { objects, strings, sites, frames, meta } = report;
  const typeOf = Array.from(
    { length: objects.n },
    (_, i) => strings[objects.type[i]] || `(${meta.kinds[objects.kind[i]]})`,
  );
  const moduleOf = Array.from({ length: sites.n }, (_, i) => {
    if (sites.first[i] === sites.first[i + 1]) return '(not known)';
    const frame = frames[sites.frames[sites.first[i]]];
    return (frame.python ? frame.file : frame.module) || '(not known)';
  });
  return {
    typeOf,
    moduleOf,
    isBreak: Uint8Array.from(meta.mechanisms, (mechanism) => (mechanism.is_break ? 1 : 0)),
  };
}

// What lets a row of another table through; null: all of them.
function allowed(n: number, test: ((i: number) => boolean) | null): Uint8Array | null {
  if (!test) return null;
  const out = new Uint8Array(n);
  for (let i = 0; i < n; ++i) out[i] = test(i) ? 1 : 0;
  return out;
}

const sumOf = (n: number): Sum => ({ breaks: new Float64Array(n), bytes: new Float64Array(n) });

function siteTest(report: Report, names: Names, state: State): ((i: number) => boolean) | null {
  if (!state.site.length && !state.module.length && !state.frame.length) return null;
  const { sites } = report;
  const wanted = new Set(state.site);
  const modules = new Set(state.module);
  const frames = new Set(state.frame);
  return (i) => {
    if (i === 0) return modules.has('(not known)') && !wanted.size && !frames.size;
    if (wanted.size && !wanted.has(i)) return false;
    if (modules.size && !modules.has(names.moduleOf[i - 1])) return false;
    if (!frames.size) return true;
    return sites.frames
      .subarray(sites.first[i - 1], sites.first[i])
      .some((frame) => frames.has(frame));
  };
}

// A group is named by one of its objects: all that are one row with it in the table of objects (views/rows.ts).
function objectTest(report: Report, names: Names, state: State): ((i: number) => boolean) | null {
  if (!state.object.length && !state.group.length && !state.type.length) return null;
  const { objects, strings } = report;
  const wanted = new Set(state.object);
  const types = new Set(state.type);
  const nameOf = (i: number) => objects.group[i] || objects.name[i];
  const keyOf = (i: number) => nameOf(i) * strings.length + objects.type[i];
  const groups = new Set(
    state.group.filter((one) => one > 0 && one <= objects.n).map((one) => keyOf(one - 1)),
  );
  return (i) => {
    if (wanted.size && !wanted.has(i)) return false;
    if (state.group.length && !(i > 0 && groups.has(keyOf(i - 1)))) return false;
    return !types.size || types.has(i > 0 ? names.typeOf[i - 1] : '(not known)');
  };
}

export function select(report: Report, names: Names, state: State): Selection {
  const { events, pages, meta } = report;
  const inList = (list: number[]) => (list.length ? (i: number) => list.includes(i) : null);
  const processOk = allowed(meta.processes.length, inList(state.process));
  const causeOk = allowed(meta.causes.length, inList(state.cause));
  const phaseOk = allowed(meta.phases.length, inList(state.phase));
  const mechanismOk = allowed(meta.mechanisms.length, inList(state.mechanism));
  const siteOk = allowed(report.sites.n + 1, siteTest(report, names, state));
  const objectOk = allowed(report.objects.n + 1, objectTest(report, names, state));
  const mapping = new Set(state.mapping);
  const rangeOk = allowed(
    report.ranges.length + 1,
    mapping.size ? (i) => mapping.has(i ? report.ranges[i - 1].name : '(not known)') : null,
  );
  const [from, to] = state.time ?? [-1, Infinity];
  const result: Selection = {
    filtered: !!(
      state.time ||
      processOk ||
      causeOk ||
      phaseOk ||
      mechanismOk ||
      siteOk ||
      objectOk ||
      rangeOk
    ),
    chosen: new Uint8Array(events.n),
    breaks: 0,
    bytes: 0,
    process: sumOf(meta.processes.length),
    cause: sumOf(meta.causes.length),
    phase: sumOf(meta.phases.length),
    mechanism: sumOf(meta.mechanisms.length),
    site: sumOf(report.sites.n + 1),
    object: sumOf(report.objects.n + 1),
    range: sumOf(report.ranges.length + 1),
    first: Infinity,
    last: 0,
  };
  const { chosen } = result;
  for (let page = 0; page < pages.n; ++page) {
    const process = pages.process[page];
    const range = pages.range[page];
    if ((processOk && !processOk[process]) || (rangeOk && !rangeOk[range])) continue;
    for (let i = pages.firstEvent[page]; i < pages.firstEvent[page + 1]; ++i) {
      const time = events.time[i];
      const mechanism = events.mechanism[i];
      if (time < from || time > to) continue;
      if (causeOk && !causeOk[events.cause[i]]) continue;
      if (phaseOk && !phaseOk[events.flags[i] >> PHASE_SHIFT]) continue;
      if (mechanismOk && !mechanismOk[mechanism]) continue;
      if (siteOk && !siteOk[events.site[i]]) continue;
      if (objectOk && !objectOk[events.object[i]]) continue;
      const count = events.count[i];
      const bytes = events.bytes[i];
      result.mechanism.breaks[mechanism] += count;
      result.mechanism.bytes[mechanism] += bytes;
      if (!names.isBreak[mechanism]) {
        chosen[i] = 2;
        continue;
      }
      chosen[i] = 1;
      result.breaks += count;
      result.bytes += bytes;
      if (time < result.first) result.first = time;
      if (time > result.last) result.last = time;
      put(result.process, process, count, bytes);
      put(result.range, range, count, bytes);
      put(result.cause, events.cause[i], count, bytes);
      put(result.phase, events.flags[i] >> PHASE_SHIFT, count, bytes);
      put(result.site, events.site[i], count, bytes);
      put(result.object, events.object[i], count, bytes);
    }
  }
  return result;
}

function put(sum: Sum, at: number, breaks: number, bytes: number): void {
  sum.breaks[at] += breaks;
  sum.bytes[at] += bytes;
}

let steps = new Float64Array();

// Good until it is asked again. For each object the selected breaks of its pages while nobody wrote it there.
export function neighbourBreaks(report: Report, selection: Selection): Float64Array {
  const { pages, neighbours, events, objects } = report;
  if (!selection.filtered) return objects.neighbourBreaks as Float64Array;
  if (steps.length < objects.n + 1) steps = new Float64Array(objects.n + 1);
  else steps.fill(0);
  for (let page = 0; page < pages.n; ++page) {
    if (pages.firstRun[page] === pages.firstRun[page + 1]) continue;
    let breaks = 0;
    for (let i = pages.firstEvent[page]; i < pages.firstEvent[page + 1]; ++i)
      if (selection.chosen[i] === 1) breaks += events.count[i];
    if (!breaks) continue;
    for (let run = pages.firstRun[page]; run < pages.firstRun[page + 1]; ++run) {
      steps[neighbours.first[run]] += breaks;
      steps[neighbours.first[run] + neighbours.count[run]] -= breaks;
    }
  }
  for (let i = 1; i < steps.length; ++i) steps[i] += steps[i - 1];
  return steps.subarray(0, objects.n);
}
