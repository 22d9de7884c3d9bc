// SPDX-License-Identifier: Apache-2.0
// The keys, what the marks mean, and whose software is in this file.
import type { App } from './app';
import { button, h } from './dom';
import { CAUSES, swatch } from './look';

declare const NOTICES: string;

const KEYS: [string, string][] = [
  ['1 – 5', 'the views'],
  ['/', 'search or filter in the view'],
  ['x', 'clear all filters'],
  ['d', 'light or dark'],
  ['← →  on the strip', 'move the brush; with Shift, its end; Esc clears it'],
  ['arrows', 'move in a table, the map or the flame graph'],
  ['Enter', 'open what is selected: filter by a row, zoom into a frame or a cell'],
  ['Esc', 'one level out, or close'],
  ['+  −', 'zoom the memory map'],
];

export const PHASE_MEANS: Record<string, string> = {
  starting: 'a program that an exec began, until its first fork',
  running: 'at work',
  ending:
    'exit handlers, destructors or the end of an interpreter were at work: copied right before it was given back',
};

export const CAUSE_MEANS: Record<string, string> = {
  unknown: 'not known what kind of write it was',
  refcount: 'a reference to a Python object was counted, which a mere read does',
  'gc-header': 'the garbage collector wrote its notes before a Python object',
  container: 'a container was changed: an item set, a table grown',
  value: 'a value was changed',
  allocator: 'memory was given out or taken back: free lists, arenas',
  native: 'code of the program or a library wrote its own data',
  syscall: 'the kernel wrote on behalf of a system call',
  remote: 'another process wrote',
};

export function help(app: App): HTMLDialogElement {
  const dialog = h('dialog', { class: 'help', 'aria-label': 'Help' });
  dialog.append(
    h(
      'div',
      { class: 'help-head' },
      h('h2', {}, 'Keys and marks'),
      button('Close', () => dialog.close()),
    ),
    h(
      'div',
      { class: 'help-columns' },
      h(
        'section',
        {},
        h('h3', {}, 'Keys'),
        h(
          'dl',
          {},
          KEYS.flatMap(([key, what]) => [h('dt', {}, h('kbd', {}, key)), h('dd', {}, what)]),
        ),
      ),
      h(
        'section',
        {},
        h('h3', {}, 'Causes'),
        h(
          'dl',
          { class: 'causes' },
          CAUSES.flatMap((cause) => [
            h('dt', {}, swatch(cause), ` ${cause}`),
            h('dd', {}, CAUSE_MEANS[cause]),
          ]),
        ),
      ),
      h(
        'section',
        {},
        h('h3', {}, 'Mechanisms'),
        h('p', { class: 'muted' }, 'Only those with a star cost memory that was shared.'),
        h(
          'dl',
          {},
          app.report.meta.mechanisms.flatMap((one) => [
            h('dt', {}, `${one.name}${one.is_break ? ' *' : ''}`),
            h('dd', {}, one.about),
          ]),
        ),
      ),
    ),
    h(
      'details',
      {},
      h(
        'summary',
        {},
        `cowtrace ${app.report.meta.version}, Apache-2.0; licences of what else is in this page`,
      ),
      h('pre', {}, NOTICES),
    ),
  );
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close();
  });
  return dialog;
}
