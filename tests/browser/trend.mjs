// The trend explorer, driven as a person would. The history comes from fake-series.mjs, so that a
// fresh plant has a year of it; one check takes it from the server.

import { readFileSync } from 'node:fs';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Figures are medians of so many turns. */
const TURNS = 5;

/** @param {number[]} list */
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1] ?? 0;

/**
 * @param {object} tools of run.mjs
 * @param {(name: string, run: () => Promise<void>) => Promise<void>} tools.check
 * @param {(truth: unknown, what: string) => void} tools.must
 * @param {(over?: any) => Promise<{ page: import('playwright-core').Page, context: import('playwright-core').BrowserContext, complaints: string[] }>} tools.person
 * @param {(page: import('playwright-core').Page, path: string) => Promise<void>} tools.open
 * @param {(page: import('playwright-core').Page) => Promise<unknown>} tools.drawn
 * @param {(path: string) => Promise<any>} tools.api
 * @param {string} tools.base
 * @param {{ timezone: string, now: number }} tools.site
 * @param {any[]} tools.points
 * @param {(page: import('playwright-core').Page) => Promise<void>} tools.fakeSeries
 * @param {new (why: string) => Error} tools.Skip
 * @param {{ width: number, height: number }} tools.PHONE
 * @param {{ width: number, height: number }} tools.DESK
 */
