// Makes the pictures of the README from a running demo: node pictures.mjs BASE_URL
//
// Waits for an active alarm (the demo's oxygen falls 20 s after its start), then writes
// docs/pictures/{points,alarm,energy}.png.

import { mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launch } from './browser.mjs';

const BYTES_MAX = 200 * 1024;
const ALARM_WITHIN_MS = 60_000;

const base = process.argv[2]?.replace(/\/$/, '');
if (!base) {
  console.error('usage: node pictures.mjs BASE_URL');
  process.exit(2);
}
const folder = join(dirname(fileURLToPath(import.meta.url)), '../../docs/pictures');
mkdirSync(folder, { recursive: true });

/** The worst alarm that stands. */
async function activeAlarm() {
  for (const end = Date.now() + ALARM_WITHIN_MS; Date.now() < end;) {
    const { items } = await (await fetch(`${base}/api/v1/alarms?state=open&limit=50`)).json();
    const active = items.find((/** @type {any} */ one) => one.active);
    if (active) return active;
    await new Promise((done) => setTimeout(done, 500));
  }
  throw new Error('No alarm is active.');
}

const { timezone } = await (await fetch(`${base}/api/v1/site`)).json();
const alarm = await activeAlarm();
const browser = await launch();
const context = await browser.newContext({ viewport: { width: 1366, height: 768 }, locale: 'en', colorScheme: 'light', timezoneId: timezone });
const page = await context.newPage();
let failed = false;
for (const [name, path] of [['alarm', `/alarms/${alarm.id}`], ['points', '/points'], ['energy', '/energy']]) {
  const file = join(folder, `${name}.png`);
  await page.goto(base + path);
  await page.waitForFunction(() => document.querySelector('main .panel') && !document.querySelector('.skeleton') &&
    [...document.querySelectorAll('[data-live]')].every((cell) => !cell.textContent?.includes('…')));
  await page.waitForTimeout(1_000);
  await page.evaluate(() => /** @type {HTMLElement | null} */ (document.activeElement)?.blur());
  await page.screenshot({ path: file });
  const { size } = statSync(file);
  console.log(`${file}: ${size} bytes`);
  failed ||= size > BYTES_MAX;
}
await browser.close();
process.exit(failed ? 1 : 0);
