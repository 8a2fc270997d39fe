import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bulletEnds, sideOf } from '../../../dashboards/web/parts/bullet.js';
import { sparkPaths, stepsOf } from '../../../dashboards/web/parts/sparkline.js';
import { windowOf } from '../../../dashboards/web/parts/virtual.js';

test('a bar spans the normal band and half of it on each side, within the instrument', () => {
  assert.deepEqual(bulletEnds([20, 24], null), [18, 26]);
  assert.deepEqual(bulletEnds([20, 24], [0, 25]), [18, 25]);
  assert.deepEqual(bulletEnds([0, 800], null), [0, 1200], 'what cannot be negative has no room below nothing');
  assert.deepEqual(bulletEnds([-18, -15], null), [-19.5, -13.5]);
  assert.deepEqual(bulletEnds([0, 800], [0, 500]), [0, 800], 'a band past the range is shown whole');
  assert.deepEqual(bulletEnds(null, [0, 10]), [0, 10]);
  assert.deepEqual(bulletEnds([5, 5], null), [2.5, 7.5], 'a band of one value');
});

test('without a band and without a range there is no bar', () => {
  for (const [normal, range] of [[null, null], [undefined, undefined], [null, [3, 3]]]) {
    assert.equal(bulletEnds(/** @type {any} */ (normal), /** @type {any} */ (range)), null);
  }
});

test('the ends of a band are normal; a text or nothing has no side', () => {
  assert.deepEqual([19.9, 20, 24, 24.1].map((value) => sideOf(value, [20, 24])), ['below', 'within', 'within', 'above']);
  assert.deepEqual(['on', null, true].map((value) => sideOf(value, [20, 24])), [null, null, null]);
  assert.equal(sideOf(1, null), null);
});

test('a gap interrupts line and band, and a lone step is still seen', () => {
  const paths = sparkPaths([1, 2, null, 3, null, [0, 2, 4], [1, 2, 3]], null) ?? assert.fail();
  assert.equal(paths.line.split('M').length - 1, 3);
  assert.equal(paths.band.split('Z').length - 1, 3);
  assert.match(paths.line, /M3 [\d.]+L4 /, 'a lone step is as long as a step');
});

test('a spike in a column reaches the edge of the picture: it is not averaged away', () => {
  const columns = { min: [1, 1, 1], mean: [1, 1.01, 1], max: [1, 9, 1] };
  const paths = sparkPaths(stepsOf(columns), null) ?? assert.fail();
  assert.ok(paths.band.includes('1 2.0L2 2.0'), paths.band);
});

test('a flat line lies where its value is within the normal band; nothing known is no picture', () => {
  const paths = sparkPaths([5, 5], [0, 10]) ?? assert.fail();
  assert.match(paths.line, / 12\.0/);
  assert.deepEqual(paths.normal, { y: 2, height: 20 });
  assert.equal(sparkPaths([null, null], [0, 10]), null);
  assert.equal(sparkPaths([], null), null);
  assert.match((sparkPaths([7, 7], null) ?? assert.fail()).line, / 12\.0/, 'no division by nothing');
});

test('figures of columns become steps; a column without a mean is a gap', () => {
  assert.deepEqual(stepsOf({ min: [1, null], mean: [2, null], max: [3, null] }), [[1, 2, 3], null]);
});

test('the rows mounted hold the rows seen, and are few', () => {
  const height = 36;
  for (const count of [0, 1, 7, 100, 50_000]) {
    for (let top = -400; top < count * height + 900; top += Math.max(97, (count * height) / 300)) {
      const { from, to } = windowOf(count, height, top, 700);
      assert.ok(from >= 0 && from <= to && to <= count, `${count} ${top}: ${from} ${to}`);
      assert.ok(to - from <= 700 / height + 40, `${to - from} rows are mounted`);
      const first = Math.max(0, Math.floor(top / height));
      const last = Math.min(count, Math.ceil((top + 700) / height));
      if (first < last) assert.ok(from <= first && to >= last, `${count} ${top}: ${from} to ${to} misses ${first} to ${last}`);
    }
  }
});
