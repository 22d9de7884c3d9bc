// SPDX-License-Identifier: Apache-2.0
// Reads the data of a report (html_sections.h, html_columns.h, html_layout.h) into typed arrays: one row an event, never an object an event.

export const PAGE = 4096;

export interface Mechanism {
  name: string;
  is_break: boolean;
  about: string;
}
export interface Sums {
  breaks: number;
  bytes: number;
}
export interface Latency {
  p50: number;
  p99: number;
  max: number;
}
export interface Audit {
  private_pages: number;
  explained: number;
  unexplained: number;
  reasons: Record<string, number>;
  unexplained_pages: string[];
}
export interface Process {
  process: number;
  pid: number;
  parent: number | null;
  forked_from: number | null;
  command: string;
  python: string | null;
  start_ns: number;
  exit_ns: number | null;
  end: { status: number } | { signal: number } | null;
  fork_ns: number | null;
  fork_took_ns: number | null;
  inherited_bytes: number | null;
  copied_bytes: number;
  still_shared_bytes: number | null;
  breaks: number;
  audit: Audit | null;
  audit_missing: string | null;
  exec_ns: number[];
}
export interface Stall {
  process: number;
  forks: number;
  fork_total_ns: number;
  fork_max_ns: number;
  breaks: number;
  break_total_ns: number;
  latency_ns: Latency | null;
  histogram: { from_ns: number; below_ns: number | null; count: number }[];
}
export interface Advice {
  id: string;
  text: string;
  saves_at_most_bytes: number | null;
  page: string;
}
export interface Watch {
  expression: string;
  process: number;
  pid: number;
  address: string | null;
  type: string | null;
  state: string;
  reason: string | null;
  pages: number;
  copied_pages: number;
  slot: { place: string; state: string } | null;
  break: {
    written: string;
    t_ns: number;
    object: string | null;
    field: string | null;
    cause: string;
  } | null;
}
export interface Capture {
  command: string[];
  backend: string;
  kernel: string;
  arch: string;
  detail: string;
  snapshot: string;
  started_at: string;
  duration_ns: number;
  events: number;
  lost_events: number;
  lost_control: number;
  unfinished_faults: number;
  untracked_tasks: number;
  undecodable_events: number;
  memory_limit_bytes: number | null;
  memory_limit_of: string | null;
  blind_spots: string[];
  notes: string[];
}
export interface Meta {
  version: string;
  headline: string;
  nothing_was_shared: boolean;
  warnings: string[];
  mechanisms: Mechanism[];
  causes: string[];
  phases: string[];
  kinds: string[];
  objects_left_out: number;
  capture: Capture;
  totals: {
    breaks: number;
    copied_bytes: number;
    written_bytes: number | null;
    inherited_bytes: number | null;
    still_shared_bytes: number | null;
    by_mechanism: Record<string, { count: number; bytes: number; latency_ns: Latency | null }>;
    by_cause: Record<string, Sums>;
    by_phase: Record<string, Sums> | null;
  };
  processes: Process[];
  stalls: Stall[];
  mappings: { label: string | null; breaks: number; copied_bytes: number }[];
  watches: Watch[];
  advice: Advice[];
}
export interface Frame {
  fn: string;
  file: string;
  line: number;
  module: string;
  python: boolean;
  inlined: boolean;
  unnamed: string;
}

// Of an event's flags, what is above these bits is its phase (kPhaseShift in html_layout.h).
export const PHASE_SHIFT = 2;

type Column = Float64Array | Uint32Array;
type Table = Record<string, Column>;
type Layout = Record<string, [string, boolean][]>;

// In columns that refer to another table, 0 is none and n row n - 1.
export interface Report {
  meta: Meta;
  strings: string[];
  frames: Frame[];
  actors: [number, string][];
  ranges: { name: string; page: number; pages: number }[];
  sites: { n: number; first: Uint32Array; frames: Uint32Array; truncated: Uint32Array };
  objects: Record<
    | 'id'
    | 'kind'
    | 'size'
    | 'name'
    | 'type'
    | 'group'
    | 'groupItems'
    | 'neighbourBreaks'
    | 'written',
    Column
  > & { n: number; address: Float64Array };
  pages: {
    n: number;
    process: Uint32Array;
    page: Float64Array;
    pages: Uint32Array;
    range: Uint32Array;
    firstEvent: Uint32Array;
    firstRun: Uint32Array;
  };
  neighbours: { first: Uint32Array; count: Uint32Array };
  events: {
    n: number;
    time: Float64Array;
    page: Uint32Array;
    offset: Uint32Array;
    count: Uint32Array;
    bytes: Float64Array;
    mechanism: Uint8Array;
    cause: Uint8Array;
    flags: Uint8Array;
    object: Uint32Array;
    field: Uint32Array;
    site: Uint32Array;
    actor: Uint32Array;
    oldFrame: Column;
    newFrame: Column;
  };
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  const direct = (
    Uint8Array as unknown as { fromBase64?: (text: string) => Uint8Array<ArrayBuffer> }
  ).fromBase64;
  if (direct) return direct(base64);
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; ++i) bytes[i] = text.charCodeAt(i);
  return bytes;
}

