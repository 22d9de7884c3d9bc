// SPDX-License-Identifier: Apache-2.0
// Objects, types, modules, mappings, sites and processes. Each row filters everything else, and leads to the other views.
import type { App, View } from '../app';
import { button, choice, h } from '../dom';
import * as format from '../format';
import { swatch } from '../look';
import { neighbourBreaks, type Sum } from '../selection';
import type { Change, State } from '../state';
import { bytesColumn, countColumn, DataTable, type TableColumn } from '../table';
import { numbersTo, objectsOf } from './rows';

interface Source {
  key: string; // what the rows depend on
  rows: Uint32Array;
  columns: TableColumn[];
  sort: string;
  findIn: (row: number) => string;
  filter: (row: number) => Change; // to this row alone
  detail: (row: number) => (Node | null)[];
}

const TABLES: [string, string][] = [
  ['objects', 'Objects'],
  ['types', 'Types'],
  ['modules', 'Modules'],
  ['mappings', 'Mappings'],
  ['sites', 'Sites'],
  ['processes', 'Processes'],
];

class Tables implements View {
  readonly element = h('div', { class: 'tables' });
  private readonly tools = h('div', { class: 'tools' });
  private readonly find = h('input', {
    type: 'search',
    placeholder: 'Filter rows',
    'aria-label': 'Filter rows',
    oninput: () => this.app.store.change({ find: this.find.value, row: '' }, false),
  });
  private readonly shown = h('span', { class: 'muted shown', role: 'status' });
  private readonly table = new DataTable();
  private readonly detail = h('aside', { class: 'detail', 'aria-label': 'Selected row' });
  private source: Source | null = null;
  private readonly sources = new Map<string, Source>();

