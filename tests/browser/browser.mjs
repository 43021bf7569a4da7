// A headless Chromium, and what every test asks of a page.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

// A page on `file`, with everything that must not happen gathered.
export async function open(file, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 1000 }, ...options });
  // axe is brought in from outside the page, whose policy allows nothing foreign.
  await context.addInitScript(axe);
  const page = await context.newPage();
  const bad = [];
  page.on('console', (m) => { if (['error', 'warning'].includes(m.type())) bad.push(`console: ${m.text()}`); });
  page.on('pageerror', (e) => bad.push(`error: ${e}`));
  page.on('request', (r) => { if (!/^(file|data):/.test(r.url())) bad.push(`request: ${r.url()}`); });
  await page.goto(pathToFileURL(resolve(file)).href + (options.hash ?? ''));
  await page.waitForFunction(() => document.querySelector('#range').textContent);
  return { page, bad, close: () => context.close() };
}

export const range = (page) => page.textContent('#range');
export const selected = (page) => page.textContent('#detail-body');

// How many colours the canvas shows.
export const painted = (page) => page.evaluate(() => {
  const c = document.querySelector('#canvas');
  const data = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
  const seen = new Set();
  for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 200) seen.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
  return seen.size;
});

export async function accessible(page, what) {
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ['violations'] }));
  const text = violations.map((v) => `${v.id} (${v.impact}): ${v.nodes.map((n) => n.target.join(' ')).slice(0, 4).join('; ')}`).join('\n');
  assert.equal(violations.length, 0, `axe, ${what}:\n${text}`);
}

// First paint of `page`, milliseconds after it was asked for.
export async function firstPaint(page) {
  const paint = await page.waitForFunction(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime);
  return paint.jsonValue();
}

// Runs every test and ends the process: 0 when all passed.
export async function run(tests) {
  let failed = 0;
  for (const [name, test] of Object.entries(tests)) {
    try {
      await test();
      console.log(`ok   ${name}`);
    } catch (error) {
      failed++;
      console.log(`FAIL ${name}\n     ${error.message.replaceAll('\n', '\n     ')}`);
    }
  }
  await browser.close();
  console.log(`${Object.keys(tests).length - failed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
}
