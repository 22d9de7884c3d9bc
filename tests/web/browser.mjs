// SPDX-License-Identifier: Apache-2.0
// Opens a report in Debian's Chromium and notes whatever a report must not do: errors, requests, dialogs, scripts that are not its own.
// COWTRACE_WEB_TESTS is the folder whose node_modules has playwright-core; COWTRACE_CHROMIUM another browser.
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const { chromium } = createRequire(join(resolve(process.env.COWTRACE_WEB_TESTS), 'package.json'))(
  'playwright-core',
);

export async function launch() {
  // Tests run as root, where Chromium has no sandbox of its own.
  return chromium.launch({
    executablePath: process.env.COWTRACE_CHROMIUM || '/usr/bin/chromium',
    args: ['--no-sandbox'],
  });
}

export async function open(
  browser,
  file,
  { fragment = '', scheme = 'light', width = 1280, height = 800 } = {},
) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: scheme,
    reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  const seen = { errors: [], requests: [], dialogs: [] };
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) seen.errors.push(message.text());
  });
  page.on('pageerror', (error) => seen.errors.push(error.message));
  page.on('dialog', (dialog) => {
    seen.dialogs.push(dialog.message());
    void dialog.dismiss();
  });
  // Milliseconds that the page's main thread has run.
  const metrics = await context.newCDPSession(page);
  await metrics.send('Performance.enable', { timeDomain: 'threadTicks' });
  const threadTime = async () =>
    1000 *
    (await metrics.send('Performance.getMetrics')).metrics.find(
      (one) => one.name === 'TaskDuration',
    ).value;
  const url = pathToFileURL(resolve(file)).href;
  page.on('request', (request) => {
    if (request.url().split('#')[0] !== url) seen.requests.push(request.url().slice(0, 200));
  });
  await page.goto(url + fragment);
  // Playwright's own waiting evaluates text, which the policy of the page forbids.
  for (
    const until = Date.now() + 60_000;
    !(await page.evaluate(() =>
      Boolean(window.cowtrace || document.querySelector('[role=alert]')),
    ));

  ) {
    if (Date.now() > until) throw new Error(`${file} does not open`);
    await page.waitForTimeout(20);
  }
  return { context, page, seen, threadTime };
}

// Until what was changed is on the screen.
export const settled = (page) =>
  page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0))));
