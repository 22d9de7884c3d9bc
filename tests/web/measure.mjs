// SPDX-License-Identifier: Apache-2.0
// How long a report takes to open, and each view to answer: from the change until the browser has drawn it, the best of several rounds.
// "milliseconds" are those of the clock; "processor" those that the page's main thread ran, which other programs on the machine do not make
// more. Prints JSON. Usage: node measure.mjs FILE.html [ROUNDS]
import { launch, open } from './browser.mjs';

const [file, rounds = '3'] = process.argv.slice(2);
const VIEWS = ['overview', 'time', 'memory', 'flame', 'tables'];
const milliseconds = {};
const processor = {};
const note = (name, [clock, thread]) => {
  milliseconds[name] = Math.round(Math.min(milliseconds[name] ?? Infinity, clock));
  processor[name] = Math.round(Math.min(processor[name] ?? Infinity, thread));
};

const browser = await launch();
let seen;
for (let round = 0; round < Number(rounds); ++round) {
  const opened = await open(browser, file);
  ({ seen } = opened);
  const { page, threadTime } = opened;
  note('open', [await page.evaluate(() => window.cowtrace.openedAt), await threadTime()]);
  // A person reads first; what the page prepares meanwhile is part of it.
  await page.waitForTimeout(1500);
  const answer = async (change) => {
    const before = await threadTime();
    const clock = await page.evaluate(
      (what) =>
        new Promise((done) => {
          const from = performance.now();
          window.cowtrace.app.store.change(what);
          requestAnimationFrame(() => setTimeout(() => done(performance.now() - from), 0));
        }),
      change,
    );
    return [clock, (await threadTime()) - before];
  };
  const duration = await page.evaluate(() => window.cowtrace.app.duration);
  for (const view of ['time', 'memory', 'flame', 'tables', 'overview'])
    note(`${view}: open it`, await answer({ view }));
  for (const view of VIEWS) {
    await answer({ view });
    // Other numbers each time, so that nothing is remembered.
    const shift = (round * 7 + VIEWS.indexOf(view)) / 100;
    note(
      `${view}: brush half of the time`,
      await answer({ time: [duration * (0.1 + shift), duration * (0.6 + shift)] }),
    );
    note(`${view}: and one process`, await answer({ process: [1] }));
    note(`${view}: all filters off`, await answer({ time: null, process: [] }));
  }
  await answer({ view: 'flame' });
  note('flame: search', await answer({ search: 'function_1' }));
  note('flame: inverted', await answer({ inverted: true, search: '' }));
  await answer({ view: 'memory' });
  note('memory: zoom to pages', await answer({ level: 2 }));
  const pages = await page.evaluate(() => {
    const { pages } = window.cowtrace.app.report;
    return '0x' + (pages.page[Math.floor(pages.n / 2)] * 4096).toString(16);
  });
  note('memory: one page', await answer({ page: pages }));
  note('memory: against the parent', await answer({ page: '', scope: 1, map: 'parent' }));
  await answer({ view: 'tables', table: 'objects' });
  note('tables: sort by name', await answer({ sort: 'name' }));
  note('tables: filter rows', await answer({ find: '77', sort: '' }));
  note('tables: every object', await answer({ together: false, find: '' }));
  for (const table of ['types', 'modules', 'mappings', 'sites', 'processes'])
    note(`tables: ${table}`, await answer({ table }));
  await opened.context.close();
}
await browser.close();
console.log(JSON.stringify({ milliseconds, processor, errors: seen.errors }));
