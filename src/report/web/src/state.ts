// SPDX-License-Identifier: Apache-2.0
// What is being looked at. All of it is in the URL's fragment, so that a link or Back leads to the same picture.

export interface State {
  view: string;
  theme: string; // '' follows the system
  time: [number, number] | null;
  // Filters: whatever is listed, or everything where the list is empty.
  process: number[];
  cause: number[];
  phase: number[];
  mechanism: number[];
  site: number[];
  object: number[];
  group: number[];
  type: string[];
  module: string[];
  mapping: string[];
  frame: number[];
  // Of single views.
  table: string;
  sort: string;
  find: string;
  row: string;
  together: boolean;
  by: string;
  inverted: boolean;
  search: string;
  zoom: string;
  map: string;
  scope: number | null;
  page: string;
  level: number | null;
  curve: string;
}

const LISTS = [
  'process',
  'cause',
  'phase',
  'mechanism',
  'site',
  'object',
  'group',
  'frame',
] as const;
const NAMES = ['type', 'module', 'mapping'] as const;
export type ListKey = (typeof LISTS)[number];
export type NameKey = (typeof NAMES)[number];

const EMPTY: State = {
  view: 'overview',
  theme: '',
  time: null,
  process: [],
  cause: [],
  phase: [],
  mechanism: [],
  site: [],
  object: [],
  group: [],
  type: [],
  module: [],
  mapping: [],
  frame: [],
  table: 'objects',
  sort: '',
  find: '',
  row: '',
  together: true,
  by: 'bytes',
  inverted: false,
  search: '',
  zoom: '',
  map: 'cause',
  scope: null,
  page: '',
  level: null,
  curve: 'copied',
};

export function parse(fragment: string): State {
  const given = new URLSearchParams(fragment.replace(/^#/, ''));
  const state: State = structuredClone(EMPTY);
  const plain = state as unknown as Record<string, unknown>;
  for (const [key, value] of given) {
    if ((LISTS as readonly string[]).includes(key))
      plain[key] = value
        .split(',')
        .map(Number)
        .filter((n) => Number.isInteger(n) && n >= 0);
    else if ((NAMES as readonly string[]).includes(key)) (plain[key] as string[]).push(value);
    else if (key === 'time') {
      const [from, to] = value.split('-').map(Number);
      if (from >= 0 && to > from) state.time = [from, to];
    } else if (key === 'scope' || key === 'level') {
      if (/^\d+$/.test(value)) plain[key] = Number(value);
    } else if (key === 'inverted' || key === 'together') plain[key] = value === '1';
    else if (Object.hasOwn(EMPTY, key)) plain[key] = value;
  }
  return state;
}

export function written(state: State): string {
  const out = new URLSearchParams();
  for (const [key, value] of Object.entries(state)) {
    if (
      JSON.stringify(value) === JSON.stringify((EMPTY as unknown as Record<string, unknown>)[key])
    )
      continue;
    if (key === 'time' && state.time) out.set(key, state.time.map(Math.round).join('-'));
    else if ((NAMES as readonly string[]).includes(key))
      for (const one of value as string[]) out.append(key, one);
    else if (Array.isArray(value)) out.set(key, value.join(','));
    else if (typeof value === 'boolean') out.set(key, value ? '1' : '0');
    else if (value !== null) out.set(key, String(value));
  }
  return `#${out}`;
}

export type Change = Partial<State>;
type Listener = (state: State, before: State) => void;

export class Store {
  state = parse(location.hash);
  private readonly listeners: Listener[] = [];

  constructor() {
    addEventListener('popstate', () => this.set(parse(location.hash), false));
    addEventListener('hashchange', () => {
      if (written(this.state) !== location.hash) this.set(parse(location.hash), false);
    });
  }

  subscribe(listener: Listener): void {
    this.listeners.push(listener);
  }

  // `lasting`: Back undoes it. Drags and typing are not.
  change(change: Change, lasting = true): void {
    const next = { ...this.state, ...change };
    const url = written(next);
    if (url !== written(this.state)) {
      if (lasting) history.pushState(null, '', url);
      else history.replaceState(null, '', url);
    }
    this.set(next);
  }

  clearFilters(): void {
    this.change({
      time: null,
      process: [],
      cause: [],
      phase: [],
      mechanism: [],
      site: [],
      object: [],
      group: [],
      type: [],
      module: [],
      mapping: [],
      frame: [],
    });
  }

  toggle(key: ListKey, value: number): void {
    const list = this.state[key];
    this.change({
      [key]: list.includes(value) ? list.filter((one) => one !== value) : [...list, value],
    });
  }

  toggleName(key: NameKey, value: string): void {
    const list = this.state[key];
    this.change({
      [key]: list.includes(value) ? list.filter((one) => one !== value) : [...list, value],
    });
  }

  private set(next: State, tell = true): void {
    const before = this.state;
    this.state = next;
    if (tell || written(before) !== written(next))
      for (const listener of this.listeners) listener(next, before);
  }
}
