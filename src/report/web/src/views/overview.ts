// SPDX-License-Identifier: Apache-2.0
// How much, where, why, what to do, and how far this can be trusted: one screen.
import type { App, View } from '../app';
import { button, h } from '../dom';
import * as format from '../format';
import { CAUSE_MEANS, PHASE_MEANS } from '../help';
import { swatch } from '../look';
import type { Sum } from '../selection';
import type { Change } from '../state';

type Bar = {
  name: string;
  title?: string;
  value: number;
  detail: string;
  mark?: string;
  action?: () => void;
};

const panel = (
  title: string,
  about: string,
  className: string,
  ...children: (Node | null)[]
): HTMLElement =>
  h(
    'section',
    { class: `panel ${className}` },
    h('h2', {}, title, about ? h('span', { class: 'about' }, about) : null),
    ...children,
  );

function bars(list: Bar[], most: number, empty: string): HTMLElement {
  if (!list.length) return h('p', { class: 'muted' }, empty);
  return h(
    'ol',
    { class: 'bars' },
    list
      .map((bar) =>
        h(
          'li',
          {},
          button('', () => bar.action?.(), { class: 'barline', title: bar.title ?? bar.name }),
        ),
      )
      .map((item, i) => {
        const line = item.firstChild as HTMLElement;
        const bar = list[i];
        line.append(
          h('span', {
            class: 'fill',
            style: { width: `${most > 0 ? Math.max(0.5, (100 * bar.value) / most) : 0}%` },
          }),
          ...(bar.mark ? [swatch(bar.mark)] : []),
          h('span', { class: 'name' }, bar.name),
          h('span', { class: 'value' }, bar.detail),
        );
        return item;
      }),
  );
}

// The largest of a Sum, with an index that 0 means none in.
function largest(sum: Sum, n: number): number[] {
  const order = [...sum.bytes.keys()].filter((i) => sum.breaks[i] > 0);
  return order.sort((a, b) => sum.bytes[b] - sum.bytes[a] || a - b).slice(0, n);
}

class Overview implements View {
  readonly element = h('div', { class: 'overview' });
  private drawnFor = '';

  constructor(private readonly app: App) {}

  update(): void {
    const key = `${this.app.filterKey()} ${innerWidth} ${innerHeight} ${document.documentElement.dataset.theme}`;
    if (key === this.drawnFor) return;
    this.drawnFor = key;
    const filtered = this.app.selection.filtered;
    this.element.replaceChildren(
      h(
        'div',
        { class: 'headline' },
        h('h1', {}, this.headline()),
        filtered
          ? h(
              'p',
              { class: 'muted' },
              'Filtered: what follows speaks of the selected breaks; inherited, shared and the audit are of the whole run.',
            )
          : null,
      ),
      h(
        'div',
        { class: 'main-columns' },
        this.figures(),
        h('div', { class: 'column' }, this.causes(), this.phases(), this.processes()),
        h('div', { class: 'column' }, this.where(), this.sites()),
      ),
      h('div', { class: 'column' }, this.advice(), this.trust()),
    );
  }

  private go(change: Change): void {
    this.app.store.change(change);
  }

  private headline(): string {
    const { app } = this;
    if (!app.selection.filtered) return app.report.meta.headline;
    return `${format.counted(app.breaks, 'selected break', 'selected breaks')}: ${format.bytes(app.bytes)} copied`;
  }

