// Draws the screenshots of docs/images: node shots.mjs REPORT.html DIR

import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { browser, open } from './browser.mjs';

const [report, dir] = process.argv.slice(2);

// The failed run of the page, at the moment of its failure.
async function shot(name, options) {
  const { page, bad, close } = await open(report, { reducedMotion: 'reduce', ...options });
  await page.locator('#runs a', { has: page.locator('.verdict.fail') }).first().click();
  await page.click('.failure .jump');
  await page.click('#zoom-fit');
  await page.evaluate(() => { scrollTo(0, 0); document.activeElement?.blur(); });
  await page.mouse.move(0, 0);
  await page.waitForTimeout(300);
  await page.screenshot({ path: resolve(dir, `${name}.png`) });
  assert.deepEqual(bad, []);
  await close();
}

const wide = { width: 1280, height: 900 };
await shot('report-light', { viewport: wide, colorScheme: 'light' });
await shot('report-dark', { viewport: wide, colorScheme: 'dark' });
await shot('report-phone', { viewport: { width: 390, height: 844 }, colorScheme: 'light' });
await browser.close();
