// Overview, systems and machines as a person uses them, on a hospital made for it: an oxygen zone is
// low, a lift has fallen silent, a transformer is too hot and what it feeds stands in doubt. The same
// hospital in order must hold no colour of an alarm.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { answer } from './fake-series.mjs';
import { fakePlant } from './fake-plant.mjs';
import { noAlarmColour } from './parts.mjs';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const WCAG = ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa'];
const LANGUAGES = ['zh-CN', 'en'];
const SIZES = [{ width: 1366, height: 768 }, { width: 1920, height: 1080 }, { width: 390, height: 844 }];
const KEYS = /(?:^|\s)(?:nav|system|systems|machine|marks|medium|overview|guide|palette|tile|top|points|quality|reason)\.[a-z-]+/;
const CLICKS_MAX = 3;
const CELLS_MAX = 300;
const NODES_MAX = 3_000;
const MINUTE = 60_000;

/** @typedef {import('playwright-core').Page} Page */

/** @param {string} zh @param {string} en */
const names = (zh, en) => ({ zh, en });

/** A hospital of every system in five buildings. */
export function hospital() {
  /** @type {any[]} */
  const assets = [];
  /** @type {any[]} */
  const points = [];
  const asset = (/** @type {string} */ id, /** @type {string} */ kind, /** @type {string} */ zh, /** @type {string} */ en, /** @type {string | null} */ parent, /** @type {string | null} */ system = null) => {
    assets.push({ id, class: kind, name: names(zh, en), parent, system, key: [], points: 0 });
  };
  const point = (/** @type {string} */ of, /** @type {string} */ quantity, /** @type {string} */ zh, /** @type {string} */ en, /** @type {string} */ symbol, /** @type {[number, number] | null} */ normal, /** @type {object} */ over = {}) => {
    const found = assets.find((one) => one.id === of);
    found.points += 1;
    found.key.push(quantity);
    points.push({
      id: points.length + 1, address: `${of}/${quantity}`, site: 'house', asset: of, quantity, name: names(zh, en), unit: symbol || '1', symbol, decimals: symbol === 'MPa' ? 3 : 1,
      kind: 'decimal', states: [], normal, range: null, key: true, stale_after_ms: 15_000, hold_ms: 15_000, interval_ms: 1_000, device: `${of}-plc`, ...over,
    });
  };
  const houses = [['main', '主楼', 'Main building'], ['outpatient', '门诊楼', 'Outpatient building'], ['technology', '医技楼', 'Medical technology building'], ['infectious', '感染楼', 'Infectious diseases building'], ['energy', '能源中心', 'Energy centre']];
  for (const [id = '', zh = '', en = ''] of houses) {
    asset(id, 'Building', zh, en, null);
    asset(`${id}-meter`, 'Electrical_Meter', `${zh}总表`, `${en} main meter`, id, 'electrical');
    point(`${id}-meter`, 'power', '有功功率', 'Active power', 'kW', [0, 800]);
    asset(`${id}-floor`, 'Floor', `${zh}3层`, `${en}, floor 3`, id);
    for (let i = 1; i <= 4; i += 1) {
      asset(`${id}-ahu-${i}`, 'Air_Handling_Unit', `${i}号空调机组`, `Air handling unit ${i}`, `${id}-floor`, 'hvac');
      point(`${id}-ahu-${i}`, 'temperature', '送风温度', 'Supply air temperature', '\u2103', [14, 26]);
      point(`${id}-ahu-${i}`, 'filter', '过滤器压差', 'Filter differential pressure', 'Pa', [0, 250]);
    }
    asset(`${id}-zone`, 'Medical_Gas_Zone', `${zh}氧气分区`, `${en} oxygen zone`, id, 'medical_gas');
    point(`${id}-zone`, 'oxygen', '氧气压力', 'Oxygen pressure', 'MPa', [0.36, 0.5]);
    asset(`${id}-lift`, 'Elevator', `${zh}医用电梯`, `${en} bed lift`, id, 'lifts');
    point(`${id}-lift`, 'mode', '运行模式', 'Mode', '', null, { states: [{ value: 0, name: names('检修', 'Maintenance') }, { value: 1, name: names('正常', 'Normal') }], held: 1 });
    point(`${id}-lift`, 'load', '载荷', 'Load', '%', [0, 100]);
    for (let i = 1; i <= 30; i += 1) {
      asset(`${id}-room-${i}`, 'Room', `${300 + i}病房`, `Room ${300 + i}`, `${id}-floor`, 'environment');
      point(`${id}-room-${i}`, 'temperature', '温度', 'Temperature', '\u2103', [20, 27]);
      point(`${id}-room-${i}`, 'humidity', '相对湿度', 'Relative humidity', '%', [30, 65]);
    }
  }
  for (const i of [1, 2]) {
    asset(`transformer-${i}`, 'Transformer', `${i}号变压器`, `Transformer ${i}`, 'energy', 'electrical');
    point(`transformer-${i}`, 'winding', '绕组温度', 'Winding temperature', '\u2103', [0, 110]);
    asset(`chiller-${i}`, 'Chiller', `${i}号冷水机组`, `Chiller ${i}`, 'energy', 'hvac');
    point(`chiller-${i}`, 'supply', '冷冻水供水温度', 'Chilled water supply temperature', '\u2103', [5, 9]);
    asset(`boiler-${i}`, 'Boiler', `${i}号蒸汽锅炉`, `Steam boiler ${i}`, 'energy', 'heat');
    point(`boiler-${i}`, 'steam', '蒸汽压力', 'Steam pressure', 'MPa', [0.5, 0.9]);
    asset(`lox-${i}`, 'Liquid_Oxygen_Tank', `${i}号液氧储罐`, `Liquid oxygen tank ${i}`, 'energy', 'medical_gas');
    point(`lox-${i}`, 'level', '液位', 'Level', '%', [15, 96]);
  }
  asset('water-tank', 'Water_Tank', '生活水箱', 'Domestic water tank', 'energy', 'water');
  point('water-tank', 'level', '水位', 'Level', 'm', [1, 2.8]);
  asset('fire-tank', 'Water_Tank', '消防水池', 'Fire water tank', 'energy', 'fire');
  point('fire-tank', 'level', '水位', 'Level', 'm', [3, 3.8]);
  const feeds = [
    { medium: 'gas', from: ['lox-1', 'lox-2'], to: houses.map(([id]) => `${id}-zone`), needs: 1 },
    { medium: 'power', from: ['transformer-1', 'transformer-2'], to: ['chiller-1', 'chiller-2'], needs: 1 },
  ];
  return { assets, points, feeds };
}