  constructor(private readonly app: App) {
    this.element.append(this.tools, h('div', { class: 'split' }, this.table.element, this.detail));
    this.find.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' || event.key === 'ArrowDown') this.table.focus();
    });
  }

  update(state: State): void {
    const { app } = this;
    const source = this.sourceOf(state);
    this.source = source;
    if (this.find.value !== state.find) this.find.value = state.find;
    this.tools.replaceChildren(
      choice('Table', TABLES, state.table, (table) =>
        app.store.change({ table, sort: '', row: '', find: '' }),
      ),
      this.find,
      ...(state.table === 'objects'
        ? [
            h(
              'label',
              {
                class: 'check',
                title:
                  'Items of one container, and objects that only their type names, are one row',
              },
              h('input', {
                type: 'checkbox',
                checked: state.together,
                onchange: () => app.store.change({ together: !state.together, row: '' }),
              }),
              'Items together',
            ),
          ]
        : []),
      this.shown,
    );
    const selected = /^\d+$/.test(state.row) ? Number(state.row) : null;
    this.table.update({
      label: TABLES.find(([key]) => key === state.table)?.[1] ?? '',
      columns: source.columns,
      rows: source.rows,
      sort: state.sort || source.sort,
      find: state.find,
      findIn: source.findIn,
      selected,
      onSort: (sort) => app.store.change({ sort }),
      onSelect: (row) => app.store.change({ row: row === null ? '' : String(row) }, false),
      onOpen: (row) => app.store.change(source.filter(row)),
    });
    this.shown.textContent = `${format.count(this.table.shown.length)} of ${format.counted(source.rows.length, 'row', 'rows')}`;
    this.drawDetail(selected !== null && this.table.shown.includes(selected) ? selected : null);
  }

  private sourceOf(state: State): Source {
    const key = `${state.table} ${state.together} ${this.app.filterKey()}`;
    let source = this.sources.get(key);
    if (!source) {
      if (this.sources.size > 12) this.sources.clear();
      this.sources.set(key, (source = { ...this.make(state), key }));
    }
    return source;
  }

  // The table that is shown first, sorted, before anybody asks for it.
  prepare(state: State): void {
    const source = this.sourceOf(state);
    this.table.prepare({ ...source, sort: state.sort || source.sort, find: state.find });
  }

  private drawDetail(row: number | null): void {
    const { app, source } = this;
    this.detail.hidden = row === null;
    this.detail.parentElement?.classList.toggle('with-detail', row !== null);
    if (row === null || !source) return;
    const show = (label: string, change: Change) =>
      button(label, () => app.store.change({ ...source.filter(row), ...change }));
    this.detail.replaceChildren(
      h(
        'div',
        { class: 'detail-tools' },
        show('Filter', {}),
        show('Time', { view: 'time' }),
        show('Map', { view: 'memory', scope: null, page: '', level: null }),
        show('Flame graph', { view: 'flame', zoom: '' }),
        button('×', () => app.store.change({ row: '' }), { 'aria-label': 'Close' }),
      ),
      ...source.detail(row).filter((node): node is Node => node !== null),
    );
  }

  private make(state: State): Omit<Source, 'key'> {
    switch (state.table) {
      case 'types':
        return this.named(
          'type',
          'Type',
          (i) => (i ? this.app.names.typeOf[i - 1] : '(not known)'),
          this.app.selection.object,
        );
      case 'modules':
        return this.named(
          'module',
          'File or library of the code that wrote',
          (i) => (i ? this.app.names.moduleOf[i - 1] : '(not known)'),
          this.app.selection.site,
        );
      case 'mappings':
        return this.named(
          'mapping',
          'Mapping',
          (i) => (i ? this.app.report.ranges[i - 1].name : '(not known)'),
          this.app.selection.range,
        );
      case 'sites':
        return this.sites();
      case 'processes':
        return this.processes();
      default:
        return state.together ? this.objectsTogether() : this.objects();
    }
  }

  private share(bytes: (row: number) => number): (row: number) => number {
    const all = this.app.bytes || 1;
    return (row) => bytes(row) / all;
  }

  private causesOf(test: (event: number) => boolean): HTMLElement {
    const { events, meta } = this.app.report;
    const sums = new Float64Array(meta.causes.length);
    const { chosen } = this.app.selection;
    for (let i = 0; i < events.n; ++i)
      if (chosen[i] === 1 && test(i)) sums[events.cause[i]] += events.bytes[i];
    return h(
      'ul',
      { class: 'causes-of' },
      [...sums.keys()]
        .filter((i) => sums[i])
        .sort((a, b) => sums[b] - sums[a])
        .map((i) =>
          h(
            'li',
            {},
            swatch(meta.causes[i]),
            ` ${meta.causes[i]} `,
            h('span', { class: 'muted' }, format.bytes(sums[i])),
          ),
        ),
    );
  }

  private facts(list: [string, string | Node][]): HTMLElement {
    return h(
      'dl',
      { class: 'facts' },
      list.flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]),
    );
  }

  private objectsTogether(): Omit<Source, 'key'> {
    const { app } = this;
    const rows = app.objectRows;
    const name = (row: number) => app.report.strings[rows.name[row]] || '(no name)';
    const type = (row: number) => app.names.typeOf[rows.first[row]];
    return {
      rows: numbersTo(rows.n),
      sort: '-bytes',
      findIn: (row) => `${name(row)} ${type(row)}`,
      columns: [
        { key: 'name', title: 'Object', width: 'minmax(180px, 3fr)', text: name },
        { key: 'type', title: 'Type', width: 'minmax(80px, 1fr)', text: type },
        countColumn('items', 'Objects', (row) => rows.objects[row], {
          width: '80px',
          about: 'Objects that this row stands for',
        }),
        countColumn('breaks', 'Breaks', (row) => rows.breaks[row]),
        bytesColumn('bytes', 'Copied', (row) => rows.bytes[row], {
          bar: this.share((row) => rows.bytes[row]),
        }),
        countColumn('neighbour', 'Broken by others', (row) => rows.neighbour[row], {
          width: '124px',
          about: 'Breaks of its pages while nobody wrote it there',
        }),
      ],
      filter: (row) =>
        rows.objects[row] > 1
          ? { group: [rows.first[row] + 1] }
          : { object: [rows.first[row] + 1] },
      detail: (row) => this.objectDetail(name(row), objectsOf(rows, row)),
    };
  }

  private objects(): Omit<Source, 'key'> {
    const { app } = this;
    const { objects } = app.report;
    const sum = app.selection.object;
    const neighbours = neighbourBreaks(app.report, app.selection).slice();
    const rows = numbersTo(objects.n).filter((i) => sum.breaks[i + 1] > 0 || neighbours[i] > 0);
    return {
      rows,
      sort: '-bytes',
      findIn: (row) => `${app.objectName(row)} ${app.names.typeOf[row]}`,
      columns: [
        {
          key: 'name',
          title: 'Object',
          width: 'minmax(180px, 3fr)',
          text: (row) => app.objectName(row),
        },
        {
          key: 'type',
          title: 'Type',
          width: 'minmax(80px, 1fr)',
          text: (row) => app.names.typeOf[row],
        },
        {
          key: 'address',
          title: 'Address',
          width: '130px',
          number: (row) => objects.address[row],
          text: (row) => format.hex(objects.address[row]),
        },
        bytesColumn('size', 'Size', (row) => objects.size[row], { width: '84px' }),
        countColumn('breaks', 'Breaks', (row) => sum.breaks[row + 1]),
        bytesColumn('bytes', 'Copied', (row) => sum.bytes[row + 1], {
          bar: this.share((row) => sum.bytes[row + 1]),
        }),
        countColumn('neighbour', 'Broken by others', (row) => neighbours[row], {
          width: '124px',
          about: 'Breaks of its pages while nobody wrote it there',
        }),
      ],
      filter: (row) => ({ object: [row + 1] }),
      detail: (row) => this.objectDetail(app.objectName(row), [row]),
    };
  }

  private objectDetail(name: string, list: number[]): (Node | null)[] {
    const { app } = this;
    const { objects, events, strings, pages, meta } = app.report;
    const mine = new Set(list.map((i) => i + 1));
    const fields = new Map<string, number>();
    const processes = new Map<number, number>();
    let page = -1;
    for (let i = 0; i < events.n; ++i) {
      if (app.selection.chosen[i] !== 1 || !mine.has(events.object[i])) continue;
      if (page < 0) page = events.page[i];
      if (events.field[i])
        fields.set(
          strings[events.field[i]],
          (fields.get(strings[events.field[i]]) ?? 0) + events.count[i],
        );
      const process = pages.process[events.page[i]];
      processes.set(process, (processes.get(process) ?? 0) + events.bytes[i]);
    }
    const first = list[0];
    const items = Math.max(...list.slice(0, 1000).map((i) => objects.groupItems[i]));
    const most = [...fields].sort((a, b) => b[1] - a[1]).slice(0, 12);
    return [
      h('h3', { class: 'untrusted' }, name),
      this.facts([
        ['type', app.names.typeOf[first]],
        ['kind', meta.kinds[objects.kind[first]]],
        ...(list.length > 1
          ? [
              [
                'objects',
                `${format.count(list.length)}${items ? ` of ${format.count(items)} items` : ''}`,
              ] as [string, string],
            ]
          : [
              ['address', format.hex(objects.address[first])] as [string, string],
              ['size', format.bytes(objects.size[first])] as [string, string],
            ]),
      ]),
      page >= 0
        ? button('Its first broken page', () =>
            app.store.change({
              view: 'memory',
              page: format.hex(pages.page[page] * 4096),
              scope: pages.process[page],
              level: null,
            }),
          )
        : null,
      h('h4', {}, 'Causes'),
      this.causesOf((i) => mine.has(events.object[i])),
      most.length ? h('h4', {}, 'What of it was written') : null,
      most.length
        ? h(
            'ul',
            { class: 'causes-of' },
            most.map(([field, n]) =>
              h(
                'li',
                {},
                h('code', {}, field),
                h('span', { class: 'muted' }, ` ${format.count(n)}`),
              ),
            ),
          )
        : null,
      processes.size ? h('h4', {}, 'In') : null,
      h(
        'ul',
        { class: 'causes-of' },
        [...processes]
          .sort((a, b) => b[1] - a[1])
          .slice(0, 20)
          .map(([key, sum]) =>
            h(
              'li',
              {},
              app.processName(key),
              h('span', { class: 'muted' }, ` ${format.bytes(sum)}`),
            ),
          ),
      ),
    ];
  }

  // Rows are the distinct names of what `sum` is indexed by.
  private named(
    key: 'type' | 'module' | 'mapping',
    title: string,
    nameOf: (i: number) => string,
    sum: Sum,
  ): Omit<Source, 'key'> {
    const { app } = this;
    const rows: { name: string; breaks: number; bytes: number; parts: number }[] = [];
    const at = new Map<string, number>();
    for (let i = 0; i < sum.breaks.length; ++i) {
      if (!sum.breaks[i]) continue;
      const name = nameOf(i);
      let row = at.get(name);
      if (row === undefined) {
        at.set(name, (row = rows.length));
        rows.push({ name, breaks: 0, bytes: 0, parts: 0 });
      }
      rows[row].breaks += sum.breaks[i];
      rows[row].bytes += sum.bytes[i];
      rows[row].parts += 1;
    }
    const parts = { type: 'Objects', module: 'Sites', mapping: 'Ranges' }[key];
    return {
      rows: Uint32Array.from(rows.keys()),
      sort: '-bytes',
      findIn: (row) => rows[row].name,
      columns: [
        { key: 'name', title, width: 'minmax(240px, 1fr)', text: (row) => rows[row].name },
        countColumn('parts', parts, (row) => rows[row].parts),
        countColumn('breaks', 'Breaks', (row) => rows[row].breaks),
        bytesColumn('bytes', 'Copied', (row) => rows[row].bytes, {
          bar: this.share((row) => rows[row].bytes),
        }),
      ],
      filter: (row) => ({ [key]: [rows[row].name] }),
      detail: (row) => {
        const { events, pages } = app.report;
        const name = rows[row].name;
        const indexOf = (i: number) =>
          key === 'type'
            ? events.object[i]
            : key === 'module'
              ? events.site[i]
              : pages.range[events.page[i]];
        const mine = Uint8Array.from({ length: sum.breaks.length }, (_, i) =>
          nameOf(i) === name ? 1 : 0,
        );
        return [
          h('h3', { class: 'untrusted' }, name),
          this.facts([
            [parts.toLowerCase(), format.count(rows[row].parts)],
            ['breaks', format.count(rows[row].breaks)],
            ['copied', format.bytes(rows[row].bytes)],
          ]),
          h('h4', {}, 'Causes'),
          this.causesOf((i) => mine[indexOf(i)] === 1),
        ];
      },
    };
  }

  private sites(): Omit<Source, 'key'> {
    const { app } = this;
    const sum = app.selection.site;
    const text = (row: number) => (row ? app.siteText(row - 1) : '(stack not known)');
    const callers = (row: number) =>
      row
        ? app
            .siteFrames(row - 1)
            .slice(1)
            .map((frame) => app.report.frames[frame].fn)
            .join(' ← ')
        : '';
    return {
      rows: Uint32Array.from([...sum.breaks.keys()].filter((i) => sum.breaks[i] > 0)),
      sort: '-bytes',
      findIn: (row) =>
        row
          ? app
              .siteFrames(row - 1)
              .map((frame) => app.frameText(frame))
              .join(' ')
          : text(row),
      columns: [
        { key: 'site', title: 'Written by', width: 'minmax(200px, 1.2fr)', text },
        { key: 'callers', title: 'Called from', width: 'minmax(160px, 1fr)', text: callers },
        countColumn('breaks', 'Breaks', (row) => sum.breaks[row]),
        bytesColumn('bytes', 'Copied', (row) => sum.bytes[row], {
          bar: this.share((row) => sum.bytes[row]),
        }),
      ],
      filter: (row) => ({ site: [row] }),
      detail: (row) => [
        h('h3', { class: 'untrusted' }, text(row)),
        row
          ? h(
              'ol',
              { class: 'stack-frames' },
              app.siteFrames(row - 1).map((frame) => {
                const { fn, file, line, module, python, inlined, unnamed } =
                  app.report.frames[frame];
                return h(
                  'li',
                  { class: python ? 'python' : 'native' },
                  h(
                    'button',
                    {
                      type: 'button',
                      class: 'plain',
                      title: 'Everything that went through this function',
                      onclick: () => app.store.toggle('frame', frame),
                    },
                    h('code', {}, fn),
                    h(
                      'span',
                      { class: 'muted' },
                      `${python ? 'Python' : inlined ? 'inlined' : 'native'}  ${file ? `${file}${line ? `:${line}` : ''}` : module || unnamed}`,
                    ),
                  ),
                );
              }),
            )
          : null,
        row && app.report.sites.truncated[row - 1]
          ? h('p', { class: 'muted' }, 'The stack went on; only this much was recorded.')
          : null,
        h('h4', {}, 'Causes'),
        this.causesOf((i) => app.report.events.site[i] === row),
      ],
    };
  }

  // How long it stood still, of the whole run: a filter chooses breaks, not waits.
  private stalls(row: number): Node[] {
    const stall = this.app.report.meta.stalls.find((one) => one.process === row);
    if (!stall) return [];
    const most = Math.max(...stall.histogram.map((bucket) => bucket.count), 1);
    const bound = (ns: number) => format.tick(ns);
    return [
      h('h4', {}, 'Stalls'),
      this.facts([
        [
          'its forks',
          stall.forks
            ? `${format.count(stall.forks)}, ${format.duration(stall.fork_total_ns)}, the longest ${format.duration(stall.fork_max_ns)}`
            : '–',
        ],
        ['breaks', `${format.count(stall.breaks)}, ${format.duration(stall.break_total_ns)}`],
        ...(stall.latency_ns
          ? [
              [
                'p50, p99, longest',
                [stall.latency_ns.p50, stall.latency_ns.p99, stall.latency_ns.max]
                  .map(format.duration)
                  .join(', '),
              ] as [string, string],
            ]
          : []),
      ]),
      h(
        'table',
        { class: 'histogram' },
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            h('th', { scope: 'col' }, 'Wait'),
            h('th', { scope: 'col' }, 'Breaks'),
            h('td', {}),
          ),
        ),
        h(
          'tbody',
          {},
          stall.histogram.map((bucket) =>
            h(
              'tr',
              {},
              h(
                'th',
                { scope: 'row' },
                bucket.below_ns === null
                  ? `${bound(bucket.from_ns)} and more`
                  : `${bound(bucket.from_ns)} – ${bound(bucket.below_ns)}`,
              ),
              h('td', {}, format.count(bucket.count)),
              h(
                'td',
                { class: 'length' },
                h('div', {
                  class: 'fill',
                  style: { width: `${Math.max(1, (100 * bucket.count) / most)}%` },
                }),
              ),
            ),
          ),
        ),
      ),
    ];
  }

  private processes(): Omit<Source, 'key'> {
    const { app } = this;
    const { processes } = app.report.meta;
    const { selection } = app;
    const breaks = (row: number) =>
      selection.filtered ? selection.process.breaks[row] : processes[row].breaks;
    const copied = (row: number) =>
      selection.filtered ? selection.process.bytes[row] : processes[row].copied_bytes;
    const known = (value: number | null) => value ?? 0;
    const audit = (row: number) => {
      const one = processes[row].audit;
      return one
        ? one.unexplained
          ? `⚠ ${format.count(one.unexplained)} unexplained`
          : '✓ explained'
        : '○ none';
    };
    return {
      rows: Uint32Array.from(processes.keys()),
      sort: '-bytes',
      findIn: (row) => app.processName(row),
      columns: [
        {
          key: 'pid',
          title: 'PID',
          width: '80px',
          number: (row) => processes[row].pid,
          text: (row) => String(processes[row].pid),
        },
        {
          key: 'command',
          title: 'Command',
          width: 'minmax(120px, 1fr)',
          text: (row) => processes[row].command,
        },
        {
          key: 'start',
          title: 'Start',
          width: '92px',
          number: (row) => processes[row].start_ns,
          text: (row) => format.duration(processes[row].start_ns),
        },
        bytesColumn('inherited', 'Inherited', (row) => known(processes[row].inherited_bytes), {
          text: (row) => format.bytes(processes[row].inherited_bytes),
        }),
        countColumn('breaks', 'Breaks', breaks),
        bytesColumn('bytes', 'Copied', copied, { bar: this.share(copied) }),
        bytesColumn('shared', 'Still shared', (row) => known(processes[row].still_shared_bytes), {
          text: (row) => format.bytes(processes[row].still_shared_bytes),
        }),
        { key: 'audit', title: 'Audit', width: '130px', text: audit },
      ],
      filter: (row) => ({ process: [row] }),
      detail: (row) => {
        const process = processes[row];
        return [
          h('h3', { class: 'untrusted' }, app.processName(row)),
          this.facts([
            [
              'forked from',
              process.forked_from !== null ? app.processName(process.forked_from) : '–',
            ],
            ['forked', process.fork_ns !== null ? format.duration(process.fork_ns) : '–'],
            [
              'its fork kept the parent for',
              process.fork_took_ns !== null ? format.duration(process.fork_took_ns) : '–',
            ],
            [
              'ended',
              process.exit_ns !== null
                ? `${format.duration(process.exit_ns)}, ${format.end(process.end)}`
                : 'it was still running',
            ],
            ['Python', process.python ?? '–'],
            ['inherited', format.bytes(process.inherited_bytes)],
            ['copied', format.bytes(copied(row))],
            ['still shared', format.bytes(process.still_shared_bytes)],
            [
              'audit',
              process.audit
                ? `${format.count(process.audit.explained)} of ${format.count(process.audit.private_pages)} private pages explained`
                : `none: ${process.audit_missing ?? ''}`,
            ],
          ]),
          ...this.stalls(row),
          h('h4', {}, 'Causes'),
          this.causesOf((i) => app.report.pages.process[app.report.events.page[i]] === row),
        ];
      },
    };
  }
}

export const makeTables = (app: App): View => new Tables(app);
