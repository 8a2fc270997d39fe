import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lang, zone } from '../../../dashboards/web/lib/i18n.js';
import {
  askedOf, chartsOf, civilTicks, columnsFor, csvOf, expected, fieldOf, follow, forget, isoOf, levelsOf, lone, momentOf, POINTS_MAX, rowsOf, shiftedBack, tickWords,
  traceOf, trendHref, valueAt, zoomed,
} from '../../../dashboards/web/lib/trend.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** A small seeded generator: a failure names its seed. @param {number} seed */
function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const point = (/** @type {string} */ address, over = {}) => /** @type {any} */ ({ address, name: { zh: address, en: address }, unit: 'kW', symbol: 'kW', decimals: 1, kind: 'float', stale_after_ms: 30, hold_ms: 30, states: [], ...over });
const track = (/** @type {any} */ over) => ({ point: 'a/b', at: [], last: [], min: [], max: [], mean: [], count: [], quality: [], reason: [], truncated: null, ...over });
const held = (/** @type {any} */ one, over = {}) => /** @type {any} */ ({ from: 0, to: 100, raw: true, width: 0, tracks: new Map([[one.point, one]]), ...over });

test('the address holds the whole state, and nonsense in it is left out', () => {
  for (const text of ['points=a/b,c/d&from=1000&to=2000&over=1d,1y&hide=c/d', 'points=a/b&span=30d', 'points=a/b']) {
    assert.equal(trendHref(askedOf(new URLSearchParams(text))), `/trend?${text}`);
  }
  assert.equal(trendHref(askedOf(new URLSearchParams(''))), '/trend');
  const odd = askedOf(new URLSearchParams('points=a/b,a/b,x,/,c/d/e&from=9&to=3&span=9h&over=2d,7d&hide=q/r'));
  assert.deepEqual([odd.points, odd.fixed, odd.preset.name, odd.over, odd.hidden], [['a/b'], null, '24h', ['7d'], []]);
  const many = Array.from({ length: 30 }, (_, i) => `a/p${i}`).join();
  assert.equal(askedOf(new URLSearchParams(`points=${many}`)).points.length, POINTS_MAX);
});

test('calendar fields are civil time of the site, also around a change of the clocks', () => {
  zone.value = 'Asia/Shanghai';
  assert.equal(momentOf('2026-11-22T08:00'), Date.UTC(2026, 10, 22));
  assert.equal(fieldOf(Date.UTC(2026, 10, 22)), '2026-11-22T08:00');
  zone.value = 'America/New_York'; // clocks forward on 2026-03-08, back on 2026-11-01
  for (const text of ['2026-03-07T23:30', '2026-03-08T01:59', '2026-03-08T03:00', '2026-11-01T00:30', '2026-11-01T03:00']) {
    assert.equal(fieldOf(momentOf(text) ?? 0), text);
  }
  assert.equal(momentOf('2026-13'), null);
  assert.equal(isoOf((momentOf('2026-11-01T03:00') ?? 0) + 5), '2026-11-01T03:00:00.005-05:00');
});

test('an overlay is the same civil time of the day, week or year before', () => {
  zone.value = 'America/New_York';
  const at = momentOf('2026-03-08T12:00') ?? 0;
  assert.equal(fieldOf(shiftedBack(at, '1d')), '2026-03-07T12:00');
  assert.equal(at - shiftedBack(at, '1d'), 23 * HOUR);
  assert.equal(fieldOf(shiftedBack(at, '7d')), '2026-03-01T12:00');
  assert.equal(fieldOf(shiftedBack(at + 123, '1y')), '2025-03-08T12:00');
  assert.equal(shiftedBack(at + 123, '1y') % 1000, 123);
});

test('time ticks stand at round civil times from seconds to months', () => {
  zone.value = 'Asia/Kolkata';
  const from = Date.UTC(2026, 0, 5, 3, 7, 9);
  for (const span of [20_000, 60_000, HOUR, DAY, 7 * DAY, 30 * DAY, 365 * DAY, 3 * 365 * DAY]) {
    for (const count of [3, 8, 15]) {
      const { ticks, step } = civilTicks(from, from + span, count);
      assert.ok(ticks.length <= count + 1 && ticks.length >= 1, `${span} in ${count}: ${ticks.length}`);
      assert.ok(ticks.every((at) => at >= from && at <= from + span));
      if (step >= DAY) assert.ok(ticks.every((at) => isoOf(at).includes('T00:00:00+')), isoOf(ticks[0] ?? 0));
      assert.ok(ticks.every((at) => !/undefined|NaN/.test(tickWords(at, step))));
    }
  }
  assert.equal(tickWords(momentOf('2026-05-01T00:00') ?? 0, 60 * DAY), '2026-05');
});

