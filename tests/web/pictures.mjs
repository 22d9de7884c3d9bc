// SPDX-License-Identifier: Apache-2.0
// The pictures of README.md and docs/reading-a-report.md, run by scripts/pictures.sh. Usage: node pictures.mjs REPORTS PICTURES
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { launch, open, settled } from './browser.mjs';

const [reports, pictures] = process.argv.slice(2);
const browser = await launch();

// The page with the most neighbours among those that were broken.
function fullestPage(name) {
  const { pages } = JSON.parse(readFileSync(join(reports, `${name}.json`), 'utf8'));
  const broken = pages.filter((page) => page.breaks);
  return broken.reduce(
    (best, page) => (page.neighbours.length > best.neighbours.length ? page : best),
    broken[0],
  );
}

async function picture(name, report, fragment, { scheme = 'light', height = 760, act } = {}) {
  const { context, page, seen } = await open(browser, join(reports, `${report}.html`), {
    fragment,
    scheme,
    height,
  });
  if (act) await act(page);
  await settled(page);
  await page.mouse.move(0, 0);
  await page.screenshot({ path: join(pictures, `${name}.png`) });
  if (seen.errors.length) throw new Error(seen.errors.join('\n'));
  await context.close();
}

const full = fullestPage('refcounts_before');
await picture('overview', 'gc_freeze_before', '', { height: 800 });
await picture('time', 'gc_freeze_before', '#view=time&curve=shared', { height: 640 });
await picture('memory', 'gc_freeze_before', '#view=memory', { height: 720 });
await picture(
  'page',
  'refcounts_before',
  `#view=memory&page=${full.address}&scope=${full.process}&level=2`,
  { height: 800 },
);
await picture('flame', 'gc_freeze_before', '#view=flame&inverted=1', { height: 420 });
await picture('tables', 'gc_freeze_before', '#view=tables&row=0', { height: 560 });
await picture('after', 'gc_freeze_after', '', { height: 800 });
await browser.close();
