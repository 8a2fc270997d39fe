// Drives the page in Chromium against a running plantroom, as a person would.
//
//   PLANTROOM_URL    its address, e.g. http://127.0.0.1:8080 (needed)
//   PLANTROOM_PID    its process; killed by the last check, which then runs too
//   PLANTROOM_SHOTS  a folder for screenshots of every screen, for review: zh-CN light and en dark
//   PLANTROOM_SHOTS_ALL  1: also zh-CN dark and en light, which takes twice as long
//   CHROMIUM         the browser, /usr/bin/chromium
//   ONLY             runs only the checks whose name holds this text; `sweep`: those of every screen
//
// Prints `ok name`, `FAILED name` or `skipped name: why`, then the count in cargo's shape. What is there to look at
// (points, alarms, orders, meters) is asked from the API; nothing of the demo's plant is assumed.

import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launch } from './browser.mjs';
import { answer } from './fake-series.mjs';
import { machineChecks } from './machine.mjs';
import { partsChecks, stagedDemo, stagedStatus } from './parts.mjs';
import { plantChecks } from './plant.mjs';
import { trendChecks } from './trend.mjs';

const base = (process.env.PLANTROOM_URL ?? '').replace(/\/$/, '');
if (base === '') {
  console.error('PLANTROOM_URL is not set: start `plantroom demo` and give its address.');
  process.exit(2);
}
const shots = process.env.PLANTROOM_SHOTS;
const allShots = process.env.PLANTROOM_SHOTS_ALL === '1';
const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const DESK = { width: 1366, height: 768 };
const WIDE = { width: 1920, height: 1080 };
const NARROW = { width: 320, height: 640 };
const PHONE = { width: 390, height: 844 };
const LANGUAGES = ['zh-CN', 'en'];
const THEMES = /** @type {const} */ (['light', 'dark']);
const CJK = /[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]/;
const KEYS = /(?:^|\s)(?:act|action|age|alarms|banner|brokers|buses|chart|demo|do|energy|error|fate|fault|gallery|guide|hand|help|kind|link|log|machine|making|marks|means|medium|nav|orders|overview|palette|point|points|quality|reason|rule|state|status|system|systems|tester|tile|top|trend|value|verdict)\.[a-z-]+/;
const LOST_WITHIN_MS = 10_000;
const ALARM_WITHIN_MS = 60_000;
const SETTLED_WITHIN_MS = 60_000;
const SPARKS_WITHIN_MS = 3_000;

class Skip extends Error {}

let passed = 0;
let failed = 0;
let skipped = 0;

/** @param {string} name @param {() => Promise<void>} run @param {boolean} [always] */
async function check(name, run, always = false) {
  if (!always && process.env.ONLY && !name.includes(process.env.ONLY)) return;
  try {
    await run();
    passed += 1;
    console.log(`ok ${name}`);
  } catch (error) {
    if (error instanceof Skip) {
      skipped += 1;
      console.log(`skipped ${name}: ${error.message}`);
      return;
    }
    failed += 1;
    console.log(`FAILED ${name}`);
    console.log(`    ${String(/** @type {any} */ (error)?.message ?? error).split('\n').slice(0, 14).join('\n    ')}`);
  }
}

/** @param {unknown} truth @param {string} what @returns {asserts truth} */
function must(truth, what) {
  if (!truth) throw new Error(what);
}

/** @param {string} path */
async function api(path) {
  const reply = await fetch(`${base}/api/v1${path}`);
  must(reply.ok, `GET ${path} answers ${reply.status}`);
  return reply.json();
}

const profile = mkdtempSync(join(tmpdir(), 'plantroom-browser-'));
const browser = await launch([`--disk-cache-dir=${profile}`]);
const site = await api('/site');

/**
 * A fresh person's page. Anything it complains about fails the check that opened it.
 * @param {{ language?: string, theme?: 'light' | 'dark', size?: { width: number, height: number }, touch?: boolean }} [over]
 */
async function person(over = {}) {
  const context = await browser.newContext({
    viewport: over.size ?? DESK, locale: over.language ?? 'zh-CN', colorScheme: over.theme ?? 'light',
    timezoneId: site.timezone, hasTouch: over.touch ?? false, isMobile: over.touch ?? false,
  });
  const page = await context.newPage();
  /** @type {string[]} */
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' && !/Failed to load resource|WebSocket connection/.test(message.text())) complaints.push(message.text());
  });
  return { page, context, complaints };
}

/** @param {import('playwright-core').Page} page @param {string} path */
async function open(page, path) {
  await page.goto(base + path);
  await page.waitForSelector('main h1');
  await settled(page);
}

/** No skeleton is left and, where live values stand, they have arrived. @param {import('playwright-core').Page} page */
async function settled(page) {
  const waiting = () => (document.querySelector('.skeleton') || !document.querySelector('main h1') ? 'a skeleton'
    : [...document.querySelectorAll('[data-live]')].filter((cell) => cell.textContent?.includes('…')).length || null);
  // Nothing is said of how long it takes: a busy machine may have other screens to draw as well.
  const left = await until(SETTLED_WITHIN_MS, async () => ((await page.evaluate(waiting)) === null ? true : null));
  must(left, `${page.url()} does not come to rest: ${await page.evaluate(waiting)} of its values are waited for`);
  await drawn(page);
}

/** Two frames on: effects have run and the layout stands. @param {import('playwright-core').Page} page */
function drawn(page) {
  return page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done)))));
}

// ---- an alarm comes: in the demo 20 s after its start, for 90 s. So these two run first.

/** Asks twice a second until there is an answer. @template T @param {number} within @param {() => Promise<T | null>} ask */
async function until(within, ask) {
  for (const end = Date.now() + within; ;) {
    const found = await ask();
    if (found !== null || Date.now() > end) return found;
    await new Promise((done) => setTimeout(done, 500));
  }
}

await check('three open tabs are told of a new alarm; how long it took is printed', async () => {
  const past = (await api('/alarms?state=all&limit=500')).items;
  if (past.some((/** @type {any} */ one) => one.active)) throw new Skip('an alarm is active already');
  const { page, context } = await person({ language: 'en' });
  const tabs = [page, await context.newPage(), await context.newPage()];
  for (const tab of tabs) {
    await open(tab, '/alarms');
    await tab.evaluate(() => {
      /** @type {Record<string, number>} */
      const seen = {};
      const look = () => document.querySelectorAll('[data-row]').forEach((row) => { seen[row.id] ??= Date.now(); });
      Object.assign(window, { seen });
      new MutationObserver(look).observe(document.body, { subtree: true, childList: true });
    });
  }
  const known = new Set(past.map((/** @type {any} */ one) => one.id));
  const alarm = await until(ALARM_WITHIN_MS, async () =>
    (await api('/alarms?state=open&limit=500')).items.find((/** @type {any} */ one) => !known.has(one.id)) ?? null);
  if (!alarm) throw new Skip('no alarm came');
  for (const tab of tabs) {
    const row = `alarm-${alarm.id}`;
    await tab.waitForFunction((id) => id in /** @type {any} */ (window).seen, row, { timeout: LOST_WITHIN_MS });
    const at = await tab.evaluate((id) => /** @type {any} */ (window).seen[id], row);
    console.log(`    raised to row on screen: ${at - alarm.raised_at} ms`);
  }
  await context.close();
});

