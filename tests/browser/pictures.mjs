// Makes the pictures of the README from a demo that began a moment ago: node pictures.mjs BASE_URL
//
// Writes docs/pictures/overview.png, while all is well, and oxygen.png, a film of what a person clicks through when the
// oxygen falls (20 s after the start): overview, medical gases, the manifold, the alarm.

import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launch } from './browser.mjs';
import { film } from './film.mjs';

const BYTES_MAX = 1024 * 1024;
const ALARM_WITHIN_MS = 60_000;
const FRAME_MS = 2_500;

const base = process.argv[2]?.replace(/\/$/, '');
if (!base) {
  console.error('usage: node pictures.mjs BASE_URL');
  process.exit(2);
}
const folder = join(dirname(fileURLToPath(import.meta.url)), '../../docs/pictures');
mkdirSync(folder, { recursive: true });

const { timezone } = await (await fetch(`${base}/api/v1/site`)).json();
const browser = await launch();
const context = await browser.newContext({
  viewport: { width: 1366, height: 768 }, locale: 'en', colorScheme: 'light', timezoneId: timezone,
});
const page = await context.newPage();

/** @param {string} path */
async function open(path) {
  await page.goto(base + path);
  await drawn();
}

/** The screen has all it asked for. */
async function drawn() {
  await page.waitForFunction(() => document.querySelector('main') && !document.querySelector('.skeleton') &&
    [...document.querySelectorAll('[data-live]')].every((cell) => !cell.textContent?.includes('…')));
  await page.waitForTimeout(1_500);
  await page.evaluate(() => /** @type {HTMLElement | null} */ (document.activeElement)?.blur());
}

/** The alarm of the manifold's pressure. */
async function oxygenAlarm() {
  for (const end = Date.now() + ALARM_WITHIN_MS; Date.now() < end;) {
    const { items } = await (await fetch(`${base}/api/v1/alarms?state=open&limit=50`)).json();
    const found = items.find((/** @type {any} */ one) => one.active && one.point === 'oxygen-manifold/pressure');
    if (found) return found;
    await page.waitForTimeout(500);
  }
  throw new Error('The oxygen did not fall.');
}

/** @param {string} name @param {Buffer} bytes */
function write(name, bytes) {
  const file = join(folder, name);
  writeFileSync(file, bytes);
  const { size } = statSync(file);
  console.log(`${file}: ${size} bytes`);
  if (size > BYTES_MAX) process.exitCode = 1;
}

await open('/');
write('overview.png', await page.screenshot());
const frames = [await page.screenshot()];
const alarm = await oxygenAlarm();
for (const path of ['/', '/systems/medical_gas', '/equipment/oxygen-manifold', `/alarms/${alarm.id}`]) {
  await open(path);
  frames.push(await page.screenshot());
}
write('oxygen.png', film(frames, FRAME_MS));
await browser.close();