test('zooming keeps the moment under the hand where it is, within limits', () => {
  const near = zoomed({ from: 0, to: HOUR }, 0.5, HOUR / 4);
  assert.deepEqual(near, { from: HOUR / 8, to: HOUR * 5 / 8 });
  const least = zoomed({ from: 0, to: 20_000 }, 0.0001, 10_000);
  assert.equal(least.to - least.from, 10_000);
});

test('charts: an axis for each unit, two axes at most, eight lines at most, states below on their own', () => {
  const of = (/** @type {string} */ symbol, /** @type {number} */ n) => Array.from({ length: n }, (_, i) => point(`${symbol}/p${i}`, { symbol }));
  const charts = chartsOf([...of('kW', 2), ...of('V', 1), point('m/s', { states: [{ value: 0, name: { zh: '', en: 'Off' } }] }), ...of('A', 9), point('m/t', { kind: 'text' }), point('m/r', { kind: 'bool', symbol: '' })]);
  assert.deepEqual(charts.map(({ units, points, stepped }) => [units.join(), points.length, stepped]), [['kW,V', 3, false], ['A', 8, false], ['A', 1, false], ['', 1, true], ['', 1, true]]);
});

test('charts: points of a unit that may not share an axis stand in charts of their own, in their order', () => {
  const points = ['line', 'left', 'zone', 'right'].map((name) => point(`gas/${name}`, { symbol: 'MPa' }));
  const charts = chartsOf(points, (one, other) => /left|right/.test(one.address) === /left|right/.test(other.address));
  assert.deepEqual(charts.map(({ key, units }) => [key, units.join()]), [['gas/line,gas/zone', 'MPa'], ['gas/left,gas/right', 'MPa']]);
});

test('raw is asked for where a pixel has few readings: guessed at first, counted where held', () => {
  const one = point('a/b', { stale_after_ms: 3_000, hold_ms: 3_000 });
  assert.equal(expected([one], { from: 0, to: HOUR }, null), 3_600);
  assert.equal(columnsFor(3_600, 1_000), 1_000);
  assert.equal(columnsFor(1_999, 1_000), null);
  const columns = held(track({ at: [0, 10, 20, 30], count: [5, 7, null, 1] }), { raw: false, width: 10, to: 40 });
  assert.equal(expected([one], { from: 10, to: 30 }, columns), 7);
});

test('raw: a bad reading and a silence end the line, and nothing else does', () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const next = random(seed);
    let at = 0;
    const own = track({});
    for (let i = 0; i < 100; i += 1) {
      at += 1 + Math.floor(next() * 45);
      own.at.push(at);
      const bad = next() < 0.1;
      own.last.push(bad ? null : Math.floor(next() * 9));
      own.quality.push(bad ? 'bad' : 'good');
    }
    const trace = traceOf(held(own), point('a/b'), 0);
    assert.ok(trace);
    // A naive look: between two neighbouring readings the line is whole if both are good and near.
    for (let i = 1; i < own.at.length; i += 1) {
      const [before, after] = [own.at[i - 1], own.at[i]];
      const between = trace.at.map((when, n) => ({ when, value: trace.line[n] })).filter(({ when }) => when >= before && when <= after);
      const whole = between.every(({ value }) => typeof value === 'number');
      assert.equal(whole, after - before <= 30 && own.last[i - 1] !== null && own.last[i] !== null, `seed ${seed}, reading ${i}`);
    }
    assert.ok(trace.at.every((when, i) => i === 0 || when >= (trace.at[i - 1] ?? 0)), `seed ${seed}: out of order`);
    const doubtful = own.quality.filter((/** @type {string} */ one) => one === 'bad').length;
    assert.ok(trace.marks.length <= doubtful && (doubtful === 0 || trace.marks.length > 0));
  }
});

test('columns: empty ones of a slow point are no gap, a silence or a bad column is', () => {
  const values = [1, null, 2, null, null, null, null, 3, null, 4];
  const quality = values.map((value, i) => (i === 8 ? 'bad' : value === null ? null : 'good'));
  const own = track({ at: values.map((_, i) => i * 10), mean: values, min: values, max: values, last: values, count: values, quality });
  const trace = traceOf(held(own, { raw: false, width: 10 }), point('a/b', { stale_after_ms: 30 }), 5);
  assert.deepEqual(trace?.line, [1, undefined, 2, null, null, null, null, 3, null, 4]);
  assert.deepEqual(trace?.at.slice(0, 2), [10, 20]);
  assert.deepEqual(trace?.marks, [{ from: 85, to: 95, quality: 'bad' }]);
  assert.deepEqual(lone(trace?.line ?? []), [7, 9]);
});