export async function trendChecks({ check, must, person, open, drawn, api, base, site, points, fakeSeries, Skip, PHONE, DESK }) {
  const numeric = points.filter((point) => point.states.length === 0 && ['decimal', 'float'].includes(point.kind));
  const stepped = points.filter((point) => point.states.length > 0 || point.kind === 'bool');
  const [one, two] = numeric;
  if (!one || !two) return;
  const end = Math.floor(site.now / DAY) * DAY;
  const day = `/trend?points=${one.address}&from=${end - DAY}&to=${end}`;

  /** @param {any} [over] */
  async function explorer(over) {
    const opened = await person({ language: 'en', ...over });
    await fakeSeries(opened.page);
    return opened;
  }
  /** Waits for a history that fits, drawn. @param {import('playwright-core').Page} page @param {RegExp} fits */
  async function held(page, fits) {
    await page.waitForFunction((source) => new RegExp(source).test(document.querySelector('.trend-panel')?.getAttribute('data-drawn') ?? ''), fits.source);
    await drawn(page);
  }
  const queryOf = (/** @type {import('playwright-core').Page} */ page) => new URL(page.url()).searchParams;
  const spanOf = (/** @type {import('playwright-core').Page} */ page) => Number(queryOf(page).get('to')) - Number(queryOf(page).get('from'));
  /** @param {import('playwright-core').Page} page */
  async function plotBox(page) {
    const box = await page.locator('.u-over').first().boundingBox();
    if (!box) throw new Error('no chart');
    return box;
  }

  await check('trend: points are found by name in both languages, added, hidden and removed, and the back button undoes it', async () => {
    const { page, complaints } = await explorer();
    await open(page, '/trend');
    for (const [point, words] of [[one, one.name.en], [two, two.name.zh]]) {
      await page.getByRole('combobox').fill(words);
      const option = page.getByRole('option').filter({ hasText: point.address }).first();
      await option.waitFor();
      while (await option.getAttribute('aria-selected') !== 'true') await page.keyboard.press('ArrowDown');
      await page.keyboard.press('Enter');
      await page.locator(`.trend-table a[href="/points/${point.address}"]`).waitFor();
    }
    must(queryOf(page).get('points') === `${one.address},${two.address}`, page.url());
    await held(page, /columns/);
    await page.locator('.trend-table button[aria-pressed]').first().click();
    must(queryOf(page).get('hide') === one.address, page.url());
    await page.getByRole('button', { name: /^Remove/ }).nth(1).click();
    must(queryOf(page).get('points') === one.address, page.url());
    await page.goBack();
    await page.goBack();
    must(queryOf(page).get('points') === `${one.address},${two.address}` && !queryOf(page).has('hide'), page.url());
    await page.reload();
    await held(page, /columns/);
    must(await page.locator('.trend-table tbody tr').count() === 2, 'the address does not hold the state');
    must(complaints.length === 0, complaints.join('\n'));
    await page.context().close();
  });

  await check('trend: dragging, the wheel, keys and buttons zoom and pan; near enough the readings are raw', async () => {
    const { page, complaints } = await explorer();
    await open(page, day);
    await held(page, /^columns/);
    const box = await plotBox(page);
    const y = box.y + box.height / 2;
    await page.mouse.move(box.x + box.width * 0.5, y);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.51, y, { steps: 4 });
    await page.mouse.up();
    await page.waitForFunction((whole) => !location.search.includes(String(whole)), end - DAY);
    must(Math.abs(spanOf(page) - DAY * 0.01) < DAY * 0.002, `dragged to ${spanOf(page)} ms`);
    await held(page, /^raw/);
    const before = spanOf(page);
    await page.mouse.wheel(0, 120);
    await page.waitForFunction((old) => { const q = new URLSearchParams(location.search); return Number(q.get('to')) - Number(q.get('from')) > old; }, before);
    for (const [key, grows] of /** @type {[string, number][]} */ ([['-', 2], ['+', 0.5], ['ArrowRight', 1], ['ArrowLeft', 1]])) {
      const was = { span: spanOf(page), from: Number(queryOf(page).get('from')) };
      await page.keyboard.press(key);
      await page.waitForFunction((old) => Number(new URLSearchParams(location.search).get('from')) !== old, was.from);
      must(Math.abs(spanOf(page) / was.span - grows) < 0.01, `${key}: ${was.span} to ${spanOf(page)}`);
    }
    await page.getByRole('button', { name: 'Wider' }).click();
    await page.waitForTimeout(400);
    await page.keyboard.press('l');
    await page.waitForFunction(() => !location.search.includes('from='));
    await page.goBack();
    await page.waitForFunction(() => location.search.includes('from='));
    await page.getByRole('link', { name: '7 d', exact: true }).click();
    await page.waitForFunction(() => location.search.includes('span=7d'));
    must(complaints.length === 0, complaints.join('\n'));
    await page.context().close();
  });

  await check('trend: a finger pans, the page still scrolls, and targets are 48 px', async () => {
    const { page, context } = await explorer({ size: PHONE, touch: true });
    await open(page, day);
    await held(page, /./);
    const box = await plotBox(page);
    const session = await context.newCDPSession(page);
    const touch = (/** @type {string} */ type, /** @type {number} */ x) => session.send('Input.dispatchTouchEvent', { type: /** @type {any} */ (type), touchPoints: type === 'touchEnd' ? [] : [{ x, y: box.y + 40 }] });
    await touch('touchStart', box.x + 150);
    for (const x of [140, 120, 90, 60]) await touch('touchMove', box.x + x);
    await touch('touchEnd', 0);
    await page.waitForFunction((old) => Number(new URLSearchParams(location.search).get('from')) > old, end - DAY);
    const small = await page.evaluate(() => [...document.querySelectorAll('main button, main input, main .choice')]
      .filter((one) => one instanceof HTMLElement && one.offsetParent !== null && one.getBoundingClientRect().height < 47.5).map((one) => one.outerHTML.slice(0, 90)));
    must(small.length === 0, small.join('\n'));
    must(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth + 1), 'the page is wider than the phone');
    await context.close();
  });

  await check('trend: calendar fields are in the site zone', async () => {
    const { page } = await explorer();
    await open(page, day);
    await page.getByLabel('From', { exact: true }).fill('2026-01-02T03:04');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => Number(new URLSearchParams(location.search).get('from')) < Date.UTC(2026, 0, 4));
    const shown = new Intl.DateTimeFormat('sv-SE', { timeZone: site.timezone, dateStyle: 'short', timeStyle: 'short' }).format(Number(queryOf(page).get('from')));
    must(shown === '2026-01-02 03:04', shown);
    await page.context().close();
  });

  await check('trend: one cursor over all charts; a gap has no value, a bad one its reason; states have names', async () => {
    const others = stepped.slice(0, 1).map((point) => point.address);
    const unlike = numeric.filter((point, i) => numeric.findIndex((other) => other.symbol === point.symbol) === i).slice(0, 4).map((point) => point.address);
    const { page } = await explorer();
    await open(page, `/trend?points=${[...unlike, ...others].join()}&from=${end - DAY}&to=${end}&over=1d`);
    await held(page, /^columns/);
    const charts = Math.ceil(unlike.length / 2) + others.length;
    must(await page.locator('.plot canvas').count() === charts, `${await page.locator('.plot canvas').count()} charts, not ${charts}`);
    const box = await plotBox(page);
    /** @param {number} share */
    const at = async (share) => {
      await page.mouse.move(box.x + box.width * share, box.y + 30);
      await drawn(page);
      return page.locator('.trend-table tbody .c-cursor').allInnerTexts();
    };
    const values = await at(0.4);
    must(values.every((text) => text !== '' && text !== 'no data'), values.join(' | '));
    const lefts = await page.locator('.u-cursor-x').evaluateAll((list) => list.map((line) => Math.round(line.getBoundingClientRect().left)));
    must(lefts.length === charts && lefts.every((left) => Math.abs(left - (lefts[0] ?? 0)) <= 1), `cursors at ${lefts.join()}`);
    must((await at(0.32)).every((text) => text === 'no data'), 'a silent point shows a value');
    must((await at(0.56)).every((text) => /^Bad/.test(text)), 'a bad value looks good');
    if (stepped[0]?.states.length) must((await at(0.4)).some((text) => stepped[0].states.some((/** @type {any} */ state) => text.includes(state.name.en))), 'a state without its name');
    await page.mouse.move(5, 5);
    await page.keyboard.press(']');
    await drawn(page);
    must((await page.locator('.trend-at').innerText()).includes(':'), 'the cursor does not move by keys');
    await page.getByRole('button', { name: 'Values as a table' }).click();
    must(await page.getByRole('table').count() === 2, 'there is no table of values');
    await page.context().close();
  });

  await check('trend: the CSV holds what is shown, with the site offset; the picture is a PNG', async () => {
    const { page } = await explorer();
    await open(page, `/trend?points=${one.address},${two.address}&from=${end - DAY}&to=${end - DAY + 600_000}&over=7d`);
    await held(page, /^raw/);
    const file = async (/** @type {string} */ name) => {
      const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name }).click()]);
      return { bytes: readFileSync(await download.path()), name: download.suggestedFilename() };
    };
    const csv = await file('Export CSV');
    const lines = csv.bytes.toString('utf8').replace('\ufeff', '').split('\r\n');
    must(/^trend-\d{4}-\d\d-\d\d.*\.csv$/.test(csv.name), csv.name);
    must(lines.length === 1 + 300, `${lines.length - 1} rows of 600 s by 2 s`);
    must(lines.slice(1).every((line) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?[+-]\d\d:\d\d,/.test(line) && line.split(',').length === 9), lines[1] ?? '');
    const png = await file('Export picture');
    must(png.bytes.subarray(1, 4).toString() === 'PNG' && png.bytes.length > 5_000, `${png.name}: ${png.bytes.length} bytes`);
    await page.context().close();
  });

  await check('trend: what is overtaken is ended, the last picture stays, a failure is said and tried again', async () => {
    const { page, complaints } = await explorer();
    await open(page, day);
    await held(page, /^columns/);
    let failing = true;
    let aborted = 0;
    page.on('requestfailed', (request) => { if (request.url().includes('/series?')) aborted += 1; });
    await page.route(/\/api\/v1\/series\?/, async (route) => {
      if (failing) return route.fulfill({ status: 500, json: { code: 'internal', message: 'planted', request_id: 'r-1' } });
      await new Promise((done) => setTimeout(done, 300));
      return route.fallback().catch(() => {});
    });
    await page.getByRole('link', { name: '30 d', exact: true }).click();
    await page.locator('.failure').first().waitFor();
    must(await page.locator('.plot canvas').count() === 1, 'the last picture is gone');
    failing = false;
    await page.getByRole('button', { name: 'Try again' }).first().click();
    await page.locator('.failure').first().waitFor({ state: 'detached' });
    for (const name of ['1 h', '24 h', '7 d']) await page.getByRole('link', { name, exact: true }).click();
    await page.waitForTimeout(1_200);
    must(aborted >= 2, `${aborted} overtaken requests were ended`);
    must(complaints.length === 0, complaints.join('\n'));
    await page.context().close();
  });

  await check('trend: a window at now follows the live values without asking for all of it again', async () => {
    const { items } = await api(`/values?points=${numeric.slice(0, 50).map((point) => point.address).join(',')}`);
    const lively = items.find((/** @type {any} */ value) => value.quality === 'good' && Date.now() - value.at < 10_000);
    if (!lively) throw new Skip('no point is live');
    const { page } = await explorer();
    let asked = 0;
    page.on('request', (request) => { if (request.url().includes('/series?')) asked += 1; });
    await open(page, `/trend?points=${lively.point}&span=1h`);
    await held(page, /./);
    const first = asked;
    const shown = () => page.locator('.trend-cut').innerText();
    const before = await shown();
    await page.waitForFunction((old) => document.querySelector('.trend-cut')?.textContent !== old, before, { timeout: 12_000 });
    must(asked === first, `${asked - first} more requests`);
    await page.context().close();
  });

  await check('trend: links lead there from a point, an alarm and an order', async () => {
    const { page } = await explorer();
    await open(page, `/points/${one.address}`);
    await page.getByRole('link', { name: 'See in trends' }).click();
    await page.waitForFunction((address) => location.pathname === '/trend' && location.search.includes(address), one.address);
    for (const [list, path] of [[(await api('/alarms?state=all&limit=1')).items, '/alarms'], [(await api('/work-orders?state=all')).items, '/work-orders']]) {
      if (!list[0]) continue;
      await open(page, `${path}/${list[0].id}?state=all`);
      await page.getByRole('link', { name: 'See the trend' }).click();
      await page.waitForFunction(() => location.pathname === '/trend' && location.search.includes('from='));
    }
    await page.context().close();
  });

  await check('trend: from the server, as the readings of the point are', async () => {
    if ((await fetch(`${base}/api/v1/series?points=${one.address}&from=${site.now - HOUR}&to=${site.now}&cut=raw`)).status === 404) throw new Skip('the server has no /series');
    const { page, complaints } = await person({ language: 'en' });
    const to = (await api('/site')).now;
    await open(page, `/trend?points=${one.address},${two.address}&from=${to - 600_000}&to=${to}`);
    await held(page, /^raw/);
    const { readings } = await api(`/points/${one.address}/readings?from=${to - 600_000}&to=${to}&limit=50000`);
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Export CSV' }).click()]);
    const rows = readFileSync(await download.path(), 'utf8').split('\r\n').slice(1).map((line) => line.split(','));
    const mine = rows.filter((cells) => cells[2] !== '');
    must(mine.length === readings.length, `${mine.length} rows, ${readings.length} readings`);
    must(mine.every((cells, i) => (cells[1] === '' ? null : Number(cells[1])) === (readings[i].quality === 'bad' ? null : Number(readings[i].value))), 'a value differs');
    const figures = (await page.locator('.trend-table tbody tr').first().locator('td').allInnerTexts()).map((text) => text.replace(/,/g, '').replace('\u2212', '-'));
    const good = readings.filter((/** @type {any} */ reading) => reading.quality !== 'bad').map((/** @type {any} */ reading) => Number(reading.value));
    must(Number(figures[2]) === Number(Math.min(...good).toFixed(one.decimals)), `the least is ${figures[2]}`);
    await page.getByRole('link', { name: '1 y', exact: true }).click();
    await held(page, /./);
    must(await page.locator('.failure').count() === 0 && complaints.length === 0, complaints.join('\n'));
    await page.context().close();
  });

  // ---- figures, printed and not asserted

  await check('trend: how long a year, a zoom to raw and a tick take is printed', async () => {
    const eight = numeric.slice(0, 8).map((point) => point.address).join();
    const { page } = await explorer({ size: DESK });
    // Answers are made once, so that the figures are the page's.
    /** @type {Map<string, string>} */
    const made = new Map();
    await page.route(/\/api\/v1\/series\?/, async (route) => {
      const url = route.request().url();
      const body = made.get(url);
      if (body) return route.fulfill({ body, contentType: 'application/json' });
      return route.fallback();
    });
    page.on('response', async (response) => { if (response.url().includes('/series?')) made.set(response.url(), await response.text().catch(() => '')); });
    /** From asking to two frames after the picture stands. @param {string} fits */
    const timed = (fits) => page.evaluate((source) => new Promise((done) => {
      const look = () => {
        const asked = performance.getEntriesByType('resource').filter((entry) => entry.name.includes('/series?')).pop();
        if (!new RegExp(source).test(document.querySelector('.trend-panel')?.getAttribute('data-drawn') ?? '')) return void requestAnimationFrame(look);
        return void requestAnimationFrame(() => requestAnimationFrame(() => {
          const entry = /** @type {PerformanceResourceTiming} */ (asked);
          done([performance.now() - entry.fetchStart, performance.now() - entry.responseEnd]);
        }));
      };
      look();
    }), fits);
    const year = [end - 365 * DAY, end];
    const near = [end - DAY, end - DAY + 900_000];
    const path = (/** @type {number[]} */ [from, to]) => `/trend?points=${eight}&from=${from}&to=${to}`;
    /** @type {number[][][]} */
    const all = [[], []];
    for (let turn = 0; turn <= TURNS; turn += 1) {
      await page.goto(base + path(year));
      const first = /** @type {number[]} */ (await timed(`^columns ${year[0]}`));
      await page.evaluate((href) => {
        performance.clearResourceTimings();
        history.pushState(null, '', href);
        window.dispatchEvent(new PopStateEvent('popstate'));
      }, path(near));
      const second = /** @type {number[]} */ (await timed('^raw'));
      if (turn > 0) [first, second].forEach((figure, i) => all[i]?.push(figure)); // the first made the answers
    }
    ['a year of 8 points', 'zoom to raw, 8 points x 450'].forEach((what, i) =>
      console.log(`    ${what}: ${median((all[i] ?? []).map(([ms = 0]) => ms)).toFixed(0)} ms from asking, ${median((all[i] ?? []).map(([, ms = 0]) => ms)).toFixed(0)} ms of it after the answer`));
    await page.context().close();
  });

  await check('trend: 20 charts of 2,000 points; the cost of a tick is printed', async () => {
    const { page } = await explorer({ size: DESK });
    await open(page, '/trend');
    const script = await page.evaluate(() => /** @type {HTMLScriptElement | null} */ (document.querySelector('script[type=module]'))?.src ?? '');
    const [first, ticks] = await page.evaluate(async (app) => {
      await import(app.replace('app.js', 'screens/trend.js'));
      const { createPlot, coloursOf } = await import(app.replace('app.js', 'parts/plot.js'));
      const main = /** @type {HTMLElement} */ (document.querySelector('main'));
      const colours = coloursOf();
      const shape = { lines: [{ slot: 0, axis: 0, past: '', solid: false }], units: ['kW'], levels: null, gutter: 56, right: false };
      const trace = (/** @type {number} */ n) => ({ at: Array.from({ length: 2_000 }, (_, i) => (n + i) * 1_000), line: Array.from({ length: 2_000 }, (_, i) => Math.sin((n + i) / 50) * 10 + ((n + i) * 7919) % 5), min: [], max: [], marks: [] });
      const began = performance.now();
      const hands = { move() {}, point() {} };
      const plots = Array.from({ length: 20 }, () => createPlot(main.appendChild(document.createElement('div')), shape, { width: 550, height: 140 }, { from: 0, to: 2_000_000 }, colours, hands));
      for (const plot of plots) plot.setData([trace(0)], { from: 0, to: 2_000_000 });
      await Promise.resolve();
      const first = performance.now() - began;
      const ticks = [];
      for (let n = 1; n <= 60; n += 1) {
        const next = trace(n);
        await new Promise((done) => requestAnimationFrame(done));
        const start = performance.now();
        for (const plot of plots) plot.setData([next], { from: n * 1_000, to: (n + 2_000) * 1_000 });
        await Promise.resolve();
        await Promise.resolve();
        ticks.push(performance.now() - start);
      }
      for (const plot of plots) plot.destroy();
      return [first, ticks];
    }, script);
    const sorted = [.../** @type {number[]} */ (ticks)].sort((a, b) => a - b);
    console.log(`    first ${Number(first).toFixed(0)} ms, a tick ${median(sorted).toFixed(1)} ms, the slowest ${(sorted[sorted.length - 1] ?? 0).toFixed(1)} ms`);
    await page.context().close();
  });
}