await check('an order is accepted and finished; closing is refused while its alarm is active, and the page says why', async () => {
  const order = await until(ALARM_WITHIN_MS, async () => {
    for (const one of (await api('/work-orders?state=open')).items) {
      const full = await api(`/work-orders/${one.id}`);
      if (full.alarms.some((/** @type {any} */ alarm) => alarm.active)) return full;
    }
    return null;
  });
  if (!order) throw new Skip('no open order with an active alarm');
  const { page } = await person({ language: 'en', size: PHONE, touch: true });
  await open(page, `/work-orders/${order.id}`);
  await page.getByLabel('Your name').fill('Chen');
  for (const [state, verb] of [['new', 'Accept'], ['accepted', 'Finish']]) {
    if ((await api(`/work-orders/${order.id}`)).state !== state) continue;
    if (state === 'accepted') await page.getByLabel('What was done').fill('bank changed over');
    await page.getByRole('button', { name: verb, exact: true }).click();
    await page.getByRole('button', { name: verb, exact: true }).waitFor({ state: 'detached' });
  }
  await page.getByRole('button', { name: 'Close the order', exact: true }).click();
  const refusal = page.locator('.refusal');
  await refusal.waitFor();
  const words = await refusal.innerText();
  if ((await api(`/work-orders/${order.id}`)).alarms.some((/** @type {any} */ alarm) => alarm.active)) {
    must(/still active/.test(words) && /back within its limit/.test(words), words);
  }
  must((await api(`/work-orders/${order.id}`)).state === 'done', 'the order is not in the state done');
  await page.context().close();
});

// ---- what there is to look at

/** The screens, with something on them where the plant has it. */
async function screens() {
  const { items: points } = await api('/points?limit=200');
  // A run of these checks alone begins before the demo's first alarm, and an alarm has screens of its own.
  const raised = async () => (await api('/alarms?state=all&limit=50')).items;
  const alarms = await until(ALARM_WITHIN_MS, async () => ((await raised()).length > 0 ? raised() : null)) ?? [];
  const { items: orders } = await api('/work-orders?state=all');
  const { items: meters } = await api('/energy/meters');
  const numeric = points.find((/** @type {any} */ point) => point.kind !== 'text' && point.states.length === 0) ?? points[0];
  must(numeric, 'the site has no point');
  const day = new Intl.DateTimeFormat('en-CA', { timeZone: site.timezone }).format(new Date(site.now));
  const machine = numeric.asset;
  const { items: systems } = await api('/systems');
  const all = [
    ['overview', '/'], ['equipment', `/equipment/${machine}`], ['points', '/points'], ['point', `/points/${numeric.address}`], ['alarms', '/alarms'], ['alarms-all', '/alarms?state=all'],
    ['work-orders', '/work-orders'], ['work-orders-all', '/work-orders?state=all'], ['energy', '/energy'], ['buses', '/buses'], ['trend-empty', '/trend'],
    ['gallery', '/gallery'], ['status', '/status'], ['demo', '/demo'],
  ];
  if (systems[0]) all.push(['system', `/systems/${systems[0].system}`], ['system-table', `/systems/${systems[0].system}?form=table`]);
  if (alarms[0]) all.push(['alarm', `/alarms/${alarms[0].id}?state=all`]);
  if (orders[0]) all.push(['work-order', `/work-orders/${orders[0].id}?state=all`]);
  if (meters[0]) all.push(['energy-day', `/energy/${meters[0].id}/${day}`]);
  const { items: brokers } = await api('/brokers');
  const expression = `/tester?${new URLSearchParams({ formula: `good(${numeric.address}) and age(${numeric.address}) < 1 h` })}`;
  all.push(['tester', expression], ['tester-empty', '/tester'], ['tester-mistake', '/tester?formula=no-such%2Fpoint+%3E+1']);
  const topics = brokers[0] ? (await api(`/brokers/${brokers[0].id}/topics`)).items : [];
  if (brokers[0]) all.push(['broker', `/brokers/${brokers[0].id}`]);
  if (topics[0]) {
    const topic = { topic: topics[0].topic };
    all.push(['broker-topic', `/brokers/${brokers[0].id}?${new URLSearchParams(topic)}`]);
    all.push(['tester-mapping', `/tester?${new URLSearchParams({ what: 'mapping', broker: brokers[0].id, ...topic })}`]);
  }
  const { items: values } = await api('/values');
  const flags = values.filter((/** @type {any} */ one) => one.value !== null && [0, 1].includes(Number(one.value)));
  const flag = points.find((/** @type {any} */ point) => flags.some((/** @type {any} */ one) => one.point === point.address)) ?? null;
  const trended = points.filter((/** @type {any} */ point) => point.kind !== 'text').slice(0, 6).map((/** @type {any} */ point) => point.address).join();
  const staged = [['buses-troubled', '/buses'], ['status-troubled', '/status'], ['demo-filling', '/demo'], ['alarms-states', '/alarms?state=all'], ['trend', `/trend?points=${trended}&over=7d`], ['trend-1h', `/trend?points=${trended}&span=1h`]];
  staged.push(['point-bad', `/points/${numeric.address}?hours=6`]);
  if (brokers[0]) staged.push(['broker-troubled', `/brokers/${brokers[0].id}`]);
  if (flag) staged.push(['points-states', `/points?search=${flag.address}`], ['point-states', `/points/${flag.address}`]);
  if (alarms[0]) staged.push(['alarm-states', `/alarms/${alarms[0].id}?state=all`]);
  if (orders[0]) staged.push(['work-order-states', `/work-orders/${orders[0].id}?state=all`]);
  return {
    list: /** @type {[string, string][]} */ (all), staged: /** @type {[string, string][]} */ (staged), points, numeric, flag, meters, day, brokers, topics,
  };
}
const plant = await screens();

// ---- what a plant in order does not show: states with names, buses in trouble

const STATES = [['停止', 'Stopped'], ['制冷运行', 'Cooling'], ['故障停机', 'Tripped, to be reset at the panel'], ['除霜', 'Defrosting']]
  .map(([zh, en], value) => ({ value, name: { zh, en } }));
const SERIAL = 'rtu+tcp://10.20.30.40:4001?baud=9600&parity=even&stop=1';

/** @param {string} id @param {object} over */
function stagedDevice(id, over) {
  return { id, unit: 1, assets: [plant.points[0].asset], points: 12, interval_ms: 1_000, last_good_at: null, consecutive_failures: 0, demoted: false, ...over };
}

