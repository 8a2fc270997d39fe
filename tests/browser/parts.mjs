// The design system in a browser: the gallery in every state, size, language and theme; the colour
// rule on screenshots; what tiles and long lists cost; the points browser, the gateway's status and
// the demo as a person uses them.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fakePlan, fakePlant } from './fake-plant.mjs';
import { alarmPixels } from './pixels.mjs';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const WCAG = ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa'];
const THEMES = /** @type {const} */ (['light', 'dark']);
const LANGUAGES = ['zh-CN', 'en'];
const WIDTHS = [{ width: 390, height: 844 }, { width: 1366, height: 768 }, { width: 1920, height: 1080 }];
const KEYS = /(?:^|\s)(?:gallery|demo|status|tile|points|quality|reason|priority|alarm-state)\.[a-z-]+/;
/** Rows of the long list. */
const MANY = 50_000;
/** Seconds of a plant that pass while the heap is watched. */
const TICKS = 3_600;

/** @typedef {import('playwright-core').Page} Page */

/** @param {number[]} list */
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1] ?? 0;

/**
 * Fails if a picture holds what looks like an alarm.
 * @param {Buffer} png
 * @param {string} what
 */
export function noAlarmColour(png, what) {
  const { count, first } = alarmPixels(png);
  if (count > 0) throw new Error(`${what}: ${count} pixels look like an alarm, the first is ${JSON.stringify(first)}`);
}

/** What axe finds. @param {Page} page */
export async function axe(page) {
  await page.evaluate(axeSource);
  return page.evaluate(async (rules) => {
    const result = await /** @type {any} */ (window).axe.run(document, { runOnly: rules, resultTypes: ['violations'] });
    return result.violations.map((/** @type {any} */ one) => `${one.id}: ${one.nodes.slice(0, 3).map((/** @type {any} */ node) => node.html.slice(0, 160)).join(' ;; ')}`);
  }, WCAG);
}

/**
 * Milliseconds of the main thread so far.
 * @param {Page} page
 */
async function clockOf(page) {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable');
  return {
    session,
    busy: async () => ((await session.send('Performance.getMetrics')).metrics.find((one) => one.name === 'TaskDuration')?.value ?? 0) * 1_000,
  };
}

/** What a tick costs, each of several. @param {Page} page @param {() => void} tick @param {number} turns */
async function costOf(page, tick, turns) {
  const { busy } = await clockOf(page);
  const costs = [];
  for (let i = 0; i < turns; i += 1) {
    const before = await busy();
    tick();
    await page.waitForTimeout(250);
    costs.push(await busy() - before);
  }
  return costs;
}

/** Counts tasks of more than 50 ms from now on. @param {Page} page */
async function countLongTasks(page) {
  await page.evaluate(() => {
    Object.assign(window, { longTasks: 0 });
    new PerformanceObserver((list) => { /** @type {any} */ (window).longTasks += list.getEntries().length; }).observe({ type: 'longtask' });
  });
  return () => page.evaluate(() => /** @type {any} */ (window).longTasks);
}

/** A day of faults in every state. @param {number} now */
export function stagedDemo(now) {
  const fault = (/** @type {string} */ id, /** @type {object} */ over) => ({ id, kind: 'leak', asset: 'oxygen-manifold', name: { zh: `故障${id}`, en: `Fault ${id}` }, notice: { zh: '压力缓慢下降,二十分钟后自动切换到另一侧。', en: 'The pressure falls slowly; after twenty minutes the manifold changes over to the other bank.' }, state: 'waiting', onset: null, end: null, points: ['oxygen-manifold/pressure'], ...over });
  return { now, seed: 42, speed: 60, genesis: now - 400 * 86_400_000, filled: { share: 0.37, from: now - 148 * 86_400_000, done: false }, faults: [
    fault('over', { state: 'over', onset: now - 9e7, end: now - 7e6 }), fault('soon', { onset: now + 3e5 }), fault('hand', {}), fault('on', { state: 'running', onset: now - 7e5, end: now + 9e5 })] };
}

/**
 * A gateway in order, or one with a device in every state and a target in each.
 * @param {number} now
 * @param {boolean} well
 * @returns {import('../../dashboards/web/lib/status.js').StatusReply}
 */
