import assert from 'node:assert/strict';
import { test } from 'node:test';
import { badSpans, nearest, runs, stateLevels, thin, tickDecimals, timeTicks, valueTicks } from '../../../dashboards/web/lib/chart.js';

/** A small seeded generator: a failure names its seed. @param {number} seed */
function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const good = (/** @type {number} */ at, /** @type {any} */ value) => ({ at, value, quality: /** @type {'good'} */ ('good'), reason: null });
const bad = (/** @type {number} */ at, reason = 'timeout') => ({ at, value: null, quality: /** @type {'bad'} */ ('bad'), reason });

test('a gap and a bad reading end a run', () => {
  const readings = [good(0, 1), good(10, 2), good(50, 3), bad(60), good(70, 4)];
  assert.deepEqual(runs(readings, 20).map((run) => run.map((point) => point.value)), [[1, 2], [3], [4]]);
});

test('thinning keeps the least and greatest of every pixel and the order of time', () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const next = random(seed);
    let at = 0;
    const run = Array.from({ length: 1 + Math.floor(next() * 400) }, () => ({ at: (at += 1 + Math.floor(next() * 50)), value: Math.floor(next() * 1000) }));
    const perPixel = 1 + next() * 300;
    const kept = thin(run, 0, perPixel);
    const pixels = new Map();
    for (const point of run) {
      const pixel = Math.floor(point.at / perPixel);
      const seen = pixels.get(pixel) ?? { least: Infinity, greatest: -Infinity };
      pixels.set(pixel, { least: Math.min(seen.least, point.value), greatest: Math.max(seen.greatest, point.value) });
    }
    for (const [pixel, { least, greatest }] of pixels) {
      const values = kept.filter((point) => Math.floor(point.at / perPixel) === pixel).map((point) => point.value);
      assert.ok(values.includes(least) && values.includes(greatest), `seed ${seed}: a spike is lost`);
      assert.ok(values.length <= 4, `seed ${seed}: more than four points in a pixel`);
    }
    assert.ok(kept.every((point, i) => i === 0 || point.at >= (kept[i - 1]?.at ?? 0)), `seed ${seed}: out of order`);
  }
});

test('bad spans reach to the next reading, never further than the gap', () => {
  assert.deepEqual(badSpans([good(0, 1), bad(10), bad(20), good(30, 1), bad(40, 'decoding')], 15), [
    { from: 10, to: 30, reason: 'timeout' }, { from: 40, to: 55, reason: 'decoding' },
  ]);
});

test('value ticks are round and inside; decimals tell them apart', () => {
  assert.deepEqual(valueTicks(0, 5800, 4), [0, 2000, 4000]);
  const ticks = valueTicks(6.9, 7.4, 5);
  assert.deepEqual(ticks.map((tick) => tick.toFixed(tickDecimals(ticks))), ['6.9', '7.0', '7.1', '7.2', '7.3', '7.4']);
  assert.equal(tickDecimals([0, 0.25, 0.5]), 2);
});

test('time ticks stand at round civil times of a zone with half an hour', () => {
  const offset = 5.5 * 3_600_000;
  for (const at of timeTicks(1_795_000_000_000, 1_795_000_000_000 + 3_600_000, 6, offset)) {
    assert.equal((at + offset) % 600_000, 0);
  }
});

test('the nearest reading is found at the ends, between and in nothing', () => {
  const list = [good(10, 1), good(20, 2), good(40, 3)];
  assert.deepEqual([0, 14, 16, 29, 31, 99].map((at) => nearest(list, at)), [0, 0, 1, 1, 2, 2]);
  assert.equal(nearest([], 5), -1);
});

test('levels of states: all of few, what occurs of many, the unnamed too', () => {
  const named = (/** @type {number} */ count) => Array.from({ length: count }, (_, i) => ({ value: i * 10, name: { zh: '', en: `s${i}` } }));
  assert.deepEqual(stateLevels(named(3), [good(0, 7), bad(1), good(2, true)]), [0, 1, 7, 10, 20]);
  assert.deepEqual(stateLevels(named(30), [good(0, 20), good(1, 255), good(2, 20)]), [20, 255]);
  assert.equal(stateLevels(named(30), [bad(0)]).length, 8);
});
