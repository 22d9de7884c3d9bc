// SPDX-License-Identifier: Apache-2.0
// Objects that a reader does not tell apart are one row: the items of a large container, and what has no name but its type.
import type { App } from '../app';

// Columns by row. There may be hundreds of thousands: no object a row.
export interface ObjectRows {
  n: number;
  name: Uint32Array;
  type: Uint32Array; // strings
  first: Uint32Array;
  objects: Uint32Array; // one of its objects, and how many there are
  breaks: Uint32Array;
  bytes: Float64Array;
  neighbour: Uint32Array;
  rowOf: Uint32Array; // by object: its row and one; 0: in none
}

// By name the last row of that name and one, and by row the one before it of the same name. Used again: memory that is given back is collected
// while somebody waits for something else.
let headOf = new Uint32Array();
let next = new Uint32Array();

export function grouped(app: App, neighbours: Float64Array): ObjectRows {
  const { objects, strings, meta } = app.report;
  const sum = app.selection.object;
  const python = meta.kinds.indexOf('python');
  const n = objects.n;
  const rows: ObjectRows = {
    n: 0,
    name: new Uint32Array(n),
    type: new Uint32Array(n),
    first: new Uint32Array(n),
    objects: new Uint32Array(n),
    breaks: new Uint32Array(n),
    bytes: new Float64Array(n),
    neighbour: new Uint32Array(n),
    rowOf: new Uint32Array(n),
  };
  if (headOf.length < strings.length) headOf = new Uint32Array(strings.length);
  else headOf.fill(0);
  if (next.length < n) next = new Uint32Array(n);
  for (let i = 0; i < n; ++i) {
    const neighbour = neighbours[i];
    if (!sum.breaks[i + 1] && !neighbour) continue;
    const name = objects.group[i] || objects.name[i];
    let row = 0;
    if (objects.kind[i] === python)
      for (row = headOf[name]; row && rows.type[row - 1] !== objects.type[i]; ) row = next[row - 1];
    if (!row) {
      row = ++rows.n;
      rows.name[row - 1] = name;
      rows.type[row - 1] = objects.type[i];
      rows.first[row - 1] = i;
      if (objects.kind[i] === python) {
        next[row - 1] = headOf[name];
        headOf[name] = row;
      }
    }
    rows.rowOf[i] = row--;
    ++rows.objects[row];
    rows.breaks[row] += sum.breaks[i + 1];
    rows.bytes[row] += sum.bytes[i + 1];
    rows.neighbour[row] += neighbour;
  }
  return rows;
}

export function objectsOf(rows: ObjectRows, row: number): number[] {
  const list: number[] = [];
  for (let i = rows.first[row]; i < rows.rowOf.length && list.length < rows.objects[row]; ++i)
    if (rows.rowOf[i] === row + 1) list.push(i);
  return list;
}

export const numbersTo = (n: number): Uint32Array => {
  const out = new Uint32Array(n);
  for (let i = 0; i < n; ++i) out[i] = i;
  return out;
};
