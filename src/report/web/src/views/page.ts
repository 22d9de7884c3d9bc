// SPDX-License-Identifier: Apache-2.0
// One page: its objects in place, the byte that was written, and the neighbours that paid for it.
import type { App } from '../app';
import { button, h, hideTip, showTip, sized } from '../dom';
import * as format from '../format';
import { causeColor, color, fill, swatch } from '../look';

const ROW_BYTES = 64;
const CELL = 6; // of one byte, in both directions
const EDGE = 5; // for the mark of a byte at the border
const PAGE = 4096;

interface Event {
  index: number;
  offset: number;
  cause: string;
  isBreak: boolean;
}
interface Thing {
  object: number;
  from: number;
  to: number;
  cause: string | null;
} // cause: of the write; null for a neighbour

export class PageView {
  readonly element = h('aside', { class: 'page detail', 'aria-label': 'One page' });
  private things: Thing[] = [];
  private pointed: number | null = null;
  private readonly canvas = h('canvas', { class: 'page-map', role: 'img' });
  private row = -1;
  private start = 0;

  constructor(private readonly app: App) {
    this.canvas.addEventListener('pointermove', (event) => this.hover(event));
    this.canvas.addEventListener('pointerleave', () => {
      hideTip();
      this.point(null);
    });
  }

  show(rows: number[] | null, page: number | null, scope: number | null): void {
    this.element.hidden = rows === null;
    if (!rows || page === null) return;
    const { report } = this.app;
    const close = button('×', () => this.app.store.change({ page: '' }), {
      class: 'close',
      'aria-label': 'Close',
    });
    const head = h(
      'div',
      { class: 'detail-tools' },
      h('h3', {}, `Page ${format.hex(page * PAGE)}`),
      close,
    );
    if (!rows.length) {
      this.element.replaceChildren(
        head,
        h(
          'p',
          { class: 'muted' },
          'No event speaks of this page: it is still shared, or was never there.',
        ),
      );
      return;
    }
    // In the process that is looked at; or else in the first that broke it.
    const broke = (row: number) => this.eventsOf(row, page).some((event) => event.isBreak);
    this.row =
      rows.find((row) => report.pages.process[row] === scope) ?? rows.find(broke) ?? rows[0];
    this.start = page * PAGE;
    const events = this.eventsOf(this.row, page);
    this.things = this.thingsOn(this.row, events);
    const range = report.pages.range[this.row];
    this.canvas.setAttribute(
      'aria-label',
      `${this.things.length} objects on this page, ${events.length} events`,
    );
    this.element.replaceChildren(
      head,
      h(
        'p',
        { class: 'muted untrusted' },
        range ? report.ranges[range - 1].name : '(mapping not known)',
      ),
      this.processTable(rows, page),
      this.canvas,
      h(
        'p',
        { class: 'keys muted small' },
        h('i', { class: 'byte' }),
        'byte that was written; coloured objects were written, grey ones are neighbours that paid',
      ),
      this.list(events),
    );
    this.draw(events);
  }

  private eventsOf(row: number, page: number): Event[] {
    const { events, pages, meta } = this.app.report;
    const list: Event[] = [];
    for (let i = pages.firstEvent[row]; i < pages.firstEvent[row + 1]; ++i) {
      const mechanism = meta.mechanisms[events.mechanism[i]];
      list.push({
        index: i,
        offset: events.offset[i] - (page - pages.page[row]) * PAGE,
        cause: meta.causes[events.cause[i]],
        isBreak: mechanism.is_break,
      });
    }
    return list;
  }

