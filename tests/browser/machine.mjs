// Marks over the charts of a machine and a point, and values by hand: what the person at the desk does at night.

import { axe, noAlarmColour } from './parts.mjs';

const LANGUAGES = ['zh-CN', 'en'];
const THEMES = /** @type {const} */ (['light', 'dark']);
const PHONE = { width: 390, height: 844 };
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** Marks of one lane, as lib/marks.js has it. */
const MARKS_MAX = 30;

/** @typedef {import('playwright-core').Page} Page */

/** The focus goes there by itself, a frame or two after what it goes to. @param {Page} page @param {string} where */
const focusOn = (page, where) => page.waitForFunction((wanted) => document.activeElement?.matches(wanted), where);

/**
 * @param {object} tools of run.mjs
 * @param {(name: string, run: () => Promise<void>) => Promise<void>} tools.check
 * @param {(truth: unknown, what: string) => void} tools.must
 * @param {(over?: any) => Promise<{ page: Page, context: import('playwright-core').BrowserContext, complaints: string[] }>} tools.person
 * @param {(page: Page, path: string) => Promise<void>} tools.open
 * @param {(page: Page) => Promise<unknown>} tools.drawn
 * @param {(page: Page) => Promise<string[]>} tools.clipped
 * @param {(path: string) => Promise<any>} tools.api
 * @param {string} tools.base
 * @param {any[]} tools.points
 * @param {(page: Page) => Promise<void>} tools.fakeSeries
 */