/** Buses of every kind, the well ones first. @param {number} now */
function stagedBuses(now) {
  const seen = (/** @type {number} */ age) => ({ last_good_at: now - age });
  return { now, items: [
    { id: 'roof', link: 'tcp://10.20.30.41:502', running: true, connected: true, devices: [stagedDevice('ahu-plc', seen(800)), stagedDevice('roof-meter', { unit: 2, interval_ms: 500, ...seen(300) })] },
    { id: 'risers', link: SERIAL, running: true, connected: true, devices: [
      stagedDevice('riser-1', seen(1_200)), stagedDevice('riser-2', { unit: 17, ...seen(40_000) }), stagedDevice('riser-3', { unit: 18, consecutive_failures: 2, ...seen(3_000) }),
      stagedDevice('riser-4-long-name-of-a-meter', { unit: 247, assets: plant.points.slice(0, 40).map((/** @type {any} */ point) => point.asset).filter((/** @type {string} */ one, /** @type {number} */ i, /** @type {string[]} */ all) => all.indexOf(one) === i).slice(0, 3), consecutive_failures: 1_234, demoted: true, ...seen(9_000_000) }),
      stagedDevice('riser-5', { unit: 20, interval_ms: 900_000 })] },
    { id: 'workshop', link: 'rtu:///dev/ttyUSB0?baud=9600&parity=none&stop=1', running: false, connected: false, devices: [stagedDevice('saw', seen(65_000))] },
    { id: 'basement', link: 'tcp://10.20.30.42:502', running: true, connected: false, devices: [stagedDevice('pump-1', { consecutive_failures: 31, ...seen(31_000) }), stagedDevice('pump-2', { consecutive_failures: 31, demoted: true })] },
  ] };
}

/** A machine that changes its state every seven minutes, is silent for a while, and once says what nobody named. @param {URL} url */
function stagedReadings(url) {
  const [from, to] = ['from', 'to'].map((key) => Number(url.searchParams.get(key)));
  const readings = [];
  for (let at = Math.ceil((from ?? 0) / 4_000) * 4_000; at < (to ?? 0); at += 4_000) {
    const phase = Math.floor(at / 420_000) % 6;
    const bad = phase === 4 && at % 420_000 < 120_000;
    readings.push({ at, value: bad ? null : phase === 5 ? 7 : phase % 4, quality: bad ? 'bad' : 'good', reason: bad ? 'timeout' : null });
  }
  return { point: plant.flag?.address, unit: '1', symbol: '', from, to, readings, next: null };
}

/** A value that came too late and out of range, in the longest words there are. @param {any} body */
function stagedMaking(body) {
  const check = (/** @type {string} */ rule, /** @type {string} */ verdict, /** @type {string | null} */ limit = null, /** @type {string | null} */ saw = null) => ({ rule, verdict, limit, saw });
  return { ...body,
    source: { kind: 'device', bus: 'risers-and-everything-behind-them', device: 'riser-4-long-name-of-a-meter', unit: 247, table: 'holding', address: 65_535, type: 'f32', interval_ms: 900_000, running: true, connected: true, demoted: true, consecutive_failures: 31 },
    sample: { value: null, fault: 'exception', exception: 4, doubted: true, device: 'riser-4-long-name-of-a-meter', source_at: null, received_at: body.now - 65_000, at_error_ms: null, fate: 'late' },
    steps: [],
    checks: [check('answer', 'failed', null, 'the device answered exception 4'), check('range', 'not_reached', '-1234567.25 .. 1234567.25'), check('rate', 'not_reached', '0.5 / 60000 ms'), check('frozen', 'not_configured'), check('clock', 'passed'), check('stale', 'failed', '15000 ms', '65000 ms')],
    reading: { at: body.now, value: null, quality: 'bad', reason: 'device_failure' },
    history: { kind: 'held_back', kept: { at: body.now - 90_000, value: 1, quality: 'good', reason: null }, held: null } };
}

/** A broker that is away, and refused what it was asked for. @param {any} body */
function stagedBrokers(body) {
  const trouble = { connected: false, reason: 'connection refused: not authorized', refused: ['plant/+/telemetry', 'a-rather-long-topic/of-a-vendor/application/+/device/+/event/up'], last_message_at: body.now - 4_000_000, messages: 123_456_789 };
  return { ...body, items: body.items.map((/** @type {any} */ one) => ({ ...one, ...trouble })) };
}

/**
 * From now on the page gets the history of every point from fake-series.mjs.
 * @param {import('playwright-core').Page} page
 * @param {any[]} [states] those the flag is given
 */
async function fakeSeries(page, states) {
  const points = new Map(plant.points.map((/** @type {any} */ point) => [point.address, states && point.address === plant.flag?.address ? { ...point, states } : point]));
  await page.route(/\/api\/v1\/series/, (route) => route.fulfill({ json: answer(new URL(route.request().url()), points, site.timezone) }));
}

/** From now on the page gets named states for its flag and its alarms, and buses in trouble. @param {import('playwright-core').Page} page @param {any[]} [states] */
async function stage(page, states = STATES) {
  const flagged = (/** @type {any} */ one) => (one.address === plant.flag?.address ? { ...one, states } : one);
  const raised = (/** @type {any} */ one) => ({ ...one, value: 2, limit: 1.5, symbol: '', value_states: states, ...(one.alarms ? { alarms: one.alarms.map(raised) } : {}) });
  const change = (/** @type {any} */ body, /** @type {string} */ path) => {
    const one = path.includes('/points') ? flagged : raised;
    if (path.endsWith('/buses')) return stagedBuses(body.now);
    if (path.endsWith('/status')) return stagedStatus(body.now, false);
    if (path.endsWith('/demo')) return stagedDemo(Date.now());
    if (path.endsWith('/brokers')) return stagedBrokers(body);
    if (path.endsWith('/making')) return stagedMaking(body);
    return body.items ? { ...body, items: body.items.map(one) } : one(body);
  };
  await fakeSeries(page, states);
  await page.route(/\/api\/v1\/(points|alarms|work-orders|buses|brokers$|status$|demo$)/, async (route) => {
    const url = new URL(route.request().url());
    const { pathname } = url;
    if (pathname.endsWith('/readings')) return route.fulfill({ json: stagedReadings(url) });
    const reply = await route.fetch();
    return route.fulfill({ response: reply, status: 200, json: change(await reply.json(), pathname) });
  });
}

// ---- live values

for (const language of LANGUAGES) {
  await check(`points are live, ${language}`, async () => {
    const { page, complaints } = await person({ language });
    await open(page, '/points');
    must(await page.evaluate((want) => document.documentElement.lang === want, language), 'the page is in another language');
    const text = (/** @type {string} */ cell) => page.locator(cell).allTextContents();
    const before = await text('.points-table .c-at');
    must(before.length > 0 && before.some((time) => /\d\d:\d\d:\d\d/.test(time)), 'no row shows a data time');
    await page.waitForFunction((old) => [...document.querySelectorAll('.points-table .c-at')].some((cell, i) => cell.textContent !== old[i]), before, { timeout: 8_000 });
    must(await page.locator('.banner').count() === 0, 'a banner says the link is lost');
    must(complaints.length === 0, complaints.join('\n'));
    await page.context().close();
  });
}

