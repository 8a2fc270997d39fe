import assert from 'node:assert/strict';
import test from 'node:test';
import { alike, aroundOf, BAD, columnsOf, deviationOf, doubtsOf, gradeOf, leading, NONE, OUTSIDE, STALE } from '../../../dashboards/web/lib/machine.js';
import { shares } from '../../../dashboards/web/lib/plant.js';
import { tickDecimals } from '../../../dashboards/web/lib/chart.js';

/** @param {string} address @param {object} [over] @returns {any} */
const point = (address, over = {}) => {
  const [asset, quantity] = address.split('/');
  return { address, asset, quantity, name: { zh: quantity, en: quantity }, normal: [1, 2], key: false, states: [], kind: 'decimal', ...over };
};
/** @param {unknown} value @param {object} [over] @returns {any} */
const seen = (value, over = {}) => ({ kind: 'value', stale: false, value, ...over });

test('a point is graded by its band, its quality and its age', () => {
  const cases = /** @type {[any, any, number][]} */ ([
    [point('a/b'), seen(1), NONE], [point('a/b'), seen(2), NONE], [point('a/b'), seen(2.001), OUTSIDE], [point('a/b'), seen(0.999), OUTSIDE],
    [point('a/b'), seen(5, { stale: true }), OUTSIDE], [point('a/b'), seen(1.5, { stale: true }), STALE], [point('a/b'), seen(null, { kind: 'bad' }), BAD],
    [point('a/b'), seen(null, { kind: 'waiting' }), NONE], [point('a/b', { normal: null }), seen(99), NONE], [point('a/b'), seen(true), NONE],
  ]);
  for (const [one, what, grade] of cases) assert.equal(gradeOf(one, what), grade, JSON.stringify(what));
});

test('an alarm is worse than all that points say; without points there is only the alarm', () => {
  const alarm = /** @type {any} */ ({ priority: 3 });
  assert.equal(deviationOf(alarm, [point('a/b')], () => seen(9)), 3);
  assert.equal(deviationOf(null, [point('a/b'), point('a/c')], (one) => seen(one.quantity === 'c' ? 9 : 1)), OUTSIDE);
  assert.equal(deviationOf(alarm, [], () => seen(1)), 3);
  assert.equal(deviationOf(null, [], () => seen(1)), NONE);
});

test('a feed is in doubt when not all of its sources are in order, and lost when too few are', () => {
  const feeds = [{ medium: 'power', from: ['t1', 't2'], to: ['c'], needs: 1 }, { medium: 'water', from: ['p1', 'p2', 'p3'], to: ['c', 'd'], needs: 2 }];
  const fit = (/** @type {string[]} */ ...bad) => (/** @type {string} */ id) => !bad.includes(id);
  assert.deepEqual(doubtsOf(feeds, 'c', fit()), []);
  assert.deepEqual(doubtsOf(feeds, 'c', fit('t2')).map(({ medium, fit: count, lost }) => [medium, count, lost]), [['power', 1, false]]);
  assert.deepEqual(doubtsOf(feeds, 'c', fit('t1', 't2', 'p1')).map(({ medium, lost }) => [medium, lost]), [['power', true], ['water', false]]);
  assert.deepEqual(doubtsOf(feeds, 'd', fit('p1', 'p3')).map(({ lost }) => lost), [true]);
  assert.deepEqual(doubtsOf(feeds, 'elsewhere', fit('t1')), []);
  const { into, out } = aroundOf(feeds, 'p1');
  assert.deepEqual([into, [...out].map(([medium, ids]) => [medium, [...ids]])], [[], [['water', ['c', 'd']]]]);
});

test('a card shows key points, and what presses even if it is none', () => {
  const list = [point('a/k1', { key: true }), point('a/k2', { key: true }), point('a/x'), point('a/y')];
  assert.deepEqual(leading(list, 4).map((one) => one.quantity), ['k1', 'k2']);
  assert.deepEqual(leading(list, 1).map((one) => one.quantity), ['k1']);
  assert.deepEqual(leading(list, 2, (one) => one.quantity === 'y').map((one) => one.quantity), ['k1', 'y']);
  assert.deepEqual(leading(list.slice(2), 3).map((one) => one.quantity), ['x', 'y']);
  assert.deepEqual(leading([], 3), []);
});

test('a table has the quantities most machines have, key ones first, under the name most of them use', () => {
  const room = (/** @type {string} */ id) => [point(`${id}/temperature`, { key: true, name: { zh: '', en: 'Temperature' } }), point(`${id}/co2`), point(`${id}/humidity`)];
  const fridge = [point('f/temperature', { key: true, name: { zh: '', en: 'Cabinet temperature' } }), point('f/door')];
  const columns = columnsOf([fridge, room('r1'), room('r2')], 3);
  assert.deepEqual(columns.map((one) => one.quantity), ['temperature', 'co2', 'humidity']);
  assert.equal(columns[0]?.name.en, 'Temperature');
});

test('places of a row go round until they are given or nobody wants one', () => {
  assert.deepEqual(shares([4, 4, 4], 6), [2, 2, 2]);
  assert.deepEqual(shares([1, 4], 6), [1, 4]);
  assert.deepEqual(shares([0, 2, 3], 5), [1, 2, 2]);
  assert.deepEqual(shares([4, 4, 4], 2), [1, 1, 1]);
  assert.deepEqual(shares([], 5), []);
});

test('a tick alone is told with its own digits', () => {
  assert.equal(tickDecimals([0.31]), 2);
  assert.equal(tickDecimals([0]), 0);
  assert.equal(tickDecimals([7]), 0);
});

test('an oxygen line and its cylinders do not share an axis; what lives in like bands does, and of which nothing is known', () => {
  const of = (/** @type {any} */ normal, /** @type {any} */ range = null) => ({ normal, range });
  assert.ok(!alike(of([0.36, 0.44]), of([8, 15])) && !alike(of([8, 15]), of([0.36, 0.44])));
  assert.ok(alike(of([0.36, 0.44]), of(null, [0, 1.6])));
  assert.ok(!alike(of(null, [-100, 0]), of(null, [0, 1.6])));
  assert.ok(alike(of(null), of([8, 15])) && alike(of([0, 0]), of([8, 15])));
});
