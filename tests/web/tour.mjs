// SPDX-License-Identifier: Apache-2.0
// Goes through a report as a person would, by mouse and keyboard, and prints as JSON what it saw. Usage: node tour.mjs FILE.html PICTURES
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { launch, open, settled } from './browser.mjs';

const [file, pictures] = process.argv.slice(2);
mkdirSync(pictures, { recursive: true });
const saw = { views: {}, tables: {}, keyboard: {}, filters: {} };

const browser = await launch();
const { page, seen } = await open(browser, file);
const picture = (name) => page.screenshot({ path: join(pictures, `${name}.png`) });
const text = (selector) => page.locator(selector).first().innerText();
const texts = (selector) => page.locator(selector).allInnerTexts();
// A drawing that has more than one colour is a drawing.
const drawn = (selector) =>
  page.evaluate((which) => {
    const canvas = document.querySelector(which);
    if (!canvas || !canvas.width || !canvas.height) return 0;
    const pixels = new Uint32Array(
      canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer,
    );
    return new Set(pixels).size;
  }, selector);

saw.alert = await page.locator('[role=alert]').count();
if (!saw.alert) {
  saw.title = await page.title();
  saw.headline = await text('.headline h1');
  saw.verdict = await text('.verdict');
  saw.sums = await text('.sums');
  saw.figures = Object.fromEntries(
    await page
      .locator('.figure')
      .evaluateAll((all) =>
        all.map((one) => [
          one.querySelector('dt').textContent,
          one.querySelector('dd').textContent,
        ]),
      ),
  );
  saw.causes = await texts('.causes .barline .name');
  saw.advice = await texts('.panel.advice li');
  saw.trust = await text('.panel.trust');
  for (const view of ['overview', 'time', 'memory', 'flame', 'tables']) {
    await page.click(`[role=tab][data-view=${view}]`);
    await settled(page);
    saw.views[view] = {
      selected: await page.getAttribute(`#tab-${view}`, 'aria-selected'),
      fragment: await page.evaluate(() => location.hash),
    };
    await picture(`light-${view}`);
  }
  await page.click('[role=tab][data-view=time]');
  await settled(page);
  saw.views.time.colours = [
    await drawn('.chart canvas'),
    await drawn('.lanes canvas'),
    await drawn('.strip canvas'),
  ];
  saw.views.time.curves = {};
  for (const curve of ['shared', 'rate', 'copied']) {
    await page.click(`.choice [data-value=${curve}]`);
    saw.views.time.curves[curve] = await texts('.series li');
  }
  await page.click('[role=tab][data-view=memory]');
  await settled(page);
  saw.views.memory.colours = await drawn('.map-scroll canvas');
  await page.click('[role=tab][data-view=flame]');
  await settled(page);
  saw.views.flame.colours = await drawn('.flame canvas');
  saw.views.flame.status = await text('.flame-status');
  await page.click('.choice [data-value=breaks]');
  saw.views.flame.breaks = await text('.flame-status');
  await page.click('.choice [data-value="1"]');
  await picture('light-flame-inverted');

  await page.click('[role=tab][data-view=tables]');
  for (const table of ['objects', 'types', 'modules', 'mappings', 'sites', 'processes']) {
    await page.click(`.tools .choice [data-value=${table}]`);
    await settled(page);
    saw.tables[table] = await page
      .locator('.trow')
      .evaluateAll((rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent)));
    saw.tables[`${table}Shown`] = await text('.tools .shown');
  }

  // By a row that stands for many objects: what is left is all of that row.
  if (saw.tables.objects.length > 0) {
    await page.click('.tools .choice [data-value=objects]');
    await page.locator('.trow').first().dblclick();
    await settled(page);
    saw.group = {
      row: saw.tables.objects[0],
      sums: await text('.sums'),
      chips: await texts('.chip .name'),
    };
    await page.keyboard.press('x');
  }

  // Sorted by another column and back, by its head.
  await page.click('.tools .choice [data-value=processes]');
  await page.click('.thead [data-key=pid]');
  await page.click('.thead [data-key=pid]');
  saw.sortedPids = (await page.locator('.trow > :first-child').allTextContents()).map(Number);

  // By keyboard alone: a view, a row, a filter by it, the theme, and everything off again.
  await page.keyboard.press('5');
  await page.click('.tools .choice [data-value=mappings]');
  await page.locator('.tscroll').focus();
  await page.keyboard.press('ArrowDown');
  saw.keyboard.selected = await page.locator('.trow[aria-selected=true]').allTextContents();
  saw.keyboard.detail = await page.locator('.detail h3').allTextContents();
  await page.keyboard.press('Enter');
  await settled(page);
  saw.keyboard.chips = await texts('.chip .name');
  saw.keyboard.sums = await text('.sums');
  await picture('light-filtered');
  const fragment = await page.evaluate(() => location.hash);
  await page.keyboard.press('x');
  saw.keyboard.afterX = await page.locator('.chip').count();
  await page.goBack();
  await settled(page);
  saw.keyboard.afterBack = await texts('.chip .name');
  await page.keyboard.press('x');
  await page.keyboard.press('1');
  await page.keyboard.press('?');
  saw.keyboard.help = await page.locator('dialog.help[open]').count();
  await picture('light-help');
  saw.notices = await page.locator('.help pre').textContent();
  await page.keyboard.press('Escape');
  saw.keyboard.helpClosed = await page.locator('dialog.help[open]').count();
  await page.keyboard.press('d');
  saw.keyboard.theme = await page.getAttribute('html', 'data-theme');

  // The same link in another window shows the same.
  const other = await open(browser, file, { fragment });
  saw.linked = {
    chips: await other.page.locator('.chip .name').allInnerTexts(),
    sums: await other.page.locator('.sums').innerText(),
  };
  await other.context.close();

  // A brush over the whole strip but its ends keeps what is inside.
  await page.keyboard.press('2');
  const strip = await page.locator('.strip').boundingBox();
  await page.mouse.move(strip.x + strip.width * 0.02, strip.y + 20);
  await page.mouse.down();
  await page.mouse.move(strip.x + strip.width * 0.6, strip.y + 20, { steps: 4 });
  await page.mouse.up();
  await settled(page);
  saw.brush = {
    chips: await texts('.chip .name'),
    time: await page.evaluate(() => window.cowtrace.app.state.time),
    sums: await text('.sums'),
  };
  await page.locator('.strip').focus();
  await page.keyboard.press('Escape');
  saw.brush.afterEscape = await page.locator('.chip').count();

  // Into the map, down to one page.
  await page.keyboard.press('3');
  await page.locator('.map-scroll').focus();
  await page.keyboard.press('ArrowRight');
  for (let i = 0; i < 24 && !(await page.locator('.page:visible').count()); ++i)
    await page.keyboard.press('Enter');
  await settled(page);
  saw.page = {
    open: await page.locator('.page:visible').count(),
    text: await page.locator('.page').innerText(),
    colours: await drawn('.page canvas.page-map'),
  };
  await picture('dark-page');
  await page.keyboard.press('Escape');
  saw.page.afterEscape = await page.locator('.page:visible').count();

  for (const view of ['overview', 'time', 'memory', 'flame', 'tables']) {
    await page.click(`[role=tab][data-view=${view}]`);
    await settled(page);
    await picture(`dark-${view}`);
  }
  // What a name of the program could have made of itself.
  saw.foreign = await page.evaluate(() => ({
    scripts: document.scripts.length,
    elements: document.querySelectorAll(
      'img, iframe, object, embed, svg, a[href], b, i:not([class]), form, meta[http-equiv=refresh]',
    ).length,
    handlers: [...document.querySelectorAll('*')].filter((one) =>
      [...one.attributes].some((attribute) => attribute.name.startsWith('on')),
    ).length,
    owned: window.owned ?? null,
  }));
  const wide = await open(browser, file, { scheme: 'dark', width: 1920, height: 1080 });
  saw.systemDark = await wide.page.getAttribute('html', 'data-theme');
  await wide.page.screenshot({ path: join(pictures, 'dark-wide.png') });
  for (const key of Object.keys(seen)) seen[key].push(...wide.seen[key]);
}
await browser.close();
console.log(JSON.stringify({ ...saw, ...seen }));
