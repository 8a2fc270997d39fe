// Whether a person who opens the points page comes to see a value:
//
//   node value.mjs BASE_URL asset/quantity TEXT
//
// Exits 0 when the point's row shows TEXT, of good quality; otherwise says what it shows and exits 1.

import { launch } from './browser.mjs';

const WITHIN_MS = 20_000;

const [base, address, text] = process.argv.slice(2);
if (!base || !address || text === undefined) {
  console.error('usage: node value.mjs BASE_URL asset/quantity TEXT');
  process.exit(2);
}

const browser = await launch();
let shown = 'no row of this point';
let seen = false;
try {
  const page = await (await browser.newContext({ locale: 'en' })).newPage();
  page.setDefaultTimeout(WITHIN_MS);
  await page.goto(`${base.replace(/\/$/, '')}/points?search=${encodeURIComponent(address)}`);
  const read = () => page.evaluate((href) => {
    const row = document.querySelector(`tr[data-row] a[href="${href}"]`)?.closest('tr');
    const words = (/** @type {string} */ part) => row?.querySelector(part)?.textContent?.trim() ?? '';
    return row ? { value: words('.c-value'), quality: words('.c-quality') } : null;
  }, `/points/${address}`);
  for (const end = Date.now() + WITHIN_MS; !seen && Date.now() < end;) {
    const row = await read();
    if (row) shown = `${row.value} (${row.quality})`;
    seen = row !== null && row.value.replace('\u2212', '-') === text && row.quality === 'Good';
    if (!seen) await page.waitForTimeout(100);
  }
} catch (error) {
  shown += `; ${error}`;
} finally {
  await browser.close();
}
if (!seen) console.error(`${address} shows ${shown}, not ${text}`);
process.exit(seen ? 0 : 1);
