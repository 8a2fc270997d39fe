import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inOrder, timesOf, trendOf } from '../../../dashboards/web/lib/demo.js';

/** @param {string} id @param {object} over @returns {import('../../../dashboards/web/lib/demo.js').Fault} */
const fault = (id, over) => ({ id, kind: 'k', asset: 'a', name: { zh: id, en: id }, notice: { zh: '', en: '' }, state: 'waiting', onset: null, end: null, points: [], ...over });

test('what runs stands first, then what comes next, then the newest past', () => {
  const list = [fault('old', { state: 'over', end: 5 }), fault('hand', {}), fault('later', { onset: 900 }), fault('recent', { state: 'over', end: 50 }), fault('hand-2', {}), fault('soon', { onset: 200 }), fault('now', { state: 'running', onset: 90 })];
  assert.deepEqual(inOrder(list).map(({ id }) => id), ['now', 'soon', 'later', 'hand', 'hand-2', 'recent', 'old']);
  assert.equal(list[0]?.id, 'old', 'the reply is left as it came');
});

test('times say what is known, and nothing is in the past that has not begun', () => {
  const words = (/** @type {object} */ over) => timesOf(fault('f', over), 1_000).map(({ word, ms }) => `${word} ${ms}`);
  assert.deepEqual(words({ onset: 1_500 }), ['begins 500']);
  assert.deepEqual(words({}), ['no-time 0']);
  assert.deepEqual(words({ state: 'running', onset: 400, end: 1_600 }), ['since 600', 'ends 600']);
  assert.deepEqual(words({ state: 'running', onset: 400 }), ['since 600']);
  assert.deepEqual(words({ state: 'over', onset: 100, end: 900 }), ['ended 100']);
  assert.deepEqual(words({ state: 'over' }), []);
});

test('the trend of a fault holds its first points', () => {
  assert.equal(trendOf(fault('f', {})), null);
  const link = new URL(trendOf(fault('f', { points: Array.from({ length: 12 }, (_, i) => `a/p${i}`) })) ?? '', 'http://x');
  assert.equal(link.searchParams.get('points')?.split(',').length, 8);
});