await check('the value of the API is the value on the page', async () => {
  const { page } = await person({ language: 'en' });
  await open(page, `/points/${plant.numeric.address}`);
  const shown = async () => (await page.locator('.now .kpi').innerText()).split('\n')[0] ?? '';
  for (let i = 0; i < 10; i += 1) {
    const { value } = await api(`/points/${plant.numeric.address}`);
    await page.waitForTimeout(400);
    const text = (await shown()).replace(/[,\s]/g, '').replace('\u2212', '-');
    const wanted = typeof value?.value === 'number' ? value.value.toFixed(plant.numeric.decimals) : value?.value === null ? '\u2014' : null;
    if (wanted === null || text.startsWith(wanted)) return page.context().close();
  }
  throw new Error(`the page shows ${await shown()} and never what the API says`);
});

for (const language of LANGUAGES) {
  const [off, on, unknown] = language === 'en' ? ['Stopped', 'Cooling', 'unknown state'] : ['停止', '制冷运行', '未知状态'];

  await check(`a state has its name and its number, and one without a name says so, ${language}`, async () => {
    if (!plant.flag) throw new Skip('no point that shows 0 or 1');
    const { page, complaints } = await person({ language });
    await stage(page);
    // A reading may fail on a busy machine; the next one comes a second later.
    const shown = (/** @type {string} */ where) => until(10_000, async () => {
      const text = (await page.locator(where).first().innerText()).trim();
      return text.includes('\u2014') ? null : text;
    });
    const cell = '.points-table tr[data-row] .c-value';
    const known = new RegExp(`^(?:${off} 0|${on} 1)$`);
    await open(page, `/points?search=${plant.flag.address}`);
    const listed = await shown(cell);
    must(known.test(listed ?? ''), `the list shows ${listed}`);
    await open(page, `/points/${plant.flag.address}`);
    const now = await shown('.now .kpi');
    must(known.test(now ?? ''), `the point shows ${now}`);
    await page.locator('.chart').waitFor();
    const axis = await page.locator('.chart .grid text').allTextContents();
    must([`${off} 0`, `${on} 1`, `${unknown} 7`].every((word) => axis.includes(word)), `the levels are ${axis.join(', ')}`);
    must((await page.locator('.readings-table td.num').allInnerTexts()).every((text) => /\D \d$|\u2014/.test(text)), 'the table of readings has a bare number');
    await page.locator('.chart > svg').hover({ position: { x: 500, y: 60 } });
    must(/\D \d$|\u2014/.test((await page.locator('.readout strong').innerText()).trim()), 'the readout has a bare number');
    await page.unrouteAll();
    await stage(page, [{ value: 9, name: { zh: '九', en: 'Nine' } }]);
    await open(page, `/points?search=${plant.flag.address}`);
    const other = await shown(cell);
    must(new RegExp(`^${unknown} [01]$`).test(other ?? ''), `the list shows ${other}`);
    must(complaints.length === 0, complaints.join('\n'));
    await page.context().close();
  });
}

await check('buses: every device of the plant is there and answers, and a link leads to its points', async () => {
  const { items } = await api('/buses');
  const devices = items.flatMap((/** @type {any} */ bus) => bus.devices);
  if (devices.length === 0) throw new Skip('no bus');
  const { page } = await person({ language: 'en' });
  await open(page, '/buses');
  must(await page.locator('.buses-table tr.group').count() === items.length, 'a bus is missing');
  must(await page.locator('.buses-table tr[data-row]').count() === devices.length, 'a device is missing');
  const as = () => page.locator('.screen-head p').innerText();
  const before = await as();
  await page.waitForFunction((old) => document.querySelector('.screen-head p')?.textContent !== old, before, { timeout: 8_000 });
  await page.locator('.buses-table [data-row-link]').first().click();
  await page.waitForFunction(() => location.pathname === '/points' && location.search.startsWith('?asset='));
  await page.context().close();
});

await check('buses in trouble stand first, each with a mark and a word', async () => {
  const { page } = await person({ language: 'en' });
  await stage(page);
  await open(page, '/buses');
  const names = await page.locator('.bus-name').allInnerTexts();
  must(names.join() === 'basement,workshop,risers,roof', names.join());
  const words = await page.locator('.buses-table .badge').allInnerTexts();
  must(words.join('|') === ['No connection', 'No connection', 'No connection', 'Driver restarting', 'No connection', 'Connected',
    'Silent, only probed', 'Failing', 'Late', 'No value yet', 'Answering', 'Connected', 'Answering', 'Answering'].join('|'), words.join('|'));
  must(await page.locator('.buses-table .badge:not(:has(svg))').count() === 0, 'a word without a mark');
  await page.context().close();
});

for (const language of LANGUAGES) {
  const [means, code] = language === 'en' ? ['cannot give this value', 'exception 4'] : ['给不出这个值', '异常码 4'];

  await check(`why a value is bad: what it means, what to do, and the failed check first, ${language}`, async () => {
    const { page, complaints } = await person({ language });
    await stage(page);
    await open(page, `/points/${plant.numeric.address}`);
    const advice = await page.locator('.advice').innerText();
    must(advice.includes(means) && advice.includes(code), advice);
    const verdicts = await page.locator('.checks-table tbody tr').evaluateAll((rows) => rows.map((row) => row.getAttribute('data-verdict')));
    must(verdicts.join() === 'failed,failed,passed,not_reached,not_reached', verdicts.join());
    must(await page.locator('.checks-table .badge:not(:has(svg))').count() === 0, 'a verdict without a mark');
    must(complaints.length === 0, complaints.join('\n'));
    await page.context().close();
  });
}

await check('raw beside scaled: the way of a value ends at the value the API has', async () => {
  const { page } = await person({ language: 'en' });
  await open(page, `/points/${plant.numeric.address}`);
  const making = await api(`/points/${plant.numeric.address}/making`);
  must(making.source && making.sample && making.checks.length > 0, JSON.stringify(making));
  const lines = await page.locator('.way li').allInnerTexts();
  must(lines.length >= 3 && /Raw sample/.test(lines[1] ?? ''), lines.join(' | '));
  must(await page.locator('.checks-table tr[data-verdict="passed"]').count() > 0, 'no check is passed');
  must(await page.locator('.advice').count() === (making.reading?.quality === 'good' ? 0 : 1), 'advice for a good value, or none for another');
  await page.context().close();
});

await check('a broker in trouble says since when and why; its topics lead to their messages and into the tester, by keys alone', async () => {
  const broker = plant.brokers[0];
  if (!broker || plant.topics.length === 0) throw new Skip('no broker with a topic');
  const { page, complaints } = await person({ language: 'en' });
  await stage(page);
  await open(page, '/buses');
  must((await page.locator('.brokers-table .badge').first().innerText()).includes('No connection'), 'the broker looks well');
  await page.locator(`.brokers-table a[href="/brokers/${broker.id}"]`).click();
  await page.getByText('not authorized').waitFor();
  await page.unrouteAll();
  await open(page, `/brokers/${broker.id}`);
  must(await page.locator('.topics-table tr[data-row]').count() === Math.min(100, plant.topics.length), 'a topic is missing');
  await page.keyboard.press('j');
  const topic = await page.evaluate(() => document.activeElement?.textContent);
  await page.keyboard.press('Enter');
  await page.locator('.payload').first().waitFor();
  must((await page.locator('.topic-name').innerText()) === topic, `not the messages of ${topic}`);
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => location.search === '');
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await page.getByRole('link', { name: 'Try a mapping for it' }).focus();
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => location.pathname === '/tester');
  await page.locator('.answer .inputs-table tbody tr').first().waitFor();
  must(/\[\[mqtt\.topics\]\]/.test(await page.getByLabel('Mapping (TOML)').inputValue()), 'no mapping to begin with');
  must(complaints.length === 0, complaints.join('\n'));
  await page.context().close();
});

