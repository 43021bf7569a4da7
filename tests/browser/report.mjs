// Opens the HTML report of made-up runs from disk in headless Chromium and uses it as a person would.
//
//   cargo run --release -p oceanrig-report --features synthetic --example synthetic -- DIR
//   npm ci && node report.mjs DIR
//
// Screenshots land in DIR/shots. CHROMIUM names another browser than /usr/bin/chromium.

import assert from 'node:assert/strict';
import { mkdirSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { accessible, firstPaint, open, painted, range, run, selected } from './browser.mjs';

const dir = resolve(process.argv[2] ?? '.');
const at = (file) => resolve(dir, file);
const shots = resolve(dir, 'shots');
mkdirSync(shots, { recursive: true });

const tests = {
  async 'is small and paints fast'() {
    const size = statSync(resolve(dir, 'single.html')).size;
    assert.ok(size < 2_000_000, `${size} bytes`);
    const { page, bad, close } = await open(at('single.html'));
    const ms = await firstPaint(page);
    assert.ok(ms < 1000, `first paint after ${ms} ms`);
    console.log(`    ${(size / 1000).toFixed(0)} kB, first paint ${ms.toFixed(0)} ms`);
    assert.deepEqual(bad, []);
    await close();
  },

  async 'draws and zooms, by buttons, wheel, keys and drag'() {
    const { page, bad, close } = await open(at('single.html'));
    assert.ok(await painted(page) > 12, 'the canvas has colours');
    const whole = await range(page);
    assert.match(whole, /^0:00:00\.000 – 3:00:00\.000/);
    await page.click('#zoom-in');
    await page.waitForFunction((before) => document.querySelector('#range').textContent !== before, whole);
    assert.match(await range(page), /1 h 30 min/);
    const box = await page.locator('#stage').boundingBox();
    await page.mouse.move(box.x + 600, box.y + 60);
    await page.keyboard.down('Control');
    for (let i = 0; i < 10; i++) await page.mouse.wheel(0, -60);
    await page.keyboard.up('Control');
    await page.waitForFunction(() => !document.querySelector('#range').textContent.includes(' h '));
    const close1 = await range(page);
    await page.mouse.down();
    await page.mouse.move(box.x + 300, box.y + 60, { steps: 5 });
    await page.mouse.up();
    await page.waitForFunction((before) => document.querySelector('#range').textContent !== before, close1);
    await page.screenshot({ path: resolve(shots, 'zoomed.png') });
    await page.focus('#stage');
    await page.keyboard.press('0');
    await page.waitForFunction((before) => document.querySelector('#range').textContent === before, whole);
    assert.deepEqual(bad, []);
    await close();
  },

  async 'stays fluid over three hours'() {
    const { page, close } = await open(at('single.html'));
    const ms = await page.evaluate(async () => {
      const stage = document.querySelector('#stage');
      const r = stage.getBoundingClientRect();
      const times = [];
      for (let i = 0; i < 60; i++) {
        const before = performance.now();
        stage.dispatchEvent(new WheelEvent('wheel', { deltaY: i < 30 ? -40 : 40, ctrlKey: true, clientX: r.left + 500, clientY: r.top + 50, cancelable: true }));
        await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
        times.push(performance.now() - before);
      }
      times.sort((a, b) => a - b);
      return { median: times[30], worst: times[59] };
    });
    console.log(`    a zoom step: median ${ms.median.toFixed(1)} ms, worst ${ms.worst.toFixed(1)} ms`);
    assert.ok(ms.median < 50, `median ${ms.median} ms`);
    await close();
  },

  async 'jumps from the failed expectation to its moment'() {
    const { page, bad, close } = await open(at('single.html'));
    await page.click('.failure .jump');
    assert.match(await selected(page), /2:16:00\.000.*Expectation failed.*recovers within a minute/s);
    assert.match(await range(page), /2:15:00\.000 – 2:17:00\.000/);
    assert.match(page.url(), /#s=0&t=8160000000$/);
    await page.screenshot({ path: resolve(shots, 'failure.png'), fullPage: true });
    assert.deepEqual(bad, []);
    await close();
  },

  async 'shows a request whole when it is clicked on the timeline'() {
    const { page, bad, close } = await open(at('single.html'), { hash: '#s=0&t=3000000' });
    for (let i = 0; i < 6; i++) await page.click('#zoom-in');
    await page.waitForTimeout(100);
    const box = await page.locator('#stage').boundingBox();
    const label = await page.locator('#labels span', { hasText: 'renew, register' }).boundingBox();
    const x = await page.evaluate(() => document.querySelector('#stage').clientWidth / 2);
    await page.mouse.click(box.x + x, label.y + 10);
    const text = await selected(page);
    for (const part of [/register/, /X-Device-Token/, /device registered, session issued/, /\[registration-token-1\]/, /Reply body/]) assert.match(text, part);
    assert.doesNotMatch(text, /oc_reg_|oc_perm_/);
    assert.deepEqual(bad, []);
    await close();
  },

  async 'finds text in log, requests and events'() {
    const { page, bad, close } = await open(at('single.html'));
    await page.keyboard.press('/');
    await page.keyboard.type('renew-session');
    await page.waitForFunction(() => /found/.test(document.querySelector('#hits').textContent));
    const found = parseInt(await page.textContent('#hits'), 10);
    assert.equal(found, 2, 'two renewals reached the cloud');
    await page.keyboard.press('Enter');
    assert.match(await selected(page), /renew-session/);
    await page.keyboard.press('Enter');
    assert.equal(await page.textContent('#hits'), '2 of 2');
    await page.fill('#search', 'no such text');
    await page.waitForFunction(() => document.querySelector('#hits').textContent === '0 found');
    assert.deepEqual(bad, []);
    await close();
  },

  async 'has every moment in tables, by keyboard alone'() {
    const { page, bad, close } = await open(at('single.html'));
    await page.focus('#tab-log');
    await page.keyboard.press('ArrowRight');
    assert.equal(await page.getAttribute('#tab-requests', 'aria-selected'), 'true');
    assert.match(await page.textContent('#panel .filters'), /–\d+ of 21\d\d/);
    await page.selectOption('#panel select', 'not 2xx');
    assert.match(await page.textContent('#panel tbody tr:first-child'), /429/);
    await page.locator('#panel tbody tr:first-child button').focus();
    await page.keyboard.press('Enter');
    assert.match(await selected(page), /429 Too many requests/);
    await page.focus('#stage');
    await page.keyboard.press('n');
    assert.match(await page.textContent('#live'), /request|session|fault/);
    assert.deepEqual(bad, []);
    await close();
  },

  async 'compares two runs and shows where they first differ'() {
    const { page, bad, close } = await open(at('report.html'));
    assert.equal(await page.locator('#runs li').count(), 2);
    await page.click('#tab-compare');
    const text = await page.textContent('#panel');
    assert.match(text, /First difference.*at 2:15:\d\d\.\d+ here, at 2:15:\d\d\.\d+ there/);
    await page.screenshot({ path: resolve(shots, 'compare.png'), fullPage: true });
    await page.click('text=Show in the other run');
    assert.match(await page.textContent('#title'), /wifi-lost-at-renewal/);
    assert.match(await selected(page), /2:15:/);
    assert.deepEqual(bad, []);
    await close();
  },

  async 'tells what a board can come to, each in its own words'() {
    const { page, bad, close } = await open(at('verdicts.html'));
    assert.match(await page.textContent('.summary'), /1 passed, 1 failed, 1 bench error, 1 quarantined, 1 skipped/);
    assert.match(await page.textContent('#runs'), /board:desk, time scale 60/);
    // Each run has its mark in the list, in sight.
    for (const mark of await page.locator('#runs .verdict').all()) {
      const box = await mark.boundingBox();
      assert.ok(box && box.x > 0 && box.y > 0 && box.width > 20, await mark.textContent());
    }
    const told = {
      known: ['Known failure', /A known failure, in quarantine\.the access point restarts by itself \(until 2027-01-31\)/],
      late: ['Fail', /its quarantine ended on 2027-01-31/],
      again: ['Pass', /Attempt 1 came to nothing\.flashing failed: the chip does not answer/],
      lost: ['Bench error', /no verdict on the firmware: the port vanished\..*ttyACM0 vanished.*Next step: check the cable/s],
      skipped: ['Skipped', /It did not run\.needs an access point that can be switched/],
    };
    for (const [name, [verdict, text]] of Object.entries(told)) {
      await page.locator('#runs a', { hasText: name }).first().click();
      await page.waitForFunction((n) => document.querySelector('#title').textContent === n, name);
      assert.equal(await page.textContent('#verdict'), verdict);
      assert.match(await page.textContent('#failures'), text);
      assert.match(await page.textContent('#facts'), /time scale60: the contract's intervals are divided by it/);
      await accessible(page, name);
    }
    assert.deepEqual(bad, []);
    await close();
  },

  async 'passes axe in light and dark, wide and narrow'() {
    for (const colorScheme of ['light', 'dark']) {
      for (const [name, viewport] of [['wide', { width: 1440, height: 1000 }], ['phone', { width: 390, height: 844 }]]) {
        const { page, bad, close } = await open(at('report.html'), { colorScheme, viewport, hash: '#s=1' });
        await accessible(page, `${colorScheme} ${name}, at first`);
        await page.screenshot({ path: resolve(shots, `${colorScheme}-${name}.png`), fullPage: true });
        await page.click('.failure .jump');
        for (const tab of ['requests', 'events', 'expectations', 'compare']) {
          await page.click(`#tab-${tab}`);
          await accessible(page, `${colorScheme} ${name}, ${tab}`);
        }
        const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
        assert.ok(!wide, `${name}: nothing sticks out`);
        await page.click('#tab-requests');
        await page.screenshot({ path: resolve(shots, `${colorScheme}-${name}-selected.png`), fullPage: true });
        assert.deepEqual(bad, []);
        await close();
      }
    }
  },
};

await run(tests);
