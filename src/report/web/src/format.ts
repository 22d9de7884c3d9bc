// SPDX-License-Identifier: Apache-2.0
// Numbers as the text report prints them.

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

// As C++ and Python round: of two that are as near, the even one, where toFixed() takes the larger. That is .25 alone: .75 goes up by either rule.
const tenths = (value: number): string =>
  value % 1 === 0.25 ? `${Math.floor(value)}.2` : value.toFixed(1);

export function bytes(value: number | null): string {
  if (value === null) return '–';
  let unit = 0;
  let left = value;
  while (left >= 1024 && unit + 1 < UNITS.length) {
    left /= 1024;
    ++unit;
  }
  return unit === 0 ? `${left} B` : `${tenths(left)} ${UNITS[unit]}`;
}

const grouped = new Intl.NumberFormat('en-US');
export const count = (value: number): string => grouped.format(value);
export const counted = (value: number, one: string, many: string): string =>
  `${count(value)} ${value === 1 ? one : many}`;

export function duration(ns: number): string {
  if (ns < 1e3) return `${Math.round(ns)} ns`;
  if (ns < 1e6) return `${tenths(ns / 1e3)} µs`;
  if (ns < 1e9) return `${tenths(ns / 1e6)} ms`;
  return `${(ns / 1e9).toFixed(2)} s`;
}

export function percent(part: number, whole: number): string {
  if (whole <= 0) return '–';
  const value = (100 * part) / whole;
  if (value > 0 && value < 1) return '<1%';
  return `${Math.round(value)}%`;
}

const SIGNALS: Record<number, string> = {
  1: 'SIGHUP',
  2: 'SIGINT',
  3: 'SIGQUIT',
  4: 'SIGILL',
  5: 'SIGTRAP',
  6: 'SIGABRT',
  7: 'SIGBUS',
  8: 'SIGFPE',
  9: 'SIGKILL',
  10: 'SIGUSR1',
  11: 'SIGSEGV',
  12: 'SIGUSR2',
  13: 'SIGPIPE',
  14: 'SIGALRM',
  15: 'SIGTERM',
  24: 'SIGXCPU',
  25: 'SIGXFSZ',
  31: 'SIGSYS',
};

// How a process ended.
export function end(value: { status: number } | { signal: number } | null): string {
  if (value === null) return 'how is not known';
  return 'status' in value
    ? `status ${value.status}`
    : (SIGNALS[value.signal] ?? `signal ${value.signal}`);
}

export const hex = (value: number): string => `0x${value.toString(16)}`;

// The end of a path says most.
export const fileName = (path: string): string => path.slice(path.lastIndexOf('/') + 1) || path;

// A moment on an axis: no more digits than it needs.
export function tick(ns: number): string {
  if (ns === 0) return '0';
  const [unit, name] =
    ns < 1e3 ? [1, 'ns'] : ns < 1e6 ? [1e3, 'µs'] : ns < 1e9 ? [1e6, 'ms'] : [1e9, 's'];
  return `${Number((ns / unit).toPrecision(4))} ${name}`;
}