  private thingsOn(row: number, list: Event[]): Thing[] {
    const { events, pages, neighbours, objects, meta } = this.app.report;
    const mapping = meta.kinds.indexOf('mapping');
    const found = new Map<number, string | null>();
    for (let run = pages.firstRun[row]; run < pages.firstRun[row + 1]; ++run)
      for (let k = 0; k < neighbours.count[run]; ++k) found.set(neighbours.first[run] + k, null);
    for (const event of list) {
      const object = events.object[event.index];
      if (object && objects.kind[object - 1] !== mapping)
        found.set(
          object - 1,
          event.isBreak || !found.get(object - 1) ? event.cause : (found.get(object - 1) ?? null),
        );
    }
    const things: Thing[] = [];
    for (const [object, cause] of found) {
      const from = Math.max(0, objects.address[object] - this.start);
      const to = Math.min(
        PAGE,
        objects.address[object] + Math.max(1, objects.size[object]) - this.start,
      );
      if (to > from) things.push({ object, from, to, cause });
    }
    return things.sort((a, b) => a.from - b.from || b.to - a.to);
  }

  private processTable(rows: number[], page: number): HTMLElement {
    const { report } = this.app;
    const { events, pages, meta } = report;
    return h(
      'table',
      { class: 'page-processes' },
      h(
        'tbody',
        {},
        rows.slice(0, 12).map((row) => {
          const list = this.eventsOf(row, page);
          const last = list.findLast((event) => event.isBreak) ?? list[list.length - 1];
          const frame = (value: number) => (value ? value.toString(16) : '?');
          const actor = events.actor[last.index];
          return h(
            'tr',
            { 'aria-selected': String(row === this.row) },
            h(
              'th',
              { scope: 'row' },
              button(
                this.app.processName(pages.process[row]),
                () => this.app.store.change({ scope: pages.process[row] }),
                { class: 'plain' },
              ),
            ),
            h(
              'td',
              {},
              swatch(last.isBreak ? last.cause : 'quiet'),
              ` ${meta.mechanisms[events.mechanism[last.index]].name}${last.isBreak ? `, ${last.cause}` : ''}`,
              actor ? ` by ${report.actors[actor - 1].filter(Boolean).join(' ')}` : '',
            ),
            h('td', { class: 'muted' }, format.duration(events.time[last.index])),
            h(
              'td',
              { class: 'muted', title: 'page frame before and after' },
              `${frame(events.oldFrame[last.index])} → ${frame(events.newFrame[last.index])}`,
            ),
          );
        }),
      ),
      rows.length > 12
        ? h('caption', { class: 'muted' }, `and ${rows.length - 12} more processes`)
        : null,
    );
  }

  // A hairline below where the object does not go on in the next line, so that two neighbours are two.
  private rects(
    from: number,
    to: number,
    visit: (x: number, y: number, width: number, height: number) => void,
  ): void {
    for (let at = from; at < to; ) {
      const row = Math.floor(at / ROW_BYTES);
      const end = Math.min(to, (row + 1) * ROW_BYTES);
      const last = end === to && end % ROW_BYTES === 0;
      const goesOn = to >= end + ROW_BYTES || (!last && end < to && to - end > at % ROW_BYTES);
      visit(
        (at % ROW_BYTES) * CELL,
        row * CELL,
        (end - at) * CELL - (end === to ? 1 : 0),
        goesOn ? CELL : CELL - 1,
      );
      at = end;
    }
  }

  private draw(events: Event[]): void {
    const size = ROW_BYTES * CELL;
    const c = sized(this.canvas, size + 2 * EDGE, size + 2 * EDGE);
    c.translate(EDGE, EDGE);
    c.fillStyle = color('bg');
    c.fillRect(0, 0, size, size);
    for (const thing of this.things) {
      c.fillStyle = thing.cause ? fill(c, thing.cause) : color('state-quiet');
      this.rects(thing.from, thing.to, (x, y, width, height) => c.fillRect(x, y, width, height));
    }
    if (this.pointed !== null && this.things[this.pointed]) {
      const thing = this.things[this.pointed];
      c.fillStyle = color('accent');
      c.globalAlpha = 0.55;
      this.rects(thing.from, thing.to, (x, y, width, height) => c.fillRect(x, y, width, height));
      c.globalAlpha = 1;
    }
    for (const event of events) {
      if (event.offset < 0 || event.offset >= PAGE) continue;
      const x = (event.offset % ROW_BYTES) * CELL;
      const y = Math.floor(event.offset / ROW_BYTES) * CELL;
      c.fillStyle = event.isBreak ? causeColor(event.cause) : color('muted');
      c.fillRect(x, y, CELL, CELL);
      c.strokeStyle = color('panel');
      c.lineWidth = 4;
      c.strokeRect(x - 3, y - 3, CELL + 6, CELL + 6);
      c.strokeStyle = color('text');
      c.lineWidth = 2;
      c.strokeRect(x - 3, y - 3, CELL + 6, CELL + 6);
    }
    this.redraw = () => this.draw(events);
  }