export function stagedStatus(now, well) {
  const device = (/** @type {string} */ name, /** @type {any} */ over = {}) => ({ protocol: 'modbus', bus: 'roof', device: name, state: 'good', points: 24, interval_ms: 1_000, poll_p50_ms: 140, poll_p95_ms: 310, latency_ms: 9.5, timeouts: 0, consecutive_failures: 0, last_good_at: now - 600, messages: null, quality: { good: 24, uncertain: 0, bad: 0 }, ...over });
  const target = (/** @type {string} */ name, /** @type {any} */ over = {}) => ({ target: name, host: `${name}.hospital.example:8086`, state: 'good', reason: null, backlog: 120, oldest_ms: 900, drain_ms: 0, lines_sent: 123_456_789, lines_rejected: 0, retries: 0, last_success_at: now - 700, ...over });
  const broker = device('', { protocol: 'mqtt', bus: 'lora', device: null, interval_ms: null, poll_p50_ms: null, poll_p95_ms: null, timeouts: null, consecutive_failures: null, messages: 45_120 });
  const bad = { good: 0, uncertain: 4, bad: 20 };
  const troubled = [
    device('riser-late', { bus: 'risers', state: 'late', poll_p50_ms: 870, poll_p95_ms: 1_430, quality: { good: 20, uncertain: 4, bad: 0 } }),
    device('riser-failing', { bus: 'risers', state: 'failing', timeouts: 31, consecutive_failures: 2, last_good_at: now - 4_000, quality: { good: 12, uncertain: 0, bad: 12 } }),
    device('riser-silent-long-name-of-a-meter', { bus: 'risers-and-everything-behind-them', state: 'silent', timeouts: 12_340, consecutive_failures: 1_234, last_good_at: now - 9_000_000, quality: bad }),
    device('pump-1', { bus: 'basement', state: 'disconnected', last_good_at: now - 31_000, quality: bad }),
    device('saw', { bus: 'workshop', state: 'stopped', last_good_at: null, poll_p50_ms: null, poll_p95_ms: null, quality: { good: 0, uncertain: 0, bad: 0 } }),
    device('riser-new', { bus: 'risers', state: 'waiting', last_good_at: null, poll_p50_ms: null, poll_p95_ms: null, quality: bad }),
  ];
  const behind = [
    target('influx', { state: 'waiting', reason: 'connection refused', backlog: 1_234_567, oldest_ms: 5_400_000, drain_ms: 1_260_000, lines_rejected: 12 }),
    target('lake', { state: 'held', reason: '401 Unauthorized: the token is not valid', backlog: 88_000, oldest_ms: 700_000, drain_ms: null, last_success_at: null }),
    target('mirror', { backlog: 5_000, oldest_ms: 120_000, drain_ms: null }),
  ];
  return /** @type {any} */ ({
    now, started_at: now - 8_640_000, uptime_ms: 8_640_000, version: '0.1.0', build: '0123456789abcdef', process: { cpu_share: 0.07, cpu_ms: 604_000, rss_bytes: 96_400_000 },
    clock: { zone: 'Asia/Shanghai', moved_ms: well ? -12 : 3_600_000, steps: well ? 0 : 1 },
    parts: [{ part: 'alarms', ok: true, detail: null }, { part: 'historian', ok: well, detail: well ? null : 'the disk is full' }],
    devices: [device('chiller-plc'), ...(well ? [] : troubled), device('meter-7', { bus: 'risers', interval_ms: 900_000, poll_p50_ms: 2_100, poll_p95_ms: 9_400 }), broker],
    readings: { made: 98_765_432, uncertain: 120, bad: 4_100, late: 3, duplicates: 12, held_back: 400, lost: 0, spool: 1, alarms_wait_ms: 0 },
    historian: { committed: 1_234_567, sealed_up_to: 1_230_000, commits: 98_000, readings: 98_000_000, bytes: 7.2e8, disk_bytes: 1.24e9, sealed: 97_000_000, lost: well ? 0 : 512, damaged: 0, shed_bytes: null },
    forward: [...(well ? [] : behind), target('metrics')],
  });
}

/**
 * @param {object} tools of run.mjs
 * @param {(name: string, run: () => Promise<void>) => Promise<void>} tools.check
 * @param {(truth: unknown, what: string) => void} tools.must
 * @param {(over?: any) => Promise<{ page: Page, context: import('playwright-core').BrowserContext, complaints: string[] }>} tools.person
 * @param {(page: Page, path: string) => Promise<void>} tools.open
 * @param {(page: Page) => Promise<unknown>} tools.drawn
 * @param {(page: Page) => Promise<string[]>} tools.clipped
 */