  private figures(): HTMLElement {
    const { app } = this;
    const { totals } = app.report.meta;
    const filtered = app.selection.filtered;
    const figure = (label: string, value: string, about: string) =>
      h('div', { class: 'figure', title: about }, h('dd', {}, value), h('dt', {}, label));
    const written = totals.written_bytes;
    return h(
      'dl',
      { class: 'figures' },
      figure(
        'copied',
        format.bytes(app.bytes),
        'What the breaks cost: one page each, or a huge page',
      ),
      figure(
        'shared pages broken',
        format.count(app.breaks),
        'Writes or pins that gave a process its own copy of a page that it shared',
      ),
      figure(
        'written to break them',
        filtered ? '–' : format.bytes(written),
        'What the instructions that broke the pages stored, as far as their code tells',
      ),
      figure(
        'inherited',
        format.bytes(totals.inherited_bytes),
        'Private anonymous memory that was present at the forks, summed over processes',
      ),
      figure(
        'still shared at exit',
        format.bytes(totals.still_shared_bytes),
        'Inherited pages that had the same frame at exit, and another process that maps it',
      ),
    );
  }

  private causes(): HTMLElement {
    const { app } = this;
    const { causes, mechanisms, totals } = app.report.meta;
    const { selection } = app;
    const sums = causes.map((cause, i) =>
      selection.filtered
        ? { breaks: selection.cause.breaks[i], bytes: selection.cause.bytes[i] }
        : (totals.by_cause[cause] ?? { breaks: 0, bytes: 0 }),
    );
    const order = [...sums.keys()]
      .filter((i) => sums[i].breaks)
      .sort((a, b) => sums[b].bytes - sums[a].bytes);
    const list: Bar[] = order.map((i) => ({
      name: causes[i],
      title: CAUSE_MEANS[causes[i]],
      value: sums[i].bytes,
      mark: causes[i],
      detail: `${format.bytes(sums[i].bytes)}  ${format.percent(sums[i].bytes, app.bytes)}`,
      action: () => app.store.toggle('cause', i),
    }));
    const kernel = mechanisms
      .map((one, i) => ({
        one,
        i,
        count: selection.filtered
          ? selection.mechanism.breaks[i]
          : totals.by_mechanism[one.name].count,
        latency: totals.by_mechanism[one.name].latency_ns,
      }))
      .filter((row) => row.count);
    return panel(
      'Why',
      'cause of the write',
      'causes',
      bars(list, Math.max(...sums.map((sum) => sum.bytes), 0), 'Nothing was broken.'),
      h(
        'table',
        { class: 'mechanisms' },
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            ['Kernel’s answer', 'count', 'p50', 'p99'].map((title) =>
              h('th', { scope: 'col' }, title),
            ),
          ),
        ),
        h(
          'tbody',
          {},
          kernel.map(({ one, i, count, latency }) =>
            h(
              'tr',
              {},
              h(
                'td',
                {},
                button(
                  `${one.name}${one.is_break ? ' *' : ''}`,
                  () => app.store.toggle('mechanism', i),
                  { class: 'plain', title: one.about },
                ),
              ),
              h('td', {}, format.count(count)),
              h('td', {}, latency ? format.duration(latency.p50) : '–'),
              h('td', {}, latency ? format.duration(latency.p99) : '–'),
            ),
          ),
        ),
      ),
      h('p', { class: 'muted small' }, '* memory that was shared; only these count as copied'),
    );
  }

  // In which part of a program's life; null where that is one for all, or not known.
  private phases(): HTMLElement | null {
    const { app } = this;
    const { phases, totals } = app.report.meta;
    const { selection } = app;
    if (!totals.by_phase) return null;
    const byPhase = totals.by_phase;
    const list = phases
      .map((name, i): Bar => {
        const bytes = selection.filtered ? selection.phase.bytes[i] : byPhase[name].bytes;
        return {
          name,
          title: PHASE_MEANS[name],
          value: bytes,
          detail: `${format.bytes(bytes)}  ${format.percent(bytes, app.bytes)}`,
          action: () => app.store.toggle('phase', i),
        };
      })
      .filter((bar) => bar.value > 0);
    if (list.length < 2 && !app.store.state.phase.length) return null;
    return panel(
      'When',
      'part of a program’s life',
      'phases',
      bars(list, Math.max(...list.map((bar) => bar.value), 0), 'Nothing was broken.'),
    );
  }

  private where(): HTMLElement {
    const { app } = this;
    const { selection, report } = app;
    const rows = app.objectRows;
    const mapping = report.meta.kinds.indexOf('mapping');
    const top: number[] = [];
    for (let row = 0; row < rows.n; ++row) {
      if (
        !rows.breaks[row] ||
        report.objects.kind[rows.first[row]] === mapping ||
        (top.length === 6 && rows.bytes[row] <= rows.bytes[top[5]])
      )
        continue;
      top.push(row);
      top.sort((x, y) => rows.bytes[y] - rows.bytes[x] || x - y).splice(6);
    }
    const objects: Bar[] = top.map((row) => ({
      name: report.strings[rows.name[row]] || '(no name)',
      title: `${report.strings[rows.name[row]]}  ${app.names.typeOf[rows.first[row]]}`,
      value: rows.bytes[row],
      detail: format.bytes(rows.bytes[row]),
      action: () =>
        this.go(
          rows.objects[row] > 1
            ? { group: [rows.first[row] + 1] }
            : { object: [rows.first[row] + 1] },
        ),
    }));
    const byName = new Map<string, number>();
    report.ranges.forEach((range, i) =>
      byName.set(range.name, (byName.get(range.name) ?? 0) + selection.range.bytes[i + 1]),
    );
    if (selection.range.bytes[0]) byName.set('(not known)', selection.range.bytes[0]);
    const mappings = [...byName]
      .filter(([, sum]) => sum > 0)
      .sort((a, b) => b[1] - a[1])
      .slice(0, 4)
      .map(
        ([name, sum]): Bar => ({
          name,
          value: sum,
          detail: format.bytes(sum),
          action: () => app.store.toggleName('mapping', name),
        }),
      );
    return panel(
      'Where',
      'objects that were written',
      'where',
      bars(objects, objects[0]?.value ?? 0, 'No object is known there; the mappings are.'),
      h('h3', {}, 'Mappings'),
      bars(mappings, mappings[0]?.value ?? 0, 'None.'),
      h(
        'p',
        { class: 'more' },
        button('All objects', () => this.go({ view: 'tables', table: 'objects' }), {
          class: 'link',
        }),
        button('Memory map', () => this.go({ view: 'memory' }), { class: 'link' }),
      ),
    );
  }

  private sites(): HTMLElement {
    const { app } = this;
    // Stacks that end in the same line are one row here; the flame graph has what is below.
    const byText = new Map<string, { bytes: number; sites: number[] }>();
    for (const site of largest(app.selection.site, 5000)) {
      const text = site ? app.siteText(site - 1) : '(stack not known)';
      const row = byText.get(text) ?? { bytes: 0, sites: [] };
      row.bytes += app.selection.site.bytes[site];
      row.sites.push(site);
      byText.set(text, row);
    }
    const list = [...byText]
      .sort((a, b) => b[1].bytes - a[1].bytes)
      .slice(0, 6)
      .map(
        ([name, row]): Bar => ({
          name,
          value: row.bytes,
          detail: format.bytes(row.bytes),
          action: () => this.go({ site: row.sites }),
          title: row.sites[0]
            ? app
                .siteFrames(row.sites[0] - 1)
                .map((frame) => app.frameText(frame))
                .join('\n')
            : undefined,
        }),
      );
    return panel(
      'By which code',
      'sites',
      'sites',
      bars(list, list[0]?.value ?? 0, 'No stacks were recorded.'),
      h(
        'p',
        { class: 'more' },
        button('Flame graph', () => this.go({ view: 'flame' }), { class: 'link' }),
        button('All sites', () => this.go({ view: 'tables', table: 'sites' }), { class: 'link' }),
      ),
    );
  }

  private processes(): HTMLElement {
    const { app } = this;
    const { processes } = app.report.meta;
    const { selection } = app;
    const copied = (key: number) =>
      selection.filtered ? selection.process.bytes[key] : processes[key].copied_bytes;
    const order = [...processes.keys()].sort((a, b) => copied(b) - copied(a)).slice(0, 8);
    const most = Math.max(
      ...order.map((key) => Math.max(processes[key].inherited_bytes ?? 0, copied(key))),
      1,
    );
    const lines = order.map((key) => {
      const process = processes[key];
      const shared = process.still_shared_bytes ?? 0;
      const inherited = process.inherited_bytes ?? 0;
      const part = (name: string, value: number) =>
        value > 0
          ? h('span', { class: `part ${name}`, style: { width: `${(100 * value) / most}%` } })
          : null;
      return h(
        'tr',
        {},
        h(
          'th',
          { scope: 'row' },
          button(app.processName(key), () => app.store.toggle('process', key), { class: 'plain' }),
        ),
        h(
          'td',
          { class: 'stack' },
          h(
            'div',
            {
              class: 'stackbar',
              title: `${format.bytes(process.inherited_bytes)} inherited, ${format.bytes(copied(key))} copied, ${format.bytes(process.still_shared_bytes)} still shared; the rest was unmapped or is private without a copy`,
            },
            part('copied', copied(key)),
            part('shared', shared),
            part('rest', Math.max(0, inherited - shared - copied(key))),
          ),
        ),
        h('td', {}, format.bytes(copied(key))),
        h('td', {}, format.bytes(process.still_shared_bytes)),
      );
    });
    return panel(
      'Processes',
      `${processes.length}`,
      'processes',
      h(
        'table',
        {},
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            ['Process', 'of what it inherited', 'copied', 'shared'].map((title) =>
              h('th', { scope: 'col' }, title),
            ),
          ),
        ),
        h('tbody', {}, lines),
      ),
      h(
        'p',
        { class: 'keys muted small' },
        h('span', { class: 'key copied' }),
        'copied',
        h('span', { class: 'key shared' }),
        'still shared',
        h('span', { class: 'key rest' }),
        'unmapped, or private without a copy',
      ),
      processes.length > 8
        ? h(
            'p',
            { class: 'more' },
            button(
              `All ${processes.length} processes`,
              () => this.go({ view: 'tables', table: 'processes' }),
              { class: 'link' },
            ),
          )
        : null,
    );
  }

  private advice(): HTMLElement {
    const { advice, watches } = this.app.report.meta;
    const items = advice.map((one) =>
      h(
        'li',
        {},
        h(
          'div',
          { class: 'save' },
          one.saves_at_most_bytes !== null
            ? h('strong', {}, format.bytes(one.saves_at_most_bytes))
            : null,
          h('span', {}, one.saves_at_most_bytes !== null ? 'at most' : ''),
        ),
        h('div', {}, h('p', {}, one.text), h('p', { class: 'muted small' }, one.page)),
      ),
    );
    const watched = watches.map((watch) =>
      h(
        'li',
        {},
        h('div', { class: 'save' }, h('strong', {}, watch.state), h('span', {}, String(watch.pid))),
        h(
          'div',
          {},
          h('p', {}, h('code', {}, watch.expression), watch.type ? ` ${watch.type}` : ''),
          h(
            'p',
            { class: 'muted small' },
            [
              watch.reason,
              watch.slot ? `${watch.slot.place}: ${watch.slot.state}` : '',
              watch.break
                ? `first written: ${watch.break.object ?? watch.break.written}${watch.break.field ? `, ${watch.break.field}` : ''} (${watch.break.cause})`
                : '',
            ]
              .filter(Boolean)
              .join('; '),
          ),
        ),
      ),
    );
    return panel(
      'What to do',
      'two rows may speak of the same copies',
      'advice',
      items.length
        ? h('ul', { class: 'advices' }, items)
        : h('p', { class: 'muted' }, 'No advice: nothing in this trace is evidence for any.'),
      watched.length ? h('h3', {}, 'Watched') : null,
      watched.length ? h('ul', { class: 'advices watches' }, watched) : null,
    );
  }

  private trust(): HTMLElement {
    const { warnings, capture, processes } = this.app.report.meta;
    const audited = processes.filter((process) => process.audit);
    const sum = (key: 'private_pages' | 'explained') =>
      audited.reduce((all, process) => all + (process.audit?.[key] ?? 0), 0);
    const reasons = new Map<string, number>();
    for (const process of audited)
      for (const [why, pages] of Object.entries(process.audit?.reasons ?? {}))
        reasons.set(why, (reasons.get(why) ?? 0) + pages);
    const unaudited = new Map<string, number>();
    for (const process of processes)
      if (!process.audit)
        unaudited.set(
          process.audit_missing ?? 'not known why',
          (unaudited.get(process.audit_missing ?? 'not known why') ?? 0) + 1,
        );
    const line = (mark: string, kind: string, text: string) =>
      h(
        'li',
        { class: kind },
        h('span', { class: 'sign', 'aria-hidden': 'true' }, mark),
        h('span', {}, text),
      );
    const complete = sum('private_pages') === sum('explained');
    const list = [
      ...warnings.map((text) => line('⚠', 'bad', text)),
      ...[...reasons].map(([why, pages]) =>
        line('⚠', 'bad', `unexplained, ${why}: ${format.counted(pages, 'page', 'pages')}`),
      ),
      ...capture.notes.slice(0, 5).map((text) => line('⚠', 'fair', text)),
      capture.notes.length > 5
        ? h(
            'li',
            { class: 'fair' },
            h(
              'details',
              {},
              h('summary', {}, `${capture.notes.length - 5} more notes`),
              h(
                'ul',
                { class: 'signs' },
                capture.notes.slice(5).map((text) => line('⚠', 'fair', text)),
              ),
            ),
          )
        : null,
      audited.length
        ? line(
            complete ? '✓' : '⚠',
            complete ? 'good' : 'bad',
            `audit of ${format.counted(audited.length, 'process', 'processes')}: ${format.count(sum('explained'))} of ${format.counted(sum('private_pages'), 'private page', 'private pages')} explained by events`,
          )
        : null,
      ...[...unaudited].map(([why, n]) =>
        line('○', 'fair', `not audited: ${format.counted(n, 'process', 'processes')}: ${why}`),
      ),
      line(
        capture.lost_events ? '⚠' : '✓',
        capture.lost_events ? 'bad' : 'good',
        `${format.counted(capture.events, 'event', 'events')}, ${format.count(capture.lost_events)} lost`,
      ),
      this.app.report.meta.objects_left_out
        ? line(
            '○',
            'fair',
            `${format.count(this.app.report.meta.objects_left_out)} neighbours are left out of this file; the JSON report has them`,
          )
        : null,
    ];
    const blind = capture.blind_spots.length
      ? h(
          'details',
          { open: true },
          h(
            'summary',
            {},
            format.counted(capture.blind_spots.length, 'blind spot', 'blind spots'),
            h('span', { class: 'muted' }, ' of this way of tracing: not seen'),
          ),
          h(
            'ul',
            {},
            capture.blind_spots.map((text) => h('li', {}, text)),
          ),
        )
      : null;
    return panel(
      'Can it be trusted?',
      '',
      `trust ${warnings.length ? 'has-bad' : ''}`,
      h('ul', { class: 'signs' }, list),
      blind,
      h(
        'p',
        { class: 'muted small' },
        `${format.duration(capture.duration_ns)} on Linux ${capture.kernel} ${capture.arch}, backend ${capture.backend}, detail ${capture.detail}, snapshot ${capture.snapshot}; ${capture.started_at.slice(0, 19).replace('T', ' ')} UTC`,
      ),
    );
  }
}

export const makeOverview = (app: App): View => new Overview(app);
