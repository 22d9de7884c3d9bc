// SPDX-License-Identifier: Apache-2.0
// What is around every view: where one is, what is filtered, whether the report can be trusted, and the keys.
import type { App, MakeView, View } from './app';
import { button, h, hideTip } from './dom';
import * as format from './format';
import { help } from './help';
import { themeChanged } from './look';
import type { ListKey, NameKey, State } from './state';
import { Strip } from './strip';
import { makeFlame } from './views/flame';
import { makeMemory } from './views/memory';
import { makeOverview } from './views/overview';
import { makeTables } from './views/tables';
import { makeTime } from './views/time';

const VIEWS: [string, string, MakeView][] = [
  ['overview', 'Overview', makeOverview],
  ['time', 'Time', makeTime],
  ['memory', 'Memory map', makeMemory],
  ['flame', 'Flame graph', makeFlame],
  ['tables', 'Tables', makeTables],
];

const dark = matchMedia('(prefers-color-scheme: dark)');

export class Shell {
  private readonly tabs = h('div', { class: 'tabs', role: 'tablist', 'aria-label': 'Views' });
  private readonly chips = h('div', { class: 'chips', role: 'group', 'aria-label': 'Filters' });
  private readonly sums = h('div', { class: 'sums', role: 'status' });
  private readonly main = h('main', { id: 'view', tabindex: -1 });
  private readonly strip: Strip;
  private readonly help: HTMLDialogElement;
  private readonly views = new Map<string, View>();
  private shown = '';

  constructor(
    private readonly app: App,
    root: HTMLElement,
  ) {
    document.title = `${app.report.meta.capture.command.join(' ').slice(0, 60)} – cowtrace`;
    this.strip = new Strip(app);
    this.help = help(app);
    const theme = button('', () => this.toggleTheme(), {
      class: 'icon theme',
      title: 'Light or dark (d)',
      'aria-label': 'Light or dark',
    });
    theme.append('◐');
    root.replaceChildren(
      h(
        'header',
        {},
        h(
          'div',
          { class: 'brand' },
          h('strong', {}, 'cowtrace'),
          h('span', { class: 'command', title: this.command }, this.command),
        ),
        this.tabs,
        this.verdict(),
        theme,
        button('?', () => this.help.showModal(), {
          class: 'icon',
          title: 'Keys, colours, licences (?)',
          'aria-label': 'Help',
        }),
      ),
      h(
        'div',
        { class: 'bar' },
        this.strip.element,
        h('div', { class: 'selection' }, this.sums, this.chips),
      ),
      this.main,
      this.help,
    );
    for (const [id, label] of VIEWS) {
      this.tabs.append(
        button(label, () => app.store.change({ view: id }), {
          role: 'tab',
          id: `tab-${id}`,
          'data-view': id,
          'aria-controls': 'view',
        }),
      );
    }
    app.store.subscribe((state, before) => this.update(state, before));
    dark.addEventListener('change', () => this.update(app.state, null));
    addEventListener('resize', () => this.update(app.state, null));
    document.addEventListener('keydown', (event) => this.key(event));
    this.update(app.state, null);
    // What the map needs and no filter changes, and the first table, are made while nobody waits for them.
    setTimeout(() => app.space, 50);
    setTimeout(() => this.view('tables').prepare?.(app.state), 100);
  }

  private view(id: string): View {
    let view = this.views.get(id);
    if (!view)
      this.views.set(id, (view = (VIEWS.find(([one]) => one === id) ?? VIEWS[0])[2](this.app)));
    return view;
  }

  private get command(): string {
    return this.app.report.meta.capture.command.join(' ');
  }

  // Seen on every view: an unexplained page or a lost event is never a matter of looking in the right place.
  private verdict(): HTMLElement {
    const { warnings, capture, processes, nothing_was_shared } = this.app.report.meta;
    const audited = processes.filter((process) => process.audit);
    const unexplained = audited.reduce(
      (sum, process) => sum + (process.audit?.unexplained ?? 0),
      0,
    );
    const bad = warnings.length > 0;
    const good =
      !bad && !nothing_was_shared && audited.length === processes.length && audited.length > 0;
    const text = unexplained
      ? `${format.counted(unexplained, 'page', 'pages')} unexplained`
      : bad
        ? `incomplete: ${format.counted(warnings.length, 'warning', 'warnings')}`
        : nothing_was_shared
          ? 'nothing was shared'
          : good
            ? 'all explained'
            : audited.length
              ? `${audited.length} of ${processes.length} audited`
              : 'not audited';
    const kind = bad ? 'bad' : good ? 'good' : 'fair';
    return button(
      `${kind === 'good' ? '✓' : kind === 'bad' ? '⚠' : '○'} ${text}`,
      () => this.app.store.change({ view: 'overview' }),
      {
        class: `verdict ${kind}`,
        title: [...warnings, `${capture.blind_spots.length} blind spots: see the overview`].join(
          '\n',
        ),
      },
    );
  }