await check('the tester: an expression has a value that follows the plant, a mistake its place; the URL keeps both', async () => {
  const measured = plant.points.find((/** @type {any} */ point) => ['decimal', 'float'].includes(point.kind) && point.states.length === 0);
  if (!measured) throw new Skip('no point that measures');
  const { page, complaints } = await person({ language: 'en' });
  const { address } = measured;
  await open(page, '/tester');
  await page.keyboard.press('/');
  await page.keyboard.type(address);
  await page.locator('.finder-list li').first().waitFor();
  await page.keyboard.press('Enter');
  const text = page.getByLabel('Expression', { exact: true });
  await page.waitForFunction((want) => document.querySelector('textarea')?.value === want, address);
  await page.locator('.outcome .kpi').waitFor();
  const age = () => page.locator('.inputs-table tbody td').nth(2).innerText();
  must(/\d/.test(await page.locator('.outcome .kpi').innerText()) || /Unknown/.test(await page.locator('.outcome .kpi').innerText()), 'no value');
  must(/\d+ s/.test(await age()), `the age is ${await age()}`);
  await page.waitForFunction(() => location.search.includes('formula='));
  await page.keyboard.type(' + nonsense');
  await page.locator('.mistake .wrong').waitFor();
  must(/Column \d+:/.test(await page.locator('.mistake').innerText()), 'the mistake has no column');
  must(await page.locator('.outcome').count() === 0, 'an old value stands beside a mistake');
  await text.fill(`greatest(${address}, ${address})`);
  await page.locator('.mistake').waitFor({ state: 'detached' });
  await page.waitForFunction((want) => new URLSearchParams(location.search).get('formula') === want, `greatest(${address}, ${address})`);
  await page.reload();
  await page.locator('.outcome .kpi').waitFor();
  must(await text.inputValue() === `greatest(${address}, ${address})`, 'the URL does not hold the expression');
  must(complaints.length === 0, complaints.join('\n'));
  await page.context().close();
});

await check('a language chosen on a screen with words of its own changes those too', async () => {
  const { page } = await person({ language: 'zh-CN' });
  await open(page, '/tester');
  await page.getByRole('heading', { name: '试算表达式与消息映射', level: 1 }).waitFor();
  await page.getByRole('button', { name: 'English' }).click();
  await page.getByRole('heading', { name: 'Try an expression or a mapping', level: 1 }).waitFor();
  must(KEYS.exec(await page.locator('main').innerText()) === null, 'a key stands where words should be');
  await page.context().close();
});

await check('the first route: 25 requests and 150 KiB at most, all from this server', async () => {
  const { page, context } = await person();
  const session = await context.newCDPSession(page);
  await session.send('Network.enable');
  /** @type {Map<string, string>} */
  const asked = new Map();
  let bytes = 0;
  session.on('Network.requestWillBeSent', (event) => asked.set(event.requestId, event.request.url));
  session.on('Network.loadingFinished', (event) => { bytes += event.encodedDataLength; });
  await open(page, '/');
  await page.waitForTimeout(500);
  const urls = [...asked.values()];
  const foreign = urls.filter((url) => !url.startsWith(base));
  must(foreign.length === 0, `foreign: ${foreign.join(' ')}`);
  must(urls.length <= 25, `${urls.length} requests:\n${urls.join('\n')}`);
  must(bytes <= 150 * 1024, `${bytes} bytes`);
  await context.close();
});

await check('at most 300 live cells and 3,000 nodes are mounted', async () => {
  const { page } = await person();
  await open(page, '/points');
  const [cells, nodes] = await page.evaluate(() => [document.querySelectorAll('[data-live]').length, document.querySelectorAll('*').length]);
  must((cells ?? 0) <= 300 && (nodes ?? 0) <= 3_000, `${cells} live cells, ${nodes} nodes`);
  await page.context().close();
});

await check('twelve tabs on one browser are all live', async () => {
  const { page, context } = await person();
  const pages = [page];
  while (pages.length < 12) pages.push(await context.newPage());
  await Promise.all(pages.map((tab) => open(tab, '/points')));
  const started = Date.now();
  await pages[0]?.evaluate(() => fetch('/api/v1/site').then((reply) => reply.json()));
  must(Date.now() - started < 2_000, 'an API call hangs behind the tabs');
  for (const tab of pages) must(await tab.locator('.banner').count() === 0, 'a tab has no link');
  await context.close();
});

// ---- words

await check('language and theme are chosen, kept and shown in words', async () => {
  const { page } = await person({ language: 'zh-CN' });
  await open(page, '/points');
  await page.getByRole('button', { name: 'English' }).click();
  await page.getByRole('heading', { name: 'Points', level: 1 }).waitFor();
  const theme = page.getByRole('button', { name: /^Theme/ });
  await theme.click();
  await theme.click();
  must(await page.evaluate(() => document.documentElement.dataset.theme) === 'dark', 'not dark after two steps');
  await page.reload();
  await page.getByRole('heading', { name: 'Points', level: 1 }).waitFor();
  must(await page.evaluate(() => document.documentElement.dataset.theme) === 'dark', 'the theme is forgotten');
  await page.route(/app\.js$/, (route) => route.abort());
  await page.reload({ waitUntil: 'domcontentloaded' });
  must(await page.evaluate(() => document.documentElement.dataset.theme) === 'dark', 'the theme waits for the modules and flashes');
  await page.context().close();
});

await check('times are in the site zone and a PC elsewhere is told so', async () => {
  const context = await browser.newContext({ viewport: DESK, locale: 'en', timezoneId: site.timezone === 'America/New_York' ? 'Asia/Tokyo' : 'America/New_York' });
  const page = await context.newPage();
  await open(page, '/points');
  await page.locator('.clock .tag').waitFor();
  const shown = (await page.locator('.clock time').innerText()).slice(0, 16);
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone: site.timezone, dateStyle: 'short', timeStyle: 'medium' });
  const near = [-60_000, 0, 60_000].map((ms) => format.format(Date.now() + ms).slice(0, 16));
  must(near.includes(shown), `the clock shows ${shown}, the site has ${near[1]}`);
  await context.close();
});

// ---- words, access, room: every screen is loaded once in a language and looked at from all sides