/** What is wrong in it. @param {ReturnType<typeof hospital>} plan @param {number} now */
function troubles(plan, now) {
  const at = (/** @type {string} */ address) => plan.points.find((point) => point.address === address);
  Object.assign(at('infectious-zone/oxygen'), { held: 0.311 });
  Object.assign(at('main-lift/load'), { old: 7 * MINUTE, held: 40 });
  Object.assign(at('transformer-2/winding'), { held: 121.4 });
  const alarm = (/** @type {number} */ id, /** @type {string} */ address, /** @type {number} */ priority, /** @type {string} */ state, /** @type {number} */ value, /** @type {number} */ limit) => {
    const point = at(address);
    const machine = plan.assets.find((one) => one.id === point.asset);
    return {
      id, rule: `rule-${id}`, asset: machine.id, asset_name: machine.name, point: address, point_name: point.name, priority, failure_mode: 'limit', state, active: true, acked: state === 'C',
      raised_at: now - id * MINUTE, cleared_at: null, acked_at: null, acked_by: null, value, limit, unit: point.unit, symbol: point.symbol, value_states: [],
      message: names(`${machine.name.zh}${point.name.zh} ${value} ${point.symbol},超出限值 ${limit} ${point.symbol}`, `${machine.name.en} ${point.name.en.toLowerCase()} ${value} ${point.symbol}, beyond its limit of ${limit} ${point.symbol}`),
      response: names('1. 现场确认。', '1. Check on site.'), work_order: null,
    };
  };
  return [alarm(901, 'infectious-zone/oxygen', 1, 'B', 0.311, 0.36), alarm(902, 'transformer-2/winding', 2, 'C', 121.4, 110)];
}