export async function partsChecks({ check, must, person, open, drawn, clipped }) {
  /** The gallery, still. @param {Page} page @param {string} path */
  async function gallery(page, path = '/gallery') {
    await open(page, path);
    await page.emulateMedia({ reducedMotion: 'reduce' });
    await page.mouse.move(0, 0);
    await drawn(page);
  }

  for (const language of LANGUAGES) {
    await check(`gallery: every part in every state is readable, whole and accessible, ${language}`, async () => {
      const { page, complaints } = await person({ language });
      await gallery(page);
      must(await page.locator('.tile').count() >= 40, 'tiles are missing');
      /** @type {string[]} */
      const faults = [];
      for (const size of WIDTHS) {
        await page.setViewportSize(size);
        for (const colorScheme of THEMES) {
          await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
          await drawn(page);
          for (const fault of [...await axe(page), ...await clipped(page)]) faults.push(`${size.width} px, ${colorScheme}: ${fault}`);
        }
      }
      faults.push(...KEYS.exec(await page.locator('main').innerText())?.slice(0, 1) ?? [], ...complaints);
      must(faults.length === 0, faults.join('\n'));
      await page.context().close();
    });
  }

  for (const theme of THEMES) {
    await check(`the colour rule: no tile, bar or line in order has an alarm's colour, and an alarm has, ${theme}`, async () => {
      const { page } = await person({ theme });
      await gallery(page);
      for (const part of ['normal', 'quality', 'band', 'states', 'history', 'bullets', 'sparks', 'badges', 'grades', 'controls', 'types', 'colours']) {
        noAlarmColour(await page.locator(`#gallery-${part}`).screenshot(), part);
      }
      for (const part of ['alarms', 'chips']) {
        must(alarmPixels(await page.locator(`#gallery-${part}`).screenshot()).count > 1_000, `${part}: the eye of this test is blind`);
      }
      await page.context().close();
    });

    await check(`the colour rule: a page of a plant in order has no alarm's colour, ${theme}`, async () => {
      const { page } = await person({ theme });
      await fakePlant(page, fakePlan(300));
      for (const path of ['/points', '/gallery?cells=120']) {
        await open(page, path);
        noAlarmColour(await page.screenshot(), path);
      }
      await page.context().close();
    });
  }

  await check('tiles say in words what a pointer or a hatch shows', async () => {
    const { page } = await person({ language: 'en' });
    await gallery(page);
    const words = async (/** @type {string} */ part, /** @type {number} */ at) => {
      const tile = page.locator(`#gallery-${part} .tile`).nth(at);
      await tile.scrollIntoViewIfNeeded(); // what is off screen is not laid out
      return tile.innerText();
    };
    must(/below normal/.test(await words('band', 0)) && /above normal/.test(await words('band', 1)), 'outside the band without a word');
    must(/\u2014\s+timeout/.test(await words('quality', 4)), `bad shows ${await words('quality', 4)}`);
    must(/22\.4[\s\S]*4 min/.test(await words('quality', 2)), 'an old value without its age');
    must(await page.locator('#gallery-quality .tile-value.hatched').count() === 3, 'old values without a hatch');
    must(/\bM\b/.test(await words('quality', 8)), 'a value set by hand has no mark');
    must(/no history yet/.test(await words('history', 0)), 'nothing says that there is no history');
    must(await page.locator('.tile canvas').count() === 0, 'a canvas in a tile');
    await page.context().close();
  });

  await check('300 live tiles: the cost of a tick is printed, and hardly any is a long task', async () => {
    const { page } = await person();
    const plant = await fakePlant(page, fakePlan(300));
    await open(page, '/gallery?cells=300');
    must(await page.locator('.tile').count() === 300, 'not 300 tiles');
    const figures = () => page.locator('.tile-figure').allTextContents();
    const before = await figures();
    const longTasks = await countLongTasks(page);
    const costs = await costOf(page, plant.tick, 20);
    console.log(`    300 tiles: ${median(costs).toFixed(1)} ms of the main thread per tick, at most ${Math.max(...costs).toFixed(1)} ms`);
    const after = await figures();
    must(before.filter((text, i) => text !== after[i]).length > 150, 'the tiles stand still');
    const long = await longTasks();
    must(long <= 10, `${long} of 20 ticks are long tasks`);
    await page.context().close();
  });

  await check('an hour of ticks: heap and nodes stay', async () => {
    const { page } = await person();
    const plant = await fakePlant(page, fakePlan(300));
    await open(page, '/gallery?cells=300');
    const { session } = await clockOf(page);
    await session.send('HeapProfiler.enable');
    const run = async (/** @type {number} */ ticks) => {
      for (let i = 0; i < ticks; i += 1) {
        plant.tick();
        if (i % 20 === 19) await drawn(page);
      }
    };
    const weigh = async () => {
      await drawn(page);
      await session.send('HeapProfiler.collectGarbage');
      const { usedSize } = await session.send('Runtime.getHeapUsage');
      return { heap: usedSize, nodes: await page.evaluate(() => document.querySelectorAll('*').length) };
    };
    await run(200);
    const before = await weigh();
    await run(TICKS);
    const after = await weigh();
    const growth = after.heap / before.heap - 1;
    console.log(`    ${TICKS} ticks of 300 tiles: heap ${(before.heap / 1e6).toFixed(2)} to ${(after.heap / 1e6).toFixed(2)} MB (${(growth * 100).toFixed(1)} %), ${after.nodes} nodes`);
    must(growth < 0.05, `the heap grew by ${(growth * 100).toFixed(1)} %`);
    // A chip or a word more or less may stand in the shell.
    must(Math.abs(after.nodes - before.nodes) <= 10, `${before.nodes} nodes became ${after.nodes}`);
    await page.context().close();
  });

  await check('a lost link hatches every tile within 10 s', async () => {
    const { page } = await person({ language: 'en' });
    const plant = await fakePlant(page, fakePlan(40));
    await open(page, '/gallery?cells=40');
    plant.tick();
    await drawn(page);
    must(await page.locator('.tile-value.hatched').count() === 0, 'hatched from the start');
    await page.waitForFunction(() => [...document.querySelectorAll('.tile-value')].every((one) => one.classList.contains('hatched')), undefined, { timeout: 10_000 });
    await page.context().close();
  });

  await check('50,000 points: few rows are mounted, a tick is cheap, the end is reached, and a search is at once', async () => {
    const { page, complaints } = await person({ language: 'en', size: { width: 1920, height: 1080 } });
    const plant = await fakePlant(page, fakePlan(MANY));
    await open(page, '/points');
    const count = page.locator('.points-title p');
    await count.filter({ hasText: '50,000 points' }).waitFor({ timeout: 20_000 });
    const [rows, cells] = await page.evaluate(() => [document.querySelectorAll('[data-row]').length, document.querySelectorAll('[data-live]').length]);
    must((rows ?? 0) < 80 && (cells ?? 0) <= 300, `${rows} rows, ${cells} live cells`);
    const asked = [...plant.state.subscribed.values()].reduce((sum, points) => sum + points.length, 0);
    must(asked > 0 && asked <= 128, `${asked} points are subscribed to`);
    const longTasks = await countLongTasks(page);
    const costs = await costOf(page, plant.tick, 20);
    console.log(`    ${MANY} points: ${median(costs).toFixed(1)} ms of the main thread per tick, at most ${Math.max(...costs).toFixed(1)} ms`);
    const long = await longTasks();
    must(long <= 5, `${long} of 20 ticks are long tasks`);
    await page.evaluate(() => window.scrollTo(0, document.documentElement.scrollHeight));
    await page.locator(`[data-row][aria-rowindex="${MANY + 1}"]`).waitFor();
    await page.locator('.c-value', { hasText: '…' }).first().waitFor({ state: 'detached' });
    must([...plant.state.subscribed.values()].flat().some((address) => address.startsWith('machine-02499/')), 'the rows at the end are not followed');
    await page.keyboard.press('/');
    await page.keyboard.type('machine-01202 Pressure');
    await count.filter({ hasText: '5 of 50,000' }).waitFor();
    must((await page.locator('[data-row] .c-value').allInnerTexts()).length === 5, 'not the rows found');
    must(await page.evaluate(() => new URLSearchParams(location.search).get('search')) === 'machine-01202 Pressure', 'the URL does not hold the search');
    must(complaints.length === 0, complaints.join('\n'));
    await page.context().close();
  });

  await check('points: filters stand in the URL, meet, and Escape takes them away; keys walk past the window', async () => {
    const { page } = await person({ language: 'en' });
    await fakePlant(page, fakePlan(2_000));
    await open(page, '/points');
    await page.locator('select[name="system"]').selectOption('hvac');
    await page.locator('select[name="unit"]').selectOption('kW');
    const count = page.locator('.points-title p');
    await count.filter({ hasText: / of 2,000/ }).waitFor();
    must((await page.locator('.c-unit').allInnerTexts()).every((text) => text === 'kW'), 'another unit is shown');
    must(await page.evaluate(() => location.search) === '?system=hvac&unit=kW', 'the URL does not hold the filter');
    await page.locator('select[name="quality"]').selectOption('bad');
    await page.waitForFunction(() => Number(document.querySelector('.points-title p')?.textContent?.split(' ')[0]) < 10);
    await page.goBack();
    await page.goBack();
    await page.waitForFunction(() => location.search === '?system=hvac');
    await page.keyboard.press('Escape');
    await count.filter({ hasText: '2,000 points' }).waitFor();
    for (let i = 0; i < 60; i += 1) await page.keyboard.press('j');
    const at = await page.evaluate(() => {
      const row = document.activeElement?.closest('[data-row]');
      const box = document.activeElement?.getBoundingClientRect();
      return { index: Number(row?.getAttribute('aria-rowindex')), seen: box !== undefined && box.top >= 30 && box.bottom <= window.innerHeight };
    });
    must(at.index === 61 && at.seen, `after 60 steps the focus is in row ${at.index}, seen: ${at.seen}`);
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => /^\/points\/machine-/.test(location.pathname));
    await page.context().close();
  });

  for (const language of LANGUAGES) {
    await check(`gateway status: what is wrong stands first, in words and marks, ${language}`, async () => {
      const { page, complaints } = await person({ language });
      let well = false;
      await page.route(/\/api\/v1\/status$/, (route) => route.fulfill({ json: stagedStatus(Date.now(), well) }));
      await open(page, '/status');
      must(await page.locator('.status-wrong li').count() === 12, await page.locator('.status-wrong').innerText());
      must(await page.locator('.status-table .badge:not(:has(svg))').count() === 0, 'a word without a mark');
      must((await page.locator('.status-table .c-device').first().innerText()).trim() === 'pump-1', 'the worst device is not the first');
      must(/1\.2\sGB/.test(await page.locator('.status-figures').innerText()), 'the disk is not told');
      noAlarmColour(await page.locator('main').screenshot(), 'status');
      well = true;
      await page.reload();
      await page.locator('.status-well').waitFor();
      must(await page.locator('.status-wrong').count() === 0, 'well and wrong at once');
      must(KEYS.exec(await page.locator('main').innerText()) === null && complaints.length === 0, complaints.join('\n'));
      await page.context().close();
    });
  }

  await check('demo: what runs stands first, and a person starts and stops a fault', async () => {
    const { page, complaints } = await person({ language: 'en' });
    const reply = stagedDemo(Date.now());
    /** @type {string[]} */
    const asked = [];
    await page.route(/\/api\/v1\/demo$/, (route) => route.fulfill({ json: { ...reply, now: Date.now() } }));
    await page.route(/\/api\/v1\/demo\/faults\//, (route) => {
      const [, id, verb] = /faults\/([^/]+)\/(\w+)$/.exec(route.request().url()) ?? [];
      asked.push(`${route.request().method()} ${verb} ${id}`);
      for (const fault of reply.faults) if (fault.id === id) Object.assign(fault, verb === 'start' ? { state: 'running', onset: Date.now() } : { state: 'over', end: Date.now() });
      return route.fulfill({ json: {} });
    });
    await open(page, '/demo');
    const names = () => page.locator('.c-fault b').allInnerTexts();
    must((await names()).join() === 'Fault on,Fault soon,Fault hand,Fault over', (await names()).join());
    must(/37\s%/.test(await page.locator('.demo-fill').innerText()), 'the fill is not told');
    await page.getByRole('button', { name: 'Stop: Fault on' }).click();
    await page.getByRole('button', { name: 'Start: Fault on' }).waitFor();
    await page.getByRole('button', { name: 'Start: Fault hand' }).click();
    await page.getByRole('button', { name: 'Stop: Fault hand' }).waitFor();
    must(asked.join() === 'POST stop on,POST start hand', asked.join());
    must(complaints.length === 0, complaints.join('\n'));
    await page.unrouteAll();
    await page.route(/\/api\/v1\/demo$/, (route) => route.fulfill({ status: 404, json: { code: 'not_demo', message: 'no demo', request_id: 'r1' } }));
    await open(page, '/demo');
    await page.getByText('This server watches a real plant').waitFor();
    must(await page.locator('.failure').count() === 0, 'a plant without a demo looks like a failure');
    await page.context().close();
  });
}