export async function machineChecks({ check, must, person, open, drawn, clipped, api, base, points, fakeSeries }) {
  const measured = points.filter((point) => ['decimal', 'float'].includes(point.kind) && point.states.length === 0);
  const point = measured[0];
  const asset = point?.asset;

  /** @param {number} id @param {number} raised @param {object} [over] */
  const alarm = (id, raised, over = {}) => ({
    id, rule: 'r', asset, asset_name: { zh: '机组', en: 'Unit' }, point: point.address, point_name: point.name, priority: 3, failure_mode: 'f', state: 'A', active: false, acked: true,
    raised_at: raised, cleared_at: raised + 5 * MINUTE, acked_at: raised, acked_by: 'Lin', value: 1, limit: 2, unit: '1', symbol: '', value_states: [],
    message: { zh: `告警 ${id}`, en: `Alarm ${id}` }, response: { zh: '1. 看。', en: '1. Look.' }, work_order: null, ...over,
  });
  /** @param {number} id @param {number} opened */
  const order = (id, opened) => ({
    id, number: `WO-${String(id).padStart(6, '0')}`, state: 'new', asset, asset_name: { zh: '机组', en: 'Unit' }, failure_mode: 'f', priority: 2, title: { zh: `工单 ${id}`, en: `Order ${id}` }, response: { zh: '', en: '' },
    opened_at: opened, accepted_at: null, accepted_by: null, done_at: null, done_by: null, note: null, closed_at: null, closed_by: null, point: point.address, value: null, limit: null, unit: '1', symbol: '', value_states: [], alarm_ids: [], version: 1,
  });

  /**
   * From now on these have been of the machine; what else is asked of the server is answered by it.
   * @param {Page} page
   * @param {any[]} alarms
   * @param {any[]} orders
   */
  async function happened(page, alarms, orders) {
    /** @type {string[]} */
    const asked = [];
    await fakeSeries(page);
    for (const [kind, items] of /** @type {[string, any[]][]} */ ([['alarms', alarms], ['work-orders', orders]])) {
      await page.route(new RegExp(`/api/v1/${kind}\\?state=all&asset=`), (route) => {
        asked.push(route.request().url());
        return route.fulfill({ json: { items, counts: {} } });
      });
    }
    return asked;
  }

  for (const language of LANGUAGES) {
    await check(`marks: an alarm and an order stand over the chart of their machine, in words, and lead there by keys, ${language}`, async () => {
      const { page, complaints } = await person({ language });
      const now = Date.now();
      const asked = await happened(page, [alarm(7, now - 5 * HOUR), alarm(8, now - 2 * HOUR, { priority: 1, state: 'C', active: true, cleared_at: null }), alarm(9, now - 30 * HOUR)], [order(12, now - 2 * HOUR)]);
      await open(page, `/equipment/${asset}`);
      const marks = page.locator('.lanes a.lane-mark');
      await marks.first().waitFor();
      must(asked.length === 2, `${asked.length} questions for one window: ${asked.join(' ')}`);
      must(await marks.count() === 3, `${await marks.count()} marks`);
      const words = await marks.allInnerTexts();
      const [over, still] = language === 'en' ? [/Medium alarm.*Returned after 5 min/s, /Urgent alarm.*Still there/s] : [/一般告警.*5 分钟后恢复/s, /紧急告警.*仍未恢复/s];
      must(over.test(words[0] ?? '') && still.test(words[1] ?? '') && /WO-000012/.test(words[2] ?? ''), words.join(' | '));
      must(await page.locator('.lane-mark .chip-grey').count() === 2 && await page.locator('.lane-mark .chip-acked.chip-1').count() === 1, 'colour for what is over, or none for what is');
      must(await page.locator('.lane-bars rect').count() === 2 && await page.locator('.lane-bars .chip-1').count() === 1 && await page.locator('.hairs line').count() >= 2, 'a bar or a line is missing');
      await marks.nth(1).focus();
      must(/8/.test(await page.locator('.lane-told').innerText()), 'the focus tells nothing');
      must(await page.evaluate(() => getComputedStyle(/** @type {Element} */ (document.activeElement)).outlineStyle) === 'solid', 'the focus has no ring');
      for (const theme of THEMES) {
        await page.emulateMedia({ colorScheme: theme });
        await drawn(page);
        const faults = await axe(page);
        must(faults.length === 0, `${theme}: ${faults.join('\n')}`);
      }
      await page.keyboard.press('Enter');
      await page.waitForFunction(() => location.pathname === '/alarms/8');
      // Of the last hour there is what holds; of six all three.
      for (const [hours, count] of [[1, 1], [6, 3]]) {
        await open(page, `/points/${point.address}?hours=${hours}`);
        await marks.first().waitFor();
        must(await marks.count() === count, `${await marks.count()} marks over ${hours} h of a point`);
      }
      must(complaints.length === 0, complaints.join('\n'));
      await page.context().close();
    });
  }

  await check('marks: of very many neighbours become one that counts and unfolds; no two lie over each other, on a phone too', async () => {
    for (const size of [{ width: 1366, height: 768 }, PHONE]) {
      const { page } = await person({ language: 'en', size, touch: size === PHONE });
      const now = Date.now();
      const many = Array.from({ length: 120 }, (_, i) => alarm(100 + i, now - 23 * HOUR + i * 11 * MINUTE));
      await happened(page, many, []);
      await open(page, `/equipment/${asset}`);
      const marks = page.locator('.lanes .lane-mark');
      await marks.first().waitFor();
      const boxes = (await Promise.all((await marks.all()).map((mark) => mark.boundingBox()))).map((box) => box ?? { x: 0, width: 0, height: 0 });
      must(boxes.length <= MARKS_MAX && boxes.length > 2, `${boxes.length} marks`);
      must(boxes.slice(1).every((box, i) => box.x >= (boxes[i]?.x ?? 0) + (boxes[i]?.width ?? 0) - 1), 'marks lie over each other');
      must(boxes.every(({ width, height }) => Math.min(width, height) >= (size === PHONE ? 47.5 : 23.5)), 'a mark is too small to be hit');
      const joined = page.locator('.lane-mark[data-several]');
      const counted = (await joined.locator('b').allInnerTexts()).reduce((sum, text) => sum + Number(text), 0);
      must(counted + (boxes.length - await joined.count()) === many.length, `${counted} counted`);
      noAlarmColour(await page.locator('.lanes').screenshot(), 'marks of what is over');
      await joined.first().focus();
      await page.keyboard.press('Enter');
      await focusOn(page, '.lane-list a');
      must((await clipped(page)).length === 0, (await clipped(page)).join('\n'));
      await page.keyboard.press('Escape');
      await page.locator('.lane-list').waitFor({ state: 'detached' });
      await focusOn(page, '[data-several]');
      await page.context().close();
    }
  });

  // ---- values by hand

  const hand = `${base}/api/v1/points/${point?.address}/substitution`;
  /** However a check ends, the device counts again. @param {() => Promise<void>} run */
  async function released(run) {
    try {
      await run();
    } finally {
      await fetch(hand, { method: 'DELETE' });
    }
  }

  /** What the point has just now: no alarm comes of it. */
  async function harmless() {
    const { value } = await api(`/points/${point.address}`);
    return typeof value?.value === 'number' ? value.value : point.range?.[0] ?? 12.5;
  }

  for (const language of LANGUAGES) {
    const [put, why, name, submit, end, mark, wrong] = language === 'en'
      ? ['Put in a value by hand', 'Why', 'Your name', 'Put it in', 'End it now', 'substituted', 'Write a number']
      : ['手动置值', '原因', '姓名', '置值', '立即结束', '人工值', '请填写数字'];
    await check(`a value by hand: put in by keys alone, with who, why and until when; marked where the point is shown; ended, ${language}`, () => released(async () => {
      const { page, complaints } = await person({ language });
      const number = String(await harmless());
      await open(page, `/points/${point.address}`);
      await page.getByRole('button', { name: put }).focus();
      await page.keyboard.press('Enter');
      await focusOn(page, '.hand-value input');
      await page.keyboard.type('abc');
      await page.getByText(wrong).waitFor();
      await page.keyboard.press('Control+a');
      await page.keyboard.type(number);
      await page.locator('.hand-wrong').waitFor({ state: 'detached' });
      await page.getByLabel(why, { exact: true }).fill('gauge is being calibrated');
      await page.getByLabel(name, { exact: true }).fill('Wang Fang');
      await page.keyboard.press('Enter');
      const panel = page.locator('[data-by-hand]');
      await panel.waitFor();
      const { items } = await api('/substitutions');
      const held = items.find((/** @type {any} */ one) => one.point === point.address);
      must(held && held.value === Number(number) && held.by === 'Wang Fang' && held.reason === 'gauge is being calibrated', JSON.stringify(items));
      must(Math.abs(held.until - held.since - HOUR) < MINUTE, `it lasts ${held.until - held.since} ms`);
      const told = await panel.innerText();
      must(/Wang Fang/.test(told) && /gauge is being calibrated/.test(told) && /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/.test(told), told);
      must(await page.getByRole('button', { name: put }).count() === 0, 'a second value is offered');
      await focusOn(page, '#held-title');
      await page.locator('.now', { hasText: mark }).waitFor();
      // Wherever else the point is: a letter with a word on the machine's page, the word in the table of all points.
      await open(page, `/equipment/${asset}`);
      const row = page.locator('.values-table tr', { has: page.locator(`a[href="/points/${point.address}"]`) });
      await row.locator('.tag', { hasText: mark }).waitFor();
      must((await row.locator('.c-quality').innerText()).includes(mark), await row.innerText());
      await open(page, `/points?search=${point.address}`);
      await page.locator('.points-table tr[data-row]', { hasText: mark }).first().waitFor();
      await open(page, `/points/${point.address}`);
      await panel.getByRole('button', { name: end }).focus();
      await page.keyboard.press('Enter');
      await panel.waitFor({ state: 'detached' });
      await page.getByRole('button', { name: put }).waitFor();
      await focusOn(page, '[data-put]');
      const { items: all } = await api('/substitutions?state=all&limit=1');
      must(all[0]?.ended_by === 'Wang Fang', JSON.stringify(all));
      must(complaints.length === 0, complaints.join('\n'));
      await page.context().close();
    }));
  }

  await check('a value by hand: one that somebody put in meanwhile is said and shown; nothing is cut off or offends axe, form and value, desk and phone', () => released(async () => {
    const until = (await api('/site')).now + HOUR;
    for (const [language, size] of /** @type {[string, any][]} */ ([['en', PHONE], ['zh-CN', { width: 1366, height: 768 }]])) {
      const { page, complaints } = await person({ language, size, touch: size === PHONE });
      await open(page, `/points/${point.address}`);
      await page.locator('[data-put]').click();
      await page.locator('.hand-lasts button').last().click();
      /** @type {string[]} */
      const faults = [];
      const look = async (/** @type {string} */ what) => {
        for (const theme of THEMES) {
          await page.emulateMedia({ colorScheme: theme });
          await drawn(page);
          faults.push(...(await axe(page)).map((one) => `${what} ${theme}: ${one}`));
        }
        faults.push(...(await clipped(page)).map((one) => `${what}: ${one}`));
        if (size !== PHONE) return;
        const small = await page.evaluate(() => [...document.querySelectorAll('.by-hand button, .by-hand input, .by-hand select')].filter((one) => one.getBoundingClientRect().height < 47.5).map((one) => one.outerHTML.slice(0, 90)));
        faults.push(...small.map((one) => `${what}: too low for a finger: ${one}`));
      };
      await look(`form ${language}`);
      const number = await harmless();
      await page.locator('.hand-form input').first().fill(String(number));
      await page.locator('.hand-form textarea').fill('r');
      await page.locator('.hand-form input[autocomplete="name"]').fill('Lin');
      // The answer that refuses comes before the news of the other one's value.
      await page.route(/\/substitution$/, async (route) => {
        await route.fulfill({ status: 409, json: { code: 'already_substituted', message: 'x', hint: null, request_id: 'r-1' } });
      });
      await page.locator('.hand-form .primary').click();
      await page.locator('.refusal').waitFor();
      must(await page.locator('.hand-form textarea').inputValue() === 'r', 'what was typed is gone');
      await page.unrouteAll();
      const reply = await fetch(hand, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ value: number, until, reason: 'another one', by: 'Zhao' }) });
      must(reply.ok, `putting in a value answers ${reply.status}`);
      await page.locator('[data-by-hand]', { hasText: 'Zhao' }).waitFor();
      must(await page.locator('.hand-form textarea').inputValue() === 'r', 'what was typed goes with the value of another');
      await look(`value ${language}`);
      await fetch(hand, { method: 'DELETE' });
      await page.locator('[data-by-hand]').waitFor({ state: 'detached' });
      must(faults.length === 0, faults.join('\n'));
      must(complaints.length === 0, complaints.join('\n'));
      await page.context().close();
    }
  }));
}
