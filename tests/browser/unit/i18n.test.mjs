import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { clock, date, decimalsOf, lang, number, offsetText, percent, quantity, stamp, stateOf, stateWords, unit, zone } from '../../../dashboards/web/lib/i18n.js';

test('numbers: grouped, fixed decimals, a true minus and no minus before nothing', () => {
  for (const code of ['zh-CN', 'en']) {
    lang.value = code;
    assert.equal(number(1234567.891, 1), '1,234,567.9');
    assert.equal(number(-3.25, 2), '\u22123.25');
    assert.equal(number(-0.04, 1), '0.0');
  }
  assert.equal(quantity(5, 1, 'kW'), '5.0\u00a0kW');
  assert.equal(unit('\u2103'), '\u00b0C');
});

test('percentages never round to nothing or to all', () => {
  assert.deepEqual([0, 0.001, 0.5, 0.999, 1].map((share) => percent(share).replace('\u00a0', '')), ['0%', '<1%', '50%', '>99%', '100%']);
});

test('digits a value was written with', () => {
  assert.equal(decimalsOf([118.4, 110]), 1);
  assert.equal(decimalsOf([0.1 + 0.2, null, true, 'x']), 3);
});

test('every time is in the site zone, whatever the machine says', () => {
  const at = Date.UTC(2026, 10, 21, 16, 5, 9);
  zone.value = 'Asia/Shanghai';
  assert.deepEqual([date(at), clock(at), stamp(at), offsetText(at)], ['2026-11-22', '00:05:09', '11-22 00:05:09', '+08:00']);
  zone.value = 'Asia/Kolkata';
  assert.deepEqual([date(at), clock(at), offsetText(at)], ['2026-11-21', '21:35:09', '+05:30']);
  zone.value = 'America/St_Johns';
  assert.equal(offsetText(at), '\u221203:30');
});

test('a state has its name and the number of the manual; a flag is 0 or 1; a measurement has none', () => {
  const states = [{ value: 0, name: { zh: '停止', en: 'Stopped' } }, { value: 1, name: { zh: '运行', en: 'Running' } }, { value: -2, name: { zh: '故障', en: '' } }];
  lang.value = 'en';
  for (const value of [1, 1.0, true]) assert.equal(stateWords(stateOf(value, states) ?? assert.fail()), 'Running 1');
  assert.equal(stateWords(stateOf(false, states) ?? assert.fail()), 'Stopped 0');
  assert.equal(stateWords(stateOf(-2, states) ?? assert.fail()), '故障 \u22122');
  lang.value = 'zh-CN';
  assert.equal(stateWords(stateOf(0, states) ?? assert.fail()), '停止 0');
  for (const value of [7, 1.5, 70_000]) assert.deepEqual(stateOf(value, states), { number: String(value), name: null });
  for (const value of [null, 'auto']) assert.equal(stateOf(value, states), null);
  assert.equal(stateOf(1, []), null);
});

test('Chinese sentences have the punctuation of their script, and one word for a point', () => {
  for (const part of ['', 'making/', 'parts/', 'plant/']) {
    const words = JSON.parse(readFileSync(new URL(`../../../dashboards/web/i18n/${part}zh-CN.json`, import.meta.url), 'utf8'));
    for (const [key, text] of Object.entries(words)) {
      assert.doesNotMatch(text, /[\u3400-\u9fff}][,:;?()]|[,:;?()][\u3400-\u9fff{]/, key);
      assert.doesNotMatch(text, /\u70b9\u4f4d/, `${key}: a point is \u6d4b\u70b9, as in the manual`);
    }
  }
});