/** The cells of the overview. @param {ReturnType<typeof hospital>} plan @param {any[]} alarms */
function cellsOf(plan, alarms) {
  const byId = new Map(plan.assets.map((one) => [one.id, one]));
  const buildingOf = (/** @type {any} */ one) => { for (let at = one; at; at = byId.get(at.parent)) if (at.class === 'Building') return at.id; return null; };
  /** @type {Map<string, any[]>} */
  const cells = new Map();
  for (const one of plan.assets) if (one.system) cells.set(`${one.system} ${buildingOf(one)}`, [...(cells.get(`${one.system} ${buildingOf(one)}`) ?? []), one]);
  const order = ['electrical', 'hvac', 'medical_gas', 'lifts', 'water', 'heat', 'fire', 'environment'];
  return { buildingOf, cells: [...cells].map(([key, list]) => {
    const [system, building] = key.split(' ');
    const own = plan.points.filter((point) => list.some((one) => one.id === point.asset));
    const mine = alarms.filter((alarm) => list.some((one) => one.id === alarm.asset));
    return {
      system, building, assets: list.length, points: own.length, key: own.slice(0, 4), comms: { good: own.filter((point) => !point.old).length, total: own.length },
      alarms: { worst_priority: mine[0]?.priority ?? null, open: mine.length, unacknowledged: mine.filter((alarm) => !alarm.acked).length }, work_orders_open: mine.length,
    };
  }).sort((a, b) => order.indexOf(a.system ?? '') - order.indexOf(b.system ?? '')) };
}

/** The checks of a stale reading, as the server tells them. @param {any} point @param {number} now */
function makingOf(point, now) {
  const old = point.old ?? 0;
  const reading = { at: now - old, value: point.held ?? 1, quality: old > 15_000 ? 'uncertain' : 'good', reason: old > 15_000 ? 'stale' : null };
  return {
    now, point: point.address, steps: [], reading, heard_ago_ms: old, counts: null, history: { kind: 'everything', kept: null, held: null },
    source: { kind: 'device', bus: 'lifts', device: point.device, unit: 1, table: 'holding', address: 7, type: 'u16', interval_ms: 1_000, running: true, connected: true, demoted: true, consecutive_failures: 31 },
    sample: { value: point.held ?? 1, fault: null, exception: null, doubted: false, device: point.device, source_at: null, received_at: now - old, at_error_ms: 10, fate: 'current' },
    checks: [{ rule: 'stale', verdict: old > 15_000 ? 'failed' : 'passed', limit: '15000 ms', saw: `${old} ms` }],
  };
}

/**
 * From now on the page has the hospital.
 * @param {Page} page
 * @param {boolean} calm nothing is wrong
 * @param {string} timezone
 */