/** Chinese outside of names and notes. @param {import('playwright-core').Page} page */
function chinese(page) {
  return page.evaluate((source) => {
    const chinese = new RegExp(source);
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    /** @type {string[]} */
    const out = [];
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const inside = node.parentElement;
      // What people wrote (names, notes) is data, in whichever language they write.
      if (chinese.test(node.textContent ?? '') && !inside?.closest('[lang^="zh"], noscript, [data-written]')) out.push(node.textContent ?? '');
    }
    for (const element of document.querySelectorAll('[aria-label], [title], [placeholder]')) {
      for (const attribute of ['aria-label', 'title', 'placeholder']) {
        const text = element.getAttribute(attribute) ?? '';
        if (chinese.test(text)) out.push(`${attribute}: ${text}`);
      }
    }
    return out;
  }, CJK.source);
}

/** Text that an ancestor or the window cuts off. @param {import('playwright-core').Page} page */
function clipped(page) {
  return page.evaluate(() => {
    /** @type {string[]} */
    const out = [];
    /** Kept for readers of screens only. @type {(element: Element | null) => boolean} */
    const hidden = (element) => element !== null && (getComputedStyle(element).clipPath !== 'none' || hidden(element.parentElement));
    if (document.documentElement.scrollWidth > window.innerWidth + 1) out.push(`the page is ${document.documentElement.scrollWidth} px wide`);
    for (const element of document.querySelectorAll('body *')) {
      const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent?.trim());
      if (!own || hidden(element) || element.closest('option, svg, noscript, .skip') || !(element instanceof HTMLElement) || element.offsetParent === null) continue;
      const style = getComputedStyle(element);
      if (style.overflowX !== 'visible' && element.scrollWidth > element.clientWidth + 1) out.push(`${element.className}: ${element.textContent}`);
      const box = element.getBoundingClientRect();
      if (!element.closest('.scroll-x') && (box.right > window.innerWidth + 1 || box.left < -1)) out.push(`outside: ${element.textContent}`);
      if (element.tagName === 'BUTTON' && element.scrollWidth > element.clientWidth + 1) out.push(`button: ${element.textContent}`);
    }
    return out.slice(0, 6);
  });
}

const WCAG = ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa'];
/** All that a theme changes. */
const COLOUR_RULES = ['color-contrast', 'link-in-text-block'];

/** @param {import('playwright-core').Page} page @param {'light' | 'dark'} theme @returns {Promise<string[]>} */
async function violations(page, theme) {
  await page.emulateMedia({ colorScheme: theme });
  await drawn(page);
  return page.evaluate(async (rules) => {
    const result = await /** @type {any} */ (window).axe.run(document, { runOnly: rules, resultTypes: ['violations'] });
    return result.violations.map((/** @type {any} */ one) => `${one.id}: ${one.nodes.slice(0, 3).map((/** @type {any} */ node) => node.html.slice(0, 160)).join(' ;; ')}`);
  }, theme === 'light' ? WCAG : COLOUR_RULES);
}

/** What is wrong with the screens in one language, by the claim it breaks. @param {string} language */
async function sweep(language) {
  /** @type {Map<string, string[]>} */
  const claims = new Map();
  const note = (/** @type {string} */ claim, /** @type {string} */ name, /** @type {string[]} */ faults) =>
    claims.set(claim, [...(claims.get(claim) ?? []), ...faults.map((fault) => `${name}: ${fault}`)]);
  const { page, complaints } = await person({ language });
  for (const [name, path] of [...plant.list, ...plant.staged]) {
    if (name === plant.staged[0]?.[0]) await stage(page);
    await page.setViewportSize(DESK);
    await page.emulateMedia({ colorScheme: 'light' });
    try {
      await open(page, path);
    } catch (error) {
      note(`every screen comes to rest, ${language}`, name, [String(error)]);
      continue;
    }
    await page.evaluate(axeSource);
    note(`every screen comes to rest, ${language}`, name, []);
    note(`no screen fails, ${language}`, name, [...await page.locator('.failure').allInnerTexts(), ...complaints.splice(0)]);
    const text = await page.locator('body').innerText();
    note(`no key stands where words should be, ${language}`, name, KEYS.exec(text)?.slice(0, 1) ?? []);
    if (language === 'en') note('the English page holds no Chinese outside marked names', name, (await chinese(page)).slice(0, 5));
    for (const size of [DESK, WIDE, PHONE, NARROW]) {
      await page.setViewportSize(size);
      await drawn(page);
      note(`no text is cut off, ${language}, ${size.width} px`, name, await clipped(page));
      if (size !== DESK && size !== PHONE) continue;
      for (const theme of THEMES) note(`axe finds nothing, ${language}, ${theme}, ${size.width} px`, name, await violations(page, theme));
      await page.emulateMedia({ colorScheme: 'light' });
    }
  }
  await page.context().close();
  return claims;
}

if (!process.env.ONLY || process.env.ONLY === 'sweep') {
  const [chineseClaims, englishClaims] = await Promise.all(LANGUAGES.map(sweep));
  for (const [claim, faults] of [...(chineseClaims ?? []), ...(englishClaims ?? [])]) {
    await check(claim, async () => must(faults.length === 0, faults.join('\n')), true);
  }
}

await check('keys alone: go, search, rows, open, back, help, and the switch', async () => {
  const { page } = await person({ language: 'en' });
  await open(page, '/points');
  const path = () => page.evaluate(() => location.pathname);
  for (const [key, target] of [['a', '/alarms'], ['t', '/trend'], ['w', '/work-orders'], ['e', '/energy'], ['b', '/buses'], ['p', '/points']]) {
    await page.keyboard.press('g');
    await page.keyboard.press(String(key));
    await page.waitForFunction((want) => location.pathname === want, target);
    await settled(page);
  }
  await page.keyboard.press('/');
  must(await page.evaluate(() => document.activeElement?.hasAttribute('data-search')), '/ does not reach the search');
  await page.keyboard.type('g');
  must(await page.locator('[data-search]').inputValue() === 'g', 'a key typed into a field is lost');
  await page.keyboard.press('Backspace');
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => location.search === '');
  await settled(page);
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  const name = await page.evaluate(() => document.activeElement?.textContent);
  await page.keyboard.press('k');
  await page.keyboard.press('j');
  must(name && await page.evaluate(() => document.activeElement?.textContent) === name, 'j and k do not walk the rows');
  const ring = await page.evaluate(() => getComputedStyle(/** @type {Element} */ (document.activeElement)).outlineStyle);
  must(ring === 'solid', 'the focused row has no ring');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name, level: 1 }).waitFor();
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => location.pathname === '/points');
  await page.keyboard.press('?');
  await page.getByRole('dialog').waitFor();
  await page.getByRole('checkbox').uncheck();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await page.keyboard.press('g');
  await page.keyboard.press('a');
  await page.waitForTimeout(200);
  must(await path() === '/points', 'single keys still act after being switched off');
  await page.context().close();
});

