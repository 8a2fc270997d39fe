import assert from 'node:assert/strict';
import test from 'node:test';
import { LASTS_MAX_MS, untilOf, valueOf } from '../../../dashboards/web/lib/by-hand.js';
import { zone } from '../../../dashboards/web/lib/i18n.js';

/** @param {string} kind @param {[number, number] | null} [range] @returns {any} */
const point = (kind, range = null) => ({ kind, range });

test('a number is what a person writes, in any width of digits, and within its range', () => {
  const cases = /** @type {[string, any][]} */ ([
    ['21.5', { value: 21.5 }], [' -3 ', { value: -3 }], ['\u22123.25', { value: -3.25 }], ['.5', { value: 0.5 }], ['+7', { value: 7 }], ['0', { value: 0 }], ['5.', { value: 5 }],
    ['\uff12\uff11\uff0e\uff15', { value: 21.5 }], ['21\u30025', { value: 21.5 }],
    ['', { wrong: 'empty' }], ['  ', { wrong: 'empty' }], ['21,5', { wrong: 'number' }], ['1e3', { wrong: 'number' }], ['0x10', { wrong: 'number' }], ['.', { wrong: 'number' }], ['-', { wrong: 'number' }],
    ['1 000', { wrong: 'number' }], ['NaN', { wrong: 'number' }], ['Infinity', { wrong: 'number' }], ['1.2.3', { wrong: 'number' }], ['123456789012345', { value: 123_456_789_012_345 }], ['1234567890123456', { wrong: 'number' }],
  ]);
  for (const [text, expected] of cases) {
    assert.deepEqual(valueOf(text, point('decimal')), expected, text);
    assert.deepEqual(valueOf(text, point('float')), expected, text);
  }
  for (const [text, wrong] of [['-0.1', true], ['0', false], ['1000', false], ['1000.1', true]]) {
    assert.equal('wrong' in valueOf(String(text), point('decimal', [0, 1_000])), wrong, String(text));
  }
});

test('a switch has two values, a word as many bytes as a register holds', () => {
  assert.deepEqual(valueOf('true', point('bool')), { value: true });
  assert.deepEqual(valueOf('false', point('bool')), { value: false });
  assert.deepEqual(valueOf('', point('bool')), { wrong: 'empty' });
  assert.deepEqual(valueOf(' night ', point('text')), { value: 'night' });
  assert.deepEqual(valueOf('x'.repeat(250), point('text')), { value: 'x'.repeat(250) });
  assert.deepEqual(valueOf('\u591c'.repeat(84), point('text')), { wrong: 'long' });
});

test('the end lies ahead, at most thirty days, in the time of the site', () => {
  zone.value = 'Asia/Shanghai';
  const now = Date.UTC(2026, 10, 22, 0, 0); // 08:00 in Shanghai
  assert.deepEqual(untilOf('15min', '', now), { until: now + 900_000 });
  assert.deepEqual(untilOf('8h', 'anything', now), { until: now + 28_800_000 });
  assert.deepEqual(untilOf('until', '2026-11-22T09:30', now), { until: now + 5_400_000 });
  assert.deepEqual(untilOf('until', '2026-11-22T08:00', now), { wrong: 'past' });
  assert.deepEqual(untilOf('until', '2026-12-22T08:00', now), { until: now + LASTS_MAX_MS });
  assert.deepEqual(untilOf('until', '2026-12-22T08:01', now), { wrong: 'far' });
  for (const field of ['', 'soon', '2026-11-22']) assert.deepEqual(untilOf('until', field, now), { wrong: 'time' });
});
