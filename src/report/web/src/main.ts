// SPDX-License-Identifier: Apache-2.0
import 'uplot/dist/uPlot.min.css';
import './style.css';
import { App } from './app';
import { readReport } from './data';
import { h } from './dom';
import { Shell } from './shell';

// What the tests and the benchmark read; nothing in the page does.
declare global {
  interface Window {
    cowtrace?: { app: App; openedAt: number };
  }
}

async function open(): Promise<void> {
  const root = document.getElementById('app') as HTMLElement;
  const data = document.getElementById('data') as HTMLElement;
  try {
    const report = await readReport(data.textContent ?? '');
    data.remove();
    const app = new App(report);
    new Shell(app, root);
    window.cowtrace = { app, openedAt: performance.now() };
  } catch (error) {
    root.replaceChildren(
      h(
        'div',
        { class: 'loading', role: 'alert' },
        h('p', {}, 'This report cannot be read: its data is damaged or incomplete.'),
        h('p', {}, String(error)),
      ),
    );
  }
}

void open();