test('a spike of one reading is in its column, whatever the width', () => {
  const own = track({ at: [0, 10], mean: [5, 5], min: [5, 5], max: [5, 99], last: [5, 5], count: [600, 600], quality: ['good', 'good'] });
  assert.equal(Math.max(...(traceOf(held(own, { raw: false, width: 10 }), point('a/b'), 0)?.max ?? []).map(Number)), 99);
});

test('the value under the cursor is the nearest, the one that holds for states, and none in a gap', () => {
  const own = held(track({ at: [0, 10, 50], last: [1, 2, 3], quality: ['good', 'good', 'bad'], reason: [null, null, 'timeout'] }));
  const at = (/** @type {number} */ when, over = {}) => valueAt(own, point('a/b', over), when, 8)?.value ?? null;
  assert.deepEqual([at(1), at(6), at(14), at(30), at(49)], [1, 2, 2, null, 3]);
  assert.equal(at(8, { kind: 'bool' }), 1);
  assert.equal(valueAt(own, point('a/b'), 49, 8)?.reason, 'timeout');
  assert.equal(valueAt(own, point('x/y'), 5, 8), null);
});

test('live values join the end once each; columns fold them; what is left of the window goes', () => {
  const raw = held(track({ at: [10], last: [1], quality: ['good'], reason: [null] }));
  assert.equal(follow(raw, 'a/b', { v: 2, q: 0, r: null, at: 10 }), false);
  assert.equal(follow(raw, 'a/b', { v: true, q: 1, r: 'clock', at: 20 }), true);
  assert.deepEqual(raw.tracks.get('a/b').last, [1, 1]);
  const columns = held(track({ at: [0, 50], last: [1, 2], min: [1, 2], max: [1, 2], mean: [1, 2], count: [1, 1], quality: ['good', 'good'] }), { raw: false, width: 50 });
  assert.equal(follow(columns, 'a/b', { v: 9, q: 0, r: null, at: 90 }), false); // the answer has it
  for (const [at, v] of [[100, 4], [120, 6], [120, 6]]) follow(columns, 'a/b', { v: /** @type {number} */ (v), q: 0, r: null, at: /** @type {number} */ (at) });
  follow(columns, 'a/b', { v: null, q: 2, r: 'timeout', at: 130 });
  const own = columns.tracks.get('a/b');
  assert.deepEqual([own.at, own.min, own.max, own.mean, own.count, own.quality], [[0, 50, 100], [1, 2, 4], [1, 2, 6], [1, 2, 5], [1, 1, 2], ['good', 'good', 'bad']]);
  const long = held(track({ at: Array.from({ length: 500 }, (_, i) => i), last: new Array(500).fill(1), quality: new Array(500).fill('good') }));
  forget(long, 300);
  assert.equal(long.tracks.get('a/b').at[0], 300);
});

test('levels of states are those named and those that occur', () => {
  const own = held(track({ at: [0], last: [7], quality: ['good'] }));
  assert.deepEqual(levelsOf(point('a/b', { states: [{ value: 0, name: { zh: '', en: '' } }] }), own), [0, 7]);
  assert.deepEqual(levelsOf(point('a/b', { kind: 'bool' }), null), [0, 1]);
});

test('the CSV has a row for each moment in view, site time with offset, empty where nothing is', () => {
  zone.value = 'Asia/Shanghai';
  lang.value = 'en';
  const words = { time: 'Time', quality: 'Quality', mean: 'Mean', min: 'Min', max: 'Max', last: 'Last' };
  const a = { name: 'Power, "main"', point: point('a/b'), held: held(track({ at: [0, 10, 200], last: [1.5, null, 9], quality: ['good', 'bad', 'good'] })), by: 0 };
  const b = { name: 'Old', point: point('c/d', { symbol: '' }), held: held(track({ point: 'c/d', at: [-90], last: [4], quality: ['good'] })), by: 100 };
  assert.deepEqual(rowsOf([a, b], { from: 0, to: 100 }).map(({ at, cells }) => [at, ...cells]), [[0, 0, -1], [10, 1, 0]]);
  assert.equal(csvOf([a, b], words, { from: -1, to: 100 }).split('\r\n').join('\n'),
    'Time,"Power, ""main"" (kW)","Power, ""main"" Quality",Old,Old Quality\n1970-01-01T08:00:00+08:00,1.5,good,,\n1970-01-01T08:00:00.010+08:00,,bad,4,good');
});