async function admit(page, calm, timezone) {
  const plan = hospital();
  const now = Date.now();
  const alarms = calm ? [] : troubles(plan, now);
  const { buildingOf, cells } = cellsOf(plan, alarms);
  const plant = await fakePlant(page, plan, { start: now });
  const byAddress = new Map(plan.points.map((point) => [point.address, point]));
  const json = (/** @type {RegExp} */ path, /** @type {(url: URL) => unknown} */ body) => page.route(path, (route) => {
    const found = body(new URL(route.request().url()));
    return found ? route.fulfill({ json: found }) : route.fulfill({ status: 404, json: { code: 'not_found', message: 'no', request_id: 'r-1' } });
  });
  const last = (/** @type {URL} */ url) => decodeURIComponent(url.pathname.split('/').at(-1) ?? '');
  const counts = Object.fromEntries(alarms.filter((alarm) => !alarm.acked).map((alarm) => [alarm.priority, 1]));
  await json(/\/api\/v1\/alarms\?/, () => ({ items: alarms, counts }));
  await json(/\/api\/v1\/work-orders(\?|$)/, () => ({ items: [] }));
  await json(/\/api\/v1\/overview$/, () => ({ now, items: cells }));
  await json(/\/api\/v1\/feeds$/, () => ({ nodes: [], edges: plan.feeds }));
  await json(/\/api\/v1\/systems\/\w+$/, (url) => ({ system: last(url), next: null, items: plan.assets.filter((one) => one.system === last(url)).map((one) => ({ ...one, building: buildingOf(one), points: plan.points.filter((point) => point.asset === one.id) })) }));
  await json(/\/api\/v1\/assets\/[\w-]+$/, (url) => {
    const one = plan.assets.find((other) => other.id === last(url));
    return one && { ...one, building: buildingOf(one), path: [], children: [], feeds_from: [], feeds_to: [], sources: [{ protocol: 'modbus', bus: 'plant', device: `${one.id}-plc` }], points: plan.points.filter((point) => point.asset === one.id) };
  });
  await json(/\/api\/v1\/points\/[\w-]+\/\w+$/, (url) => byAddress.get(url.pathname.split('/').slice(-2).join('/')) ?? null);
  await json(/\/api\/v1\/points\/[\w-]+\/\w+\/readings/, (url) => ({ point: '', unit: '', symbol: '', from: 0, to: 1, readings: [], next: url.pathname === '' ? 1 : null }));
  await json(/\/api\/v1\/points\/[\w-]+\/\w+\/making$/, (url) => makingOf(byAddress.get(url.pathname.split('/').slice(-3, -1).join('/')), now));
  await page.route(/\/api\/v1\/points\?/, (route) => {
    const search = (new URL(route.request().url()).searchParams.get('search') ?? '').toLowerCase();
    return search === '' ? route.fallback() : route.fulfill({ json: { items: plan.points.filter((point) => `${point.address} ${point.name.zh} ${point.name.en}`.toLowerCase().includes(search)).slice(0, 8), next: null } });
  });
  await page.route(/\/api\/v1\/series/, (route) => route.fulfill({ json: answer(new URL(route.request().url()), byAddress, timezone) }));
  return { plan, plant };
}

/** What axe finds. @param {Page} page */
async function axe(page) {
  await page.evaluate(axeSource);
  return page.evaluate(async (rules) => {
    const result = await /** @type {any} */ (window).axe.run(document, { runOnly: rules, resultTypes: ['violations'] });
    return result.violations.map((/** @type {any} */ one) => `${one.id}: ${one.nodes.slice(0, 3).map((/** @type {any} */ node) => node.html.slice(0, 160)).join(' ;; ')}`);
  }, WCAG);
}

/**
 * @param {object} tools of run.mjs
 * @param {(name: string, run: () => Promise<void>) => Promise<void>} tools.check
 * @param {(truth: unknown, what: string) => void} tools.must
 * @param {(over?: any) => Promise<{ page: Page, context: import('playwright-core').BrowserContext, complaints: string[] }>} tools.person
 * @param {(page: Page, path: string) => Promise<void>} tools.open
 * @param {(page: Page) => Promise<unknown>} tools.drawn
 * @param {(page: Page) => Promise<string[]>} tools.clipped
 * @param {{ timezone: string }} tools.site
 */
