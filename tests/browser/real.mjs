// Opens the page that a real run left: three hours of a healthy device, a lost WiFi, and a device that fails.
//
//   docs/regenerate.py --check --keep DIR
//   npm ci && node real.mjs DIR/out
//
// CHROMIUM names another browser than /usr/bin/chromium.

import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { accessible, firstPaint, open, painted, range, run, selected } from './browser.mjs';

const report = resolve(process.argv[2] ?? '.', 'report.html');

// The page with the run of this name.
async function openRun(name, options) {
  const opened = await open(report, options);
  await opened.page.locator('#runs a', { hasText: name }).first().click();
  await opened.page.waitForFunction((n) => document.querySelector('#title').textContent === n, name);
  return opened;
}

await run({
  async 'is below 2 MB and paints within a second'() {
    const { size } = statSync(report);
    assert.ok(size < 2_000_000, `${size} bytes`);
    const { page, bad, close } = await open(report);
    const ms = await firstPaint(page);
    console.log(`    ${(size / 1000).toFixed(0)} kB for three runs, first paint ${ms.toFixed(0)} ms`);
    assert.ok(ms < 1000, `first paint after ${ms} ms`);
    assert.deepEqual(bad, []);
    await close();
  },

  async 'draws three hours and zooms into them'() {
    const { page, bad, close } = await openRun('healthy-three-hours');
    assert.ok(await painted(page) > 12, 'the canvas has colours');
    const whole = await range(page);
    assert.match(whole, /^0:00:00\.000 – 3:05:00\.000/);
    await page.click('#tab-requests');
    const rows = (await page.textContent('#panel .filters')).match(/of (\d+)/);
    assert.ok(Number(rows[1]) > 2000, `${rows[1]} requests`);
    for (let i = 0; i < 6; i++) await page.click('#zoom-in');
    await page.waitForFunction(() => / 2 min|min/.test(document.querySelector('#range').textContent));
    assert.notEqual(await range(page), whole);
    await page.click('#zoom-fit');
    await page.waitForFunction((before) => document.querySelector('#range').textContent === before, whole);
    const times = await page.evaluate(async () => {
      const stage = document.querySelector('#stage');
      const r = stage.getBoundingClientRect();
      const out = [];
      for (let i = 0; i < 40; i++) {
        const before = performance.now();
        stage.dispatchEvent(new WheelEvent('wheel', { deltaY: i < 20 ? -40 : 40, ctrlKey: true, clientX: r.left + 500, clientY: r.top + 50, cancelable: true }));
        await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
        out.push(performance.now() - before);
      }
      return out.sort((a, b) => a - b);
    });
    console.log(`    a zoom step: median ${times[20].toFixed(1)} ms, worst ${times[39].toFixed(1)} ms`);
    assert.ok(times[20] < 50, `median ${times[20]} ms`);
    assert.deepEqual(bad, []);
    await close();
  },

  async 'finds the four renewals'() {
    const { page, bad, close } = await openRun('healthy-three-hours');
    await page.fill('#search', 'POST /api/device/oc-123456/renew-session/');
    await page.waitForFunction(() => /^4 found/.test(document.querySelector('#hits').textContent));
    await page.focus('#search');
    await page.keyboard.press('Enter');
    assert.match(await selected(page), /renew-session.*session renewed/s);
    assert.doesNotMatch(await page.content(), /oc_perm_|oc_reg_/, 'no token is in the page');
    assert.deepEqual(bad, []);
    await close();
  },

  async 'jumps to the failure'() {
    const { page, bad, close } = await openRun('offline-every-60-minutes');
    assert.equal(await page.textContent('#verdict'), 'Fail');
    await page.click('.failure .jump');
    assert.match(await selected(page), /1:00:00\.\d+.*Expectation failed.*no request is refused/s);
    assert.match(await range(page), /0:59:00\.\d+ – 1:01:00\.\d+/);
    assert.deepEqual(bad, []);
    await close();
  },

  async 'compares the device that recovers with the one that fails'() {
    const { page, bad, close } = await openRun('wifi-drop-at-renewal');
    await page.click('#tab-compare');
    assert.match(await page.textContent('#panel'), /First difference/);
    assert.deepEqual(bad, []);
    await close();
  },

  async 'passes axe in light and dark, wide and narrow'() {
    for (const colorScheme of ['light', 'dark']) {
      for (const viewport of [{ width: 1440, height: 1000 }, { width: 390, height: 844 }]) {
        const { page, bad, close } = await openRun('offline-every-60-minutes', { colorScheme, viewport });
        await accessible(page, `${colorScheme} ${viewport.width}, at first`);
        await page.click('.failure .jump');
        await accessible(page, `${colorScheme} ${viewport.width}, at the failure`);
        assert.ok(!(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)), 'nothing sticks out');
        assert.deepEqual(bad, []);
        await close();
      }
    }
  },
});