  private theme(state: State): string {
    return state.theme || (dark.matches ? 'dark' : 'light');
  }

  private toggleTheme(): void {
    this.app.store.change(
      { theme: this.theme(this.app.state) === 'dark' ? 'light' : 'dark' },
      false,
    );
  }

  private update(state: State, before: State | null): void {
    const started = performance.now();
    let fresh = before;
    if (
      !before ||
      this.theme(before) !== this.theme(state) ||
      !document.documentElement.dataset.theme
    ) {
      document.documentElement.dataset.theme = this.theme(state);
      themeChanged();
      fresh = null;
    }
    hideTip();
    const id = VIEWS.some(([one]) => one === state.view) ? state.view : VIEWS[0][0];
    const view = this.view(id);
    for (const tab of this.tabs.children) {
      const mine = (tab as HTMLElement).dataset.view === id;
      tab.setAttribute('aria-selected', String(mine));
      tab.setAttribute('tabindex', mine ? '0' : '-1');
    }
    this.drawChips(state);
    this.strip.update(state, fresh);
    if (this.shown !== id) {
      this.main.replaceChildren(view.element);
      this.main.dataset.view = id;
      this.main.setAttribute('aria-labelledby', `tab-${id}`);
      this.shown = id;
      fresh = null;
    }
    view.update(state, fresh);
    this.main.dataset.answered = (performance.now() - started).toFixed(1);
  }

  private drawChips(state: State): void {
    const { app } = this;
    const selection = app.selection;
    this.sums.textContent = `${format.counted(app.breaks, 'break', 'breaks')}, ${format.bytes(app.bytes)} copied${selection.filtered ? ` of ${format.bytes(app.report.meta.totals.copied_bytes)}` : ''}`;
    const chips: HTMLElement[] = [];
    const chip = (what: string, text: string, remove: () => void) =>
      chips.push(
        h(
          'span',
          { class: 'chip' },
          h('span', { class: 'what' }, what),
          h('span', { class: 'name', title: text }, text),
          button('×', remove, { 'aria-label': `Remove filter ${what} ${text}` }),
        ),
      );
    if (state.time)
      chip('time', `${format.duration(state.time[0])} – ${format.duration(state.time[1])}`, () =>
        app.store.change({ time: null }),
      );
    const list = (key: ListKey, name: (value: number) => string) => {
      for (const value of state[key]) chip(key, name(value), () => app.store.toggle(key, value));
    };
    list('process', (key) => app.processName(key));
    list('cause', (cause) => app.report.meta.causes[cause] ?? '?');
    list('phase', (phase) => app.report.meta.phases[phase] ?? '?');
    list('mechanism', (mechanism) => app.report.meta.mechanisms[mechanism]?.name ?? '?');
    list('object', (object) =>
      object > 0 && object <= app.report.objects.n ? app.objectName(object - 1) : '(not known)',
    );
    list('group', (object) =>
      object > 0 && object <= app.report.objects.n ? app.groupName(object - 1) : '(not known)',
    );
    list('site', (site) =>
      site > 0 && site <= app.report.sites.n ? app.siteText(site - 1) : '(stack not known)',
    );
    list('frame', (frame) => (frame < app.report.frames.length ? app.frameText(frame) : '?'));
    for (const key of ['type', 'module', 'mapping'] as NameKey[])
      for (const value of state[key]) chip(key, value, () => app.store.toggleName(key, value));
    if (chips.length)
      chips.push(button('Clear all', () => app.store.clearFilters(), { class: 'clear' }));
    this.chips.replaceChildren(...chips);
  }

  private key(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    if (event.ctrlKey || event.metaKey || event.altKey || this.help.open) return;
    if (target instanceof HTMLInputElement || target instanceof HTMLSelectElement) {
      if (event.key === 'Escape') target.blur();
      return;
    }
    const digit = Number(event.key);
    if (digit >= 1 && digit <= VIEWS.length) this.app.store.change({ view: VIEWS[digit - 1][0] });
    else if (event.key === '?') this.help.showModal();
    else if (event.key === 'd') this.toggleTheme();
    else if (event.key === 'x') this.app.store.clearFilters();
    else if (event.key === '/')
      (this.main.querySelector('input[type=search]') as HTMLElement | null)?.focus();
    else if (
      (event.key === 'ArrowLeft' || event.key === 'ArrowRight') &&
      target.getAttribute('role') === 'tab'
    ) {
      const at = VIEWS.findIndex(([id]) => id === this.app.state.view);
      const next =
        VIEWS[(at + (event.key === 'ArrowRight' ? 1 : VIEWS.length - 1)) % VIEWS.length][0];
      this.app.store.change({ view: next });
      document.getElementById(`tab-${next}`)?.focus();
    } else return;
    event.preventDefault();
  }
}
