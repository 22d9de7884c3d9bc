// SPDX-License-Identifier: Apache-2.0
// Colours and the patterns that say the same without colour. Colours are in style.css, per theme.
import { h, sized } from './dom';

export const CAUSES = [
  'unknown',
  'refcount',
  'gc-header',
  'container',
  'value',
  'allocator',
  'native',
  'syscall',
  'remote',
];

let computed: CSSStyleDeclaration | null = null;
const cache = new Map<string, string>();

export function themeChanged(): void {
  computed = getComputedStyle(document.documentElement);
  cache.clear();
  patterns.clear();
}

export function color(name: string): string {
  let value = cache.get(name);
  if (value === undefined) {
    computed ??= getComputedStyle(document.documentElement);
    value = computed.getPropertyValue(`--${name}`).trim() || '#888';
    cache.set(name, value);
  }
  return value;
}

export const causeColor = (cause: string): string => color(`cause-${cause}`);

// How a tile of 8 by 8 is marked; every name has another mark.
const MARKS: Record<string, (c: CanvasRenderingContext2D) => void> = {
  unknown: () => undefined,
  refcount: (c) =>
    lines(c, [
      [-1, 5, 5, -1],
      [-1, 9, 9, -1],
      [3, 9, 9, 3],
    ]),
  'gc-header': (c) => {
    for (const [x, y] of [
      [2, 2],
      [6, 6],
    ])
      c.fillRect(x - 1, y - 1, 2, 2);
  },
  container: (c) =>
    lines(c, [
      [0, 2, 8, 2],
      [0, 6, 8, 6],
    ]),
  value: (c) =>
    lines(c, [
      [0, 0, 8, 8],
      [8, 0, 0, 8],
    ]),
  allocator: (c) =>
    lines(c, [
      [-1, 3, 5, 9],
      [-1, -1, 9, 9],
      [3, -1, 9, 5],
    ]),
  native: (c) =>
    lines(c, [
      [2, 0, 2, 8],
      [6, 0, 6, 8],
    ]),
  syscall: (c) =>
    lines(c, [
      [0, 4, 8, 4],
      [4, 0, 4, 8],
    ]),
  remote: (c) =>
    lines(c, [
      [0, 6, 4, 2],
      [4, 2, 8, 6],
    ]),
  none: () => undefined,
  quiet: (c) => c.fillRect(3, 3, 2, 2),
  child: () => undefined,
  parent: (c) =>
    lines(c, [
      [0, 2, 8, 2],
      [0, 6, 8, 6],
    ]),
  both: (c) =>
    lines(c, [
      [0, 0, 8, 8],
      [8, 0, 0, 8],
    ]),
};

function lines(c: CanvasRenderingContext2D, segments: number[][]): void {
  c.beginPath();
  for (const [x0, y0, x1, y1] of segments) {
    c.moveTo(x0, y0);
    c.lineTo(x1, y1);
  }
  c.stroke();
}

const patterns = new Map<string, CanvasPattern | string>();

// What to fill with; `name` is a cause, or one of the states of the memory map.
export function fill(context: CanvasRenderingContext2D, name: string): CanvasPattern | string {
  const known = patterns.get(name);
  if (known) return known;
  const ratio = window.devicePixelRatio || 1;
  const tile = document.createElement('canvas');
  const c = sized(tile, 8, 8);
  c.fillStyle = color(CAUSES.includes(name) ? `cause-${name}` : `state-${name}`);
  c.fillRect(0, 0, 8, 8);
  c.strokeStyle = c.fillStyle = color('mark');
  c.lineWidth = 1;
  MARKS[name]?.(c);
  const made = context.createPattern(tile, 'repeat');
  if (!made) return color('muted');
  made.setTransform(new DOMMatrix().scale(1 / ratio));
  patterns.set(name, made);
  return made;
}

export function swatch(name: string): HTMLElement {
  const canvas = h('canvas', { class: 'swatch', 'aria-hidden': 'true' });
  const c = sized(canvas, 14, 14);
  c.fillStyle = fill(c, name);
  c.fillRect(0, 0, 14, 14);
  return canvas;
}

// Distinct series of the time view: colour and dash.
export const SERIES = [
  'series-0',
  'series-1',
  'series-2',
  'series-3',
  'series-4',
  'series-5',
  'series-6',
  'series-7',
];
export const DASHES: number[][] = [
  [],
  [6, 3],
  [2, 2],
  [8, 3, 2, 3],
  [10, 4],
  [4, 2],
  [1, 3],
  [12, 3, 3, 3],
];