async function inflate(packed: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

interface Sections {
  json: Map<string, unknown>;
  chunks: Map<string, Uint8Array[]>;
}

function sectionsOf(bytes: Uint8Array): Sections {
  const json = new Map<string, unknown>();
  const chunks = new Map<string, Uint8Array[]>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = new TextDecoder();
  for (let at = 0; at < bytes.length; ) {
    const kind = String.fromCharCode(bytes[at]);
    const nameEnd = at + 2 + bytes[at + 1];
    const name = text.decode(bytes.subarray(at + 2, nameEnd));
    const body = bytes.subarray(nameEnd + 4, nameEnd + 4 + view.getUint32(nameEnd, true));
    if (kind === 'J') {
      const value: unknown = JSON.parse(text.decode(body));
      const before = json.get(name);
      if (Array.isArray(before) && Array.isArray(value)) for (const one of value) before.push(one);
      else json.set(name, value);
    } else {
      chunks.set(name, [...(chunks.get(name) ?? []), body]);
    }
    at = nameEnd + 4 + body.length;
  }
  return { json, chunks };
}

const rowsOf = (chunk: Uint8Array): number =>
  chunk[0] | (chunk[1] << 8) | (chunk[2] << 16) | (chunk[3] << 24);

// Numbers above 2^53 lose their last bits: there are none in what people look at.
function readColumn(
  chunk: Uint8Array,
  at: number,
  rows: number,
  delta: boolean,
  out: Column,
  from: number,
): number {
  const planes = chunk[at++];
  if (planes <= 4) {
    let last = 0;
    for (let i = 0; i < rows; ++i) {
      let value = 0;
      for (let plane = 0; plane < planes; ++plane)
        value |= chunk[at + plane * rows + i] << (8 * plane);
      value >>>= 0;
      if (delta) value = last += value & 1 ? -(value >>> 1) - 1 : value >>> 1;
      out[from + i] = value;
    }
  } else {
    let last = 0;
    for (let i = 0; i < rows; ++i) {
      let value = 0;
      for (let plane = planes - 1; plane >= 0; --plane)
        value = value * 256 + chunk[at + plane * rows + i];
      if (delta) value = last += value % 2 ? -(value + 1) / 2 : value / 2;
      out[from + i] = value;
    }
  }
  return at + planes * rows;
}

const WIDE = new Set([
  'time',
  'page',
  'address',
  'size',
  'written',
  'oldFrame',
  'newFrame',
  'groupItems',
  'neighbourBreaks',
]);

function tableOf(sections: Sections, layout: Layout, name: string): { n: number; columns: Table } {
  const chunks = sections.chunks.get(name) ?? [];
  const n = chunks.reduce((sum, chunk) => sum + rowsOf(chunk), 0);
  const columns: Table = {};
  for (const [column] of layout[name])
    columns[column] = WIDE.has(column) ? new Float64Array(n) : new Uint32Array(n);
  let from = 0;
  for (const chunk of chunks) {
    const rows = rowsOf(chunk);
    let at = 4;
    for (const [column, delta] of layout[name])
      at = readColumn(chunk, at, rows, delta, columns[column], from);
    from += rows;
  }
  return { n, columns };
}

// n + 1 places: row i has those from [i] up to [i + 1].
function starts(counts: Column): Uint32Array {
  const out = new Uint32Array(counts.length + 1);
  for (let i = 0; i < counts.length; ++i) out[i + 1] = out[i] + counts[i];
  return out;
}

const u32 = (column: Column): Uint32Array => column as Uint32Array;
const f64 = (column: Column): Float64Array => column as Float64Array;

function eventsOf(table: { n: number; columns: Table }, firstEvent: Uint32Array): Report['events'] {
  const c = table.columns;
  const page = new Uint32Array(table.n);
  for (let row = 0; row + 1 < firstEvent.length; ++row)
    page.fill(row, firstEvent[row], firstEvent[row + 1]);
  const bytes = new Float64Array(table.n);
  for (let i = 0; i < table.n; ++i) bytes[i] = c.count[i] * c.pages[i] * PAGE;
  return {
    n: table.n,
    time: f64(c.time),
    page,
    offset: u32(c.offset),
    count: u32(c.count),
    bytes,
    mechanism: Uint8Array.from(c.mechanism),
    cause: Uint8Array.from(c.cause),
    flags: Uint8Array.from(c.flags),
    object: u32(c.object),
    field: u32(c.field),
    site: u32(c.site),
    actor: u32(c.actor),
    oldFrame: c.oldFrame,
    newFrame: c.newFrame,
  };
}

export async function readReport(base64: string): Promise<Report> {
  const sections = sectionsOf(await inflate(bytesOf(base64)));
  const json = <T>(name: string): T => sections.json.get(name) as T;
  const layout = json<Layout>('layout');
  const table = (name: string) => tableOf(sections, layout, name);
  const strings = json<string[]>('strings');
  const pages = table('pages');
  const firstEvent = starts(pages.columns.events);
  const objects = table('objects');
  const neighbours = table('neighbours').columns;
  const sites = table('sites');
  return {
    meta: json<Meta>('meta'),
    strings,
    frames: json<number[][]>('frames').map(([fn, file, line, module, bits, why]) => ({
      fn: strings[fn],
      file: strings[file],
      line,
      module: strings[module],
      python: (bits & 1) !== 0,
      inlined: (bits & 2) !== 0,
      unnamed: strings[why],
    })),
    actors: json<[number, string][]>('actors'),
    ranges: json<number[][]>('ranges').map(([name, page, count]) => ({
      name: strings[name],
      page,
      pages: count,
    })),
    sites: {
      n: sites.n,
      first: starts(sites.columns.frames),
      frames: u32(table('siteFrames').columns.frame),
      truncated: u32(sites.columns.truncated),
    },
    objects: { n: objects.n, ...objects.columns } as unknown as Report['objects'],
    pages: {
      n: pages.n,
      process: u32(pages.columns.process),
      page: f64(pages.columns.page),
      pages: u32(pages.columns.pages),
      range: u32(pages.columns.range),
      firstEvent,
      firstRun: starts(pages.columns.runs),
    },
    neighbours: { first: u32(neighbours.first), count: u32(neighbours.count) },
    events: eventsOf(table('events'), firstEvent),
  };
}