export async function plantChecks({ check, must, person, open, drawn, clipped, site }) {
  /** @param {any} over @param {{ calm?: boolean, guide?: boolean }} [how] */
  async function visitor(over, { calm = false, guide = false } = {}) {
    const opened = await person(over);
    if (!guide) await opened.page.addInitScript(() => localStorage.setItem('plantroom.guide', 'seen'));
    const { plan } = await admit(opened.page, calm, site.timezone);
    return { ...opened, plan };
  }
  const at = (/** @type {Page} */ page, /** @type {string} */ path) => page.waitForFunction((want) => location.pathname === want, path);
  const focused = (/** @type {Page} */ page) => page.evaluate(() => document.activeElement?.textContent ?? '');

  for (const language of LANGUAGES) {
    const [zone, low, age] = language === 'en' ? ['Infectious diseases building oxygen zone', 'below normal', '7 min'] : ['感染楼氧气分区', '低于正常', '7 分钟'];

    await check(`plant: from the overview to the oxygen zone that is low in ${CLICKS_MAX} clicks at most, ${language}`, async () => {
      const { page, complaints } = await visitor({ language });
      await open(page, '/');
      let clicks = 0;
      const click = async (/** @type {import('playwright-core').Locator} */ what) => { await what.click(); clicks += 1; };
      await click(page.locator('tr[data-system="medical_gas"] .cell', { has: page.locator('.trouble') }).locator('.cell-link'));
      await at(page, '/systems/medical_gas');
      const first = page.locator('.machine').first();
      await first.getByText(low).waitFor();
      must((await first.innerText()).includes(zone), `first stands ${await first.innerText()}`);
      await click(first.locator('h3 a'));
      await at(page, '/equipment/infectious-zone');
      await page.getByRole('heading', { level: 1, name: zone }).waitFor();
      await page.locator('.values-table').getByText(low).waitFor();
      must(/0\.311/.test(await page.locator('.values-table').innerText()), 'the pressure is not there');
      must(clicks <= CLICKS_MAX, `${clicks} clicks`);
      must(complaints.length === 0, complaints.join('\n'));
      await page.context().close();
    });

    await check(`plant: why a value is hatched is told where it stands and one click further, ${language}`, async () => {
      const { page } = await visitor({ language });
      await open(page, '/systems/lifts');
      const card = page.locator('[data-asset="main-lift"]');
      await card.locator('.hatched', { hasText: age }).waitFor();
      must(/40/.test(await card.locator('.hatched').innerText()), 'the number is gone');
      await card.locator('.machine-label', { hasText: language === 'en' ? 'Load' : '载荷' }).click();
      await at(page, '/points/main-lift/load');
      await page.locator('.checks-table tr[data-verdict="failed"]').waitFor();
      must(await page.locator('.advice').count() === 1, 'nothing says what it means and what to do');
      await page.context().close();
    });
  }

  await check('plant: a cell in alarm tells its last three with time and state, to a hand and to keys; a calm one tells nothing', async () => {
    const { page, complaints } = await visitor({ language: 'en' });
    await page.route(/\/api\/v1\/alarms\?/, async (route) => {
      const [one] = troubles(hospital(), Date.now());
      const items = [1, 2, 3, 4, 5].map((id) => ({ ...one, id, raised_at: Date.now() - id * MINUTE, state: id === 1 ? 'D' : 'C', message: names(`第${id}条`, `Alarm ${id}`) }));
      return route.fulfill({ json: { items, counts: {} } });
    });
    await open(page, '/');
    const told = page.locator('.cell-alarms');
    const cell = page.locator('tr[data-system="medical_gas"] .cell', { has: page.locator('.trouble') });
    await cell.hover();
    await told.waitFor();
    const lines = await told.locator('li').allInnerTexts();
    must(lines.length === 3 && lines.every((line, i) => line.includes(`Alarm ${i + 1}`) && /\d\d:\d\d:\d\d/.test(line)), lines.join(' | '));
    must(/Returned, unacknowledged/.test(lines[0] ?? '') && /Acknowledged/.test(lines[1] ?? ''), lines.join(' | '));
    await page.keyboard.press('Escape');
    await told.waitFor({ state: 'detached' });
    await page.locator('tr[data-system="lifts"] .cell').first().hover();
    must(await told.count() === 0, 'a calm cell tells of alarms');
    await cell.locator('.cell-link').focus();
    await told.waitFor();
    must(await page.evaluate(() => document.getElementById(document.activeElement?.getAttribute('aria-describedby') ?? '')?.className.startsWith('cell-alarms')), 'the link does not name what it tells');
    const box = await told.boundingBox();
    must(box && box.y >= 0 && box.y + box.height <= 768 && box.x + box.width <= 1366, `it lies outside: ${JSON.stringify(box)}`);
    must((await axe(page)).length === 0, (await axe(page)).join('\n'));
    must(complaints.length === 0, complaints.join('\n'));
    await page.context().close();
  });

  await check('plant: what is fed by two of which one is in trouble says so, on its card and on its page', async () => {
    const { page } = await visitor({ language: 'en' });
    await open(page, '/systems/hvac');
    must((await page.locator('[data-asset="chiller-1"] .feed-tag').innerText()).includes('1 of 2 in order'), 'no word of it on the card');
    await page.locator('[data-asset="chiller-1"] h3 a').click();
    await page.locator('.feed-tag').waitFor();
    must((await page.locator('.machine-side').innerText()).includes('1 of 2 must work'), 'how many it needs is not said');
    await page.getByRole('link', { name: 'Transformer 2' }).first().click();
    await at(page, '/equipment/transformer-2');
    await page.context().close();
  });

  await check('plant: by keys alone from the overview to a machine and back', async () => {
    const { page } = await visitor({ language: 'en' });
    await open(page, '/');
    for (let i = 0; i < 8 && await focused(page) !== 'Medical gas'; i += 1) await page.keyboard.press('j');
    must(await focused(page) === 'Medical gas', `j walks to ${await focused(page)}`);
    must(await page.evaluate(() => getComputedStyle(/** @type {Element} */ (document.activeElement)).outlineStyle) === 'solid', 'the focus has no ring');
    await page.keyboard.press('Enter');
    await at(page, '/systems/medical_gas');
    await page.locator('.machine').first().waitFor();
    await page.keyboard.press('j');
    const name = await focused(page);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name }).waitFor();
    await page.keyboard.press('Escape');
    await at(page, '/systems/medical_gas');
    await page.keyboard.press('Escape');
    await at(page, '/');
    await page.keyboard.press('f');
    await page.waitForFunction(() => document.documentElement.hasAttribute('data-wall'));
    must(!(await page.locator('.areas').isVisible()), 'the navigation stays on the wall');
    await page.keyboard.press('f');
    await page.locator('.areas').waitFor();
    await page.context().close();
  });

  await check('plant: the palette finds pages, systems, machines and points, by keys and by hand', async () => {
    const { page, complaints } = await visitor({ language: 'en' });
    await open(page, '/');
    for (const [text, path] of [['oxygen tank 2', '/equipment/lox-2'], ['boilers', '/systems/heat'], ['trends', '/trend'], ['winding', '/points/transformer-1/winding']]) {
      // Nobody waits for the field before he types.
      await page.keyboard.press('Control+k');
      await page.keyboard.type(String(text));
      // Points come from the server a moment after the typing.
      await page.waitForFunction((words) => {
        const chosen = document.querySelector('[role="option"][aria-selected="true"]')?.textContent?.toLowerCase();
        return chosen !== undefined && words.every((word) => chosen.includes(word));
      }, String(text).split(' '));
      await page.keyboard.press('Enter');
      await at(page, String(path));
      await page.locator('main h1').waitFor();
    }
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox').last().fill('zzzz');
    await page.getByText('Nothing fits').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('.palette').waitFor({ state: 'detached' });
    must(complaints.length === 0, complaints.join('\n'));
    await page.context().close();
    const phone = await visitor({ language: 'zh-CN', size: { width: 390, height: 844 }, touch: true });
    await open(phone.page, '/');
    await phone.page.locator('.palette-button').tap();
    await phone.page.getByRole('combobox').last().fill('氧气');
    await phone.page.getByRole('option', { name: '感染楼氧气分区' }).first().tap();
    await at(phone.page, '/equipment/infectious-zone');
    await phone.page.locator('.area-systems button').tap();
    await phone.page.locator('#menu-systems a', { hasText: '电梯' }).tap();
    await at(phone.page, '/systems/lifts');
    must(!(await phone.page.locator('#menu-systems').isVisible()), 'the list of systems stays open');
    await phone.context.close();
  });

  await check('plant: order, form, building and filter stand in the address', async () => {
    const { page } = await visitor({ language: 'en' });
    await open(page, '/systems/environment?building=main&form=table');
    must(await page.locator('.machine-table tbody tr').count() >= 20, 'rows are missing');
    await page.getByRole('link', { name: 'Cards' }).click();
    await page.locator('.machine').first().waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('room 307');
    await page.waitForFunction(() => document.querySelectorAll('.machine').length === 1);
    await page.reload();
    await page.locator('.machine').first().waitFor();
    must(await page.locator('.machine').count() === 1 && new URL(page.url()).searchParams.get('building') === 'main', page.url());
    await open(page, '/systems/hvac?sort=tree');
    must(await page.locator('.deviating').count() === 0, 'in tree order something stands first');
    await page.context().close();
  });

  await check('plant: a first visit explains itself, is remembered, and can be called again', async () => {
    const { page } = await visitor({ language: 'en' }, { guide: true });
    await open(page, '/');
    await page.locator('.guide').getByRole('button', { name: 'Got it' }).click();
    await page.reload();
    await page.locator('.plant-table').waitFor();
    must(await page.locator('.guide').count() === 0, 'it comes again');
    await page.keyboard.press('?');
    await page.getByRole('button', { name: 'Show the first look again' }).click();
    await page.locator('.guide').waitFor();
    await page.context().close();
  });

  await check('plant: the language is switched on a machine, and nothing is left in the other', async () => {
    const { page } = await visitor({ language: 'zh-CN' });
    await open(page, '/equipment/infectious-zone');
    await page.getByRole('button', { name: 'English' }).click();
    await page.getByRole('heading', { name: 'Values now' }).waitFor();
    must(!/[\u4e00-\u9fff]/.test((await page.locator('main').innerText()).replace(/中文/g, '')), await page.locator('main').innerText());
    await page.context().close();
  });

  // ---- what holds of each screen

  const paths = [['overview', '/'], ['system', '/systems/medical_gas'], ['cards', '/systems/environment'], ['table', '/systems/environment?form=table'], ['machine', '/equipment/infectious-zone'], ['doubted', '/equipment/chiller-1']];
  for (const language of LANGUAGES) {
    await check(`plant: nothing is cut off, scrolls sideways or offends axe; words, cells and nodes are as they should be, ${language}`, async () => {
      const { page, complaints } = await visitor({ language }, { guide: true });
      /** @type {string[]} */
      const faults = [];
      for (const [name = '', path = ''] of paths) {
        for (const size of SIZES) {
          await page.setViewportSize(size);
          await open(page, path);
          const where = `${name} ${size.width}`;
          const key = KEYS.exec(await page.locator('body').innerText());
          if (key) faults.push(`${where}: ${key[0]}`);
          faults.push(...(await clipped(page)).map((one) => `${where}: ${one}`));
          const { cells, nodes, tall } = await page.evaluate(() => ({ cells: document.querySelectorAll('[data-live]').length, nodes: document.querySelectorAll('*').length, tall: document.documentElement.scrollHeight }));
          if (cells > CELLS_MAX || nodes > NODES_MAX || cells === 0) faults.push(`${where}: ${cells} live cells, ${nodes} nodes`);
          if (name === 'overview' && size.width >= 1366 && tall > size.height) faults.push(`${where}: ${tall} px tall`);
          if (size.width === 1920) continue;
          for (const theme of /** @type {const} */ (['light', 'dark'])) {
            await page.emulateMedia({ colorScheme: theme });
            await drawn(page);
            faults.push(...(await axe(page)).map((one) => `${where} ${theme}: ${one}`));
          }
          await page.emulateMedia({ colorScheme: 'light' });
        }
      }
      must(faults.length === 0, faults.join('\n'));
      must(complaints.length === 0, complaints.join('\n'));
      await page.context().close();
    });
  }

  await check('plant: a hospital in order holds no colour of an alarm, overview and systems, light and dark', async () => {
    for (const theme of /** @type {const} */ (['light', 'dark'])) {
      const { page } = await visitor({ language: 'en', theme }, { calm: true });
      for (const path of ['/', '/systems/medical_gas', '/systems/environment']) {
        await open(page, path);
        await page.waitForTimeout(600);
        must(await page.locator('.chip').count() === 0, `a chip on ${path}`);
        noAlarmColour(await page.screenshot(), `${path} ${theme}`);
      }
      await page.context().close();
    }
  });
}
