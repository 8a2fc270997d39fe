import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checksShown, digitsOf, notAsked, sourceWord, spelled } from '../../../dashboards/web/lib/making.js';

test('limits and finds are taken apart, and what is none of the known spellings stays as it is', () => {
  assert.deepEqual(spelled('15000 ms'), { kind: 'ms', ms: 15_000 });
  assert.deepEqual(spelled('-40 .. 1.60'), { kind: 'range', low: -40, high: 1.6 });
  assert.deepEqual(spelled('0.5 / 60000 ms'), { kind: 'rate', change: 0.5, ms: 60_000 });
  assert.deepEqual(spelled('1e-7'), { kind: 'number', value: 1e-7 });
  assert.deepEqual(spelled(null), { kind: 'none' });
  for (const text of ['0, 1, 2', 'no answer in time', '', '5 ms later', 'x 3.6 + 0']) assert.deepEqual(spelled(text), { kind: 'text', text });
});

test('the failed check stands first, and what nobody asks for apart', () => {
  const check = (/** @type {string} */ rule, /** @type {any} */ verdict) => ({ rule, limit: null, saw: null, verdict });
  const checks = [check('answer', 'passed'), check('rate', 'not_configured'), check('range', 'failed'), check('states', 'not_reached'), check('stale', 'passed')];
  assert.deepEqual(checksShown(checks).map((one) => one.rule), ['range', 'answer', 'stale', 'states']);
  assert.deepEqual(notAsked(checks), ['rate']);
});

test('the worst that is known of a source is its word', () => {
  const device = { kind: 'device', running: true, connected: true, demoted: false, consecutive_failures: 0 };
  const word = (/** @type {object} */ over) => sourceWord(/** @type {any} */ ({ ...device, ...over }));
  assert.deepEqual([word({}), word({ consecutive_failures: 1 }), word({ demoted: true }), word({ connected: false, demoted: true }), word({ running: false })],
    ['good', 'failing', 'silent', 'cut', 'turn']);
  assert.deepEqual([word({ kind: 'broker' }), word({ kind: 'broker', connected: false }), word({ kind: 'formula' })], ['good', 'cut', null]);
});

test('a step keeps its digits', () => {
  assert.deepEqual([412, 41.2, 0.0625, 1 / 3, true, 'x', null].map((value) => digitsOf(value)), [0, 1, 4, 9, 0, 0, 0]);
});