  private redraw: () => void = () => undefined;

  private list(events: Event[]): HTMLElement {
    const { report } = this.app;
    const fields = new Map<number, string[]>();
    for (const event of events) {
      const object = report.events.object[event.index];
      const field = report.strings[report.events.field[event.index]];
      const site = report.events.site[event.index];
      const text = [field, site ? this.app.siteText(site - 1) : ''].filter(Boolean).join(', ');
      if (object && text) fields.set(object - 1, [...(fields.get(object - 1) ?? []), text]);
    }
    const paid = this.things.filter((thing) => thing.cause === null).length;
    const rows = [...this.things.keys()].sort(
      (a, b) =>
        Number(this.things[a].cause === null) - Number(this.things[b].cause === null) ||
        this.things[a].from - this.things[b].from,
    );
    const unknown = events.filter(
      (event) =>
        !this.things.some((thing) => event.offset >= thing.from && event.offset < thing.to),
    );
    return h(
      'div',
      {},
      h(
        'h4',
        {},
        this.things.length
          ? `${format.counted(this.things.length - paid, 'object', 'objects')} written, ${format.counted(paid, 'neighbour', 'neighbours')}`
          : 'No object is known on this page',
      ),
      ...unknown
        .slice(0, 8)
        .map((event) =>
          h(
            'p',
            { class: 'muted' },
            `+${event.offset} written${event.isBreak ? ` (${event.cause})` : ''}: only the mapping is known there`,
          ),
        ),
      h(
        'ol',
        { class: 'things' },
        rows
          .slice(0, 300)
          .map((at) => {
            const thing = this.things[at];
            return h(
              'li',
              { onpointerenter: () => this.point(at), onpointerleave: () => this.point(null) },
              button('', () => this.app.store.change({ object: [thing.object + 1] }), {
                class: 'plain',
                title: 'Filter by this object',
              }),
            );
          })
          .map((item, i) => {
            const thing = this.things[rows[i]];
            const line = item.firstChild as HTMLElement;
            line.append(
              h('span', { class: 'offset mono' }, `+${thing.from}`),
              swatch(thing.cause ?? 'quiet'),
              h('span', { class: 'name' }, this.app.objectName(thing.object)),
              h('span', { class: 'muted' }, this.app.names.typeOf[thing.object]),
            );
            for (const text of new Set(fields.get(thing.object) ?? []))
              item.append(h('div', { class: 'muted field' }, text));
            return item;
          }),
      ),
    );
  }

  private point(at: number | null): void {
    if (this.pointed === at) return;
    this.pointed = at;
    this.redraw();
  }

  private hover(event: PointerEvent): void {
    const bounds = this.canvas.getBoundingClientRect();
    const offset =
      Math.floor((event.clientY - bounds.top - EDGE) / CELL) * ROW_BYTES +
      Math.floor((event.clientX - bounds.left - EDGE) / CELL);
    const at = this.things.findLastIndex((thing) => offset >= thing.from && offset < thing.to);
    this.point(at < 0 ? null : at);
    const place = `+${offset}  ${format.hex(this.start + offset)}`;
    if (at < 0) {
      showTip(event, [place, 'no object is known here']);
      return;
    }
    const thing = this.things[at];
    showTip(event, [
      this.app.objectName(thing.object),
      `${this.app.names.typeOf[thing.object]}, ${format.bytes(this.app.report.objects.size[thing.object])}`,
      place,
      thing.cause ? `written: ${thing.cause}` : 'not written: an innocent neighbour',
    ]);
  }
}
