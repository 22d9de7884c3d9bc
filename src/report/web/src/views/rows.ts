// SPDX-License-Identifier: Apache-2.0
// Objects that a reader does not tell apart are one row: the items of a large container, and what has no name but its type.
import type { App } from '../app';

export interface ObjectRow {
  name: string; type: string; kind: number; objects: number[]; items: number; size: number; breaks: number; bytes: number; neighbour: number;
}

// The first ones of each are enough to compare with: objects differ in what follows, not in how they are made.
export function grouped(app: App, neighbours: Float64Array | null = null): ObjectRow[] {
  const { objects, strings, meta } = app.report;
  const sum = app.selection.object;
  const python = meta.kinds.indexOf('python');
  const rows: ObjectRow[] = [];
  const rowOf = new Map<number, ObjectRow>();
  const typeCount = strings.length;
  for (let i = 0; i < objects.n; ++i) {
    const breaks = sum.breaks[i + 1];
    const neighbour = neighbours ? neighbours[i] : 0;
    if (!breaks && !neighbour) continue;
    const nameAt = objects.group[i] || objects.name[i];
    const key = nameAt * typeCount + objects.type[i];
    let row = objects.kind[i] === python ? rowOf.get(key) : undefined;
    if (!row) {
      row = { name: strings[nameAt] || '(no name)', type: app.names.typeOf[i], kind: objects.kind[i], objects: [], items: 0, size: 0, breaks: 0, bytes: 0, neighbour: 0 };
      rows.push(row);
      if (objects.kind[i] === python) rowOf.set(key, row);
    }
    row.objects.push(i);
    row.items = Math.max(row.items, objects.groupItems[i]);
    row.size += objects.size[i];
    row.breaks += breaks;
    row.bytes += sum.bytes[i + 1];
    row.neighbour += neighbour;
  }
  return rows;
}