await check('a hand: targets of 48 px on a phone', async () => {
  const { page } = await person({ size: PHONE, touch: true });
  for (const [name, path] of plant.list) {
    await open(page, path);
    const small = await page.evaluate(() => [...document.querySelectorAll('.areas a, main button, main select, main input, .switches button, .points-table .c-name a')]
      .filter((one) => one instanceof HTMLElement && one.offsetParent !== null && one.getBoundingClientRect().height < 47.5)
      .map((one) => `${one.outerHTML.slice(0, 90)} is ${one.getBoundingClientRect().height} px`));
    must(small.length === 0, `${name}: ${small.slice(0, 3).join('\n')}`);
  }
  await page.context().close();
});

// ---- what must never look alive

/**
 * Puts itself between page and server: `cut()` is a pulled cable, nothing comes and nothing closes.
 * `without` takes one point out of the values, as if its device were frozen.
 * @param {import('playwright-core').Page} page
 */
async function between(page) {
  const state = { cut: false, without: '' };
  /** @type {Map<number, string[]>} */
  const orders = new Map();
  await page.routeWebSocket(/\/api\/v1\/live$/, (socket) => {
    const server = socket.connectToServer();
    socket.onMessage((message) => { if (!state.cut) server.send(message); });
    server.onMessage((message) => {
      if (state.cut) return;
      const parsed = JSON.parse(String(message));
      if (parsed.t === 'snap') orders.set(parsed.id, parsed.points);
      if (parsed.t === 'snap' && state.without) return; // the page keeps what it has
      if (parsed.t === 'd' && state.without) dropFrom(parsed, (orders.get(parsed.id) ?? []).indexOf(state.without));
      socket.send(JSON.stringify(parsed));
    });
  });
  await page.route(/\/api\/v1\//, (route) => (state.cut ? route.abort() : route.continue()));
  return state;
}

/**
 * Takes one index out of a delta: pairs of place and value, times and qualities in runs over them.
 * @param {{ d: any[], at: number[], q: any[] }} delta
 * @param {number} unwanted
 */
function dropFrom(delta, unwanted) {
  let index = 0;
  for (let nth = 0; nth * 2 < delta.d.length; nth += 1) {
    index += delta.d[nth * 2];
    if (index !== unwanted) continue;
    const [step] = delta.d.splice(nth * 2, 2);
    if (nth * 2 < delta.d.length) delta.d[nth * 2] += step;
    shorten(delta.at, 2, nth);
    shorten(delta.q, 3, nth);
    return;
  }
}

/** Takes one off the run an entry is in. @param {any[]} runs @param {number} width @param {number} nth */
function shorten(runs, width, nth) {
  let passed = 0;
  for (let i = 0; i < runs.length; i += width) {
    passed += runs[i + width - 1];
    if (passed <= nth) continue;
    runs[i + width - 1] -= 1;
    if (runs[i + width - 1] === 0) runs.splice(i, width);
    return;
  }
}

/** Every live value is hatched or bad, and the banner stands. @param {import('playwright-core').Page} page */
function allHatched(page) {
  return page.waitForFunction(() => {
    const cells = [...document.querySelectorAll('[data-live]')];
    return document.querySelector('.banner.hatched') !== null &&
      cells.every((cell) => cell.classList.contains('hatched') || cell.querySelector('.hatched') !== null);
  }, undefined, { timeout: LOST_WITHIN_MS, polling: 50 });
}

// They wait more than they work, so they wait together.
for (const language of LANGUAGES) {
  const named = plant.list.filter(([one]) => ['overview', 'system', 'equipment', 'points', 'point', 'alarms', 'work-order', 'buses', 'broker', 'tester', 'status'].includes(one));
  await Promise.all(named.map(([name, path]) =>
    check(`a lost link hatches ${name} within 10 s, ${language}`, async () => {
      const { page } = await person({ language });
      const state = await between(page);
      await open(page, path);
      await page.waitForTimeout(1_500);
      state.cut = true;
      const cut = Date.now();
      await allHatched(page);
      must(Date.now() - cut <= LOST_WITHIN_MS, `after ${Date.now() - cut} ms`);
      const banner = await page.locator('.banner').innerText();
      must(/\d\d:\d\d:\d\d/.test(banner), `the banner gives no time: ${banner}`);
      must(language === 'en' ? /^Link lost · data as of/.test(banner) : CJK.test(banner), banner);
      if (name !== 'points') return page.context().close();
      state.cut = false;
      await page.locator('.banner').waitFor({ state: 'detached', timeout: 25_000 });
      await page.context().close();
    })));
}

await check('what a person typed stays while the link is lost', async () => {
  const alarm = (await api('/alarms?state=open&limit=50')).items.find((/** @type {any} */ one) => !one.acked);
  if (!alarm) throw new Skip('no unacknowledged alarm');
  const { page } = await person({ language: 'en' });
  const state = await between(page);
  await open(page, `/alarms/${alarm.id}`);
  await page.getByLabel('Your name').fill('Lin');
  await page.getByLabel('Note (optional)').fill('on my way');
  state.cut = true;
  await allHatched(page);
  await page.getByRole('button', { name: 'Acknowledge', exact: true }).last().click();
  await page.getByText('The server does not answer.').first().waitFor();
  must(await page.getByLabel('Note (optional)').inputValue() === 'on my way', 'the note is gone');
  await page.context().close();
});

await Promise.all([...LANGUAGES.map((language) =>
  check(`a frozen device: its value alone turns stale, ${language}`, async () => {
    const quick = plant.points.slice(0, 100).filter((/** @type {any} */ point) => point.stale_after_ms <= 30_000);
    const { items } = await api(`/values?points=${quick.map((/** @type {any} */ point) => point.address).join(',')}`);
    const now = (await api('/site')).now;
    const good = items.filter((/** @type {any} */ value) => value.quality === 'good' && now - value.at < 5_000 && /^-?[\d.]+$/.test(String(value.value)));
    if (good.length < 2) throw new Skip('fewer than two good points that turn stale within 30 s');
    const frozen = quick.find((/** @type {any} */ point) => point.address === good[0].point);
    const { page } = await person({ language });
    const state = await between(page);
    await open(page, '/points');
    const row = (/** @type {string} */ address) => page.locator('tr[data-row]', { has: page.locator(`a[href="/points/${address}"]`) });
    must(await row(frozen.address).locator('.hatched').count() === 0, 'hatched from the start');
    // A poll may have failed since: what freezes is a number.
    await row(frozen.address).locator('.c-value', { hasText: /\d/ }).waitFor({ timeout: 30_000 });
    state.without = frozen.address;
    await row(frozen.address).locator('.c-value.hatched').waitFor({ timeout: frozen.stale_after_ms + 3_000 });
    must(/\d/.test(await row(frozen.address).locator('.c-value').innerText()), 'the number is gone');
    must(await row(good[1].point).locator('.hatched').count() === 0, 'another point is hatched too');
    await page.context().close();
  })),

check('a page opened while nothing answers says so within 10 s', async () => {
  const { page } = await person({ language: 'en' });
  const state = await between(page);
  await page.routeWebSocket(/\/api\/v1\/live$/, (socket) => { void socket; }); // opens, never speaks
  state.cut = true;
  await page.goto(`${base}/points`);
  await page.getByText('Link lost · no data yet').waitFor({ timeout: LOST_WITHIN_MS });
  await page.locator('.failure').waitFor();
  await page.context().close();
})]);

await check('without WebSocket the same values come as a stream', async () => {
  const { page } = await person();
  await page.addInitScript(() => {
    /** @type {any} */ (window).WebSocket = class {
      constructor() { setTimeout(() => this.onclose?.(), 5); }
      /** @type {null | (() => void)} */ onclose = null;
      close() {}
    };
  });
  await page.goto(`${base}/points`);
  await page.waitForFunction(() => [...document.querySelectorAll('.points-table .c-value')].some((cell) => /\d/.test(cell.textContent ?? '')), undefined, { timeout: 10_000 });
  await page.context().close();
});

// ---- alarms and orders, by hand

await check('an alarm is acknowledged with a name that is remembered', async () => {
  const before = (await api('/alarms?state=open&limit=500')).items.filter((/** @type {any} */ one) => !one.acked);
  const alarm = before[0];
  if (!alarm) throw new Skip('no unacknowledged alarm');
  const { page } = await person({ language: 'en', size: PHONE, touch: true });
  await open(page, '/alarms');
  must(await page.getByText('Supplementary display.').count() === 1, 'the page does not say that it is supplementary');
  await open(page, `/alarms/${alarm.id}`);
  await page.getByLabel('Your name').fill('Lin Hua');
  await page.getByLabel('Note (optional)').fill('seen');
  await page.locator('form.act button').click();
  await page.locator('form.act').waitFor({ state: 'detached' });
  const after = await api(`/alarms/${alarm.id}`);
  must(after.acked && after.acked_by === 'Lin Hua', JSON.stringify(after));
  must((await page.locator('.detail').innerText()).includes('Lin Hua'), 'the panel does not name who');
  must(await page.evaluate(() => localStorage.getItem('plantroom.person')) === 'Lin Hua', 'the name is not remembered');
  await page.context().close();
});

// ---- energy

await check('energy: a bar opens its day, a quarter hour its readings, and sums are equal', async () => {
  const meter = plant.meters[0];
  if (!meter) throw new Skip('no meter');
  const { page } = await person({ language: 'en' });
  await open(page, `/energy/${meter.id}`);
  const bars = page.locator('a.bar');
  must(await bars.count() > 0, 'no bar');
  const numberOf = (/** @type {string} */ text) => Number(text.replace(/[^\d.\u2212-]/g, '').replace('\u2212', '-'));
  const days = await page.locator('.energy-table tbody tr').count();
  must(days === await bars.count(), `${days} rows and ${await bars.count()} bars`);
  const column = 1 + (meter.tariff?.classes.length ?? 0);
  const cells = await page.locator(`.energy-table tbody tr td:nth-child(${column + 1})`).allInnerTexts();
  const sum = cells.map(numberOf).filter((value) => !Number.isNaN(value)).reduce((a, b) => a + b, 0);
  const total = numberOf(await page.locator(`.energy-table tfoot td:nth-child(${column + 1})`).innerText());
  must(Math.abs(sum - total) < 0.006 * Math.max(1, days), `the rows make ${sum}, the total is ${total}`);
  await page.locator('.energy-table tbody a').first().click();
  await page.waitForFunction(() => /^\/energy\/[^/]+\/\d/.test(location.pathname));
  await settled(page);
  await page.locator('.day-split [data-row-link]').first().click();
  await page.getByRole('link', { name: 'See these readings on the point page' }).click();
  await page.waitForFunction(() => location.pathname.startsWith('/points/') && location.search.includes('from='));
  await settled(page);
  await page.context().close();
});

await check('energy on paper: no controls, the table whole', async () => {
  const { page } = await person();
  await open(page, '/energy');
  await page.emulateMedia({ media: 'print' });
  must(!(await page.locator('.areas').isVisible()) && !(await page.locator('.switches').isVisible()), 'controls are printed');
  const month = new Intl.DateTimeFormat('zh-CN', { month: 'long', year: 'numeric', timeZone: site.timezone }).format(new Date(site.now));
  must((await page.locator('main').innerText()).includes(month), `the paper does not name ${month}`);
  const pdf = await page.pdf({ format: 'A4' });
  must(pdf.length > 10_000, `a PDF of ${pdf.length} bytes`);
  await page.context().close();
});

await check('an unknown point and an unknown page are said plainly', async () => {
  const { page } = await person({ language: 'en' });
  await page.goto(`${base}/points/no-such/point`);
  await page.getByText('There is no such thing.').waitFor();
  const reply = await page.goto(`${base}/no-such-page`);
  must(reply?.status() === 404, `an unknown path answers ${reply?.status()}`);
  await page.context().close();
});

// ---- trends

await plantChecks({ check, must, person, open, drawn, clipped, site });
await partsChecks({ check, must, person, open, drawn, clipped });
await machineChecks({ check, must, person, open, drawn, clipped, api, base, points: plant.points, fakeSeries });
await trendChecks({ check, must, person, open, drawn, api, base, site, points: plant.points, fakeSeries, Skip, PHONE, DESK });

// ---- for review

if (shots) {
  mkdirSync(shots, { recursive: true });
  await check('screenshots', async () => {
    const looks = LANGUAGES.flatMap((language) => THEMES.map((theme) => ({ language, theme })));
    for (const { language, theme } of looks.filter((look) => allShots || (look.language === 'en') === (look.theme === 'dark'))) {
      for (const size of [DESK, WIDE, PHONE]) {
        const { page } = await person({ language, theme, size, touch: size === PHONE });
        for (const [name, path] of [...plant.list, ...plant.staged]) {
          if (name === plant.staged[0]?.[0]) await stage(page);
          await open(page, path);
          if (allShots) await until(SPARKS_WITHIN_MS, () => page.evaluate(() => ([...document.querySelectorAll('span.spark:not(.spark-none)')].some((one) => one.getBoundingClientRect().top < innerHeight) ? null : true)));
          await page.screenshot({ path: join(shots, `${name}-${size.width}x${size.height}-${language}-${theme}.png`) });
        }
        await page.context().close();
      }
    }
  });
}

// ---- the server dies; nothing runs after this

const pid = Number(process.env.PLANTROOM_PID);
if (pid > 0) {
  await check('the server is killed: every open page is hatched within 10 s, in both languages', async () => {
    const pages = [];
    for (const language of LANGUAGES) {
      for (const [, path] of plant.list.filter(([one]) => ['overview', 'equipment', 'points', 'point', 'alarms', 'buses'].includes(one))) {
        const { page } = await person({ language });
        await open(page, path);
        pages.push(page);
      }
    }
    process.kill(pid, 'SIGKILL');
    const killed = Date.now();
    await Promise.all(pages.map(allHatched));
    must(Date.now() - killed <= LOST_WITHIN_MS, `after ${Date.now() - killed} ms`);
  });
}

await browser.close();
rmSync(profile, { recursive: true, force: true });
console.log(`test result: ${failed === 0 ? 'ok' : 'FAILED'}. ${passed} passed; ${failed} failed; ${skipped} ignored`);
process.exit(failed === 0 ? 0 : 1);
