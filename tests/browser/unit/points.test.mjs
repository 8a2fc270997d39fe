import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blocks, choicesOf, found, qualitiesOf, rowOf } from '../../../dashboards/web/lib/points.js';
import { fakePlan } from '../fake-plant.mjs';

const PLAN = fakePlan(400);
const assets = new Map(PLAN.assets.map((asset) => [asset.id, asset]));
/** @param {string} id */
const pathOf = (id) => {
  const path = [];
  for (let at = assets.get(id); at; at = assets.get(at.parent)) path.unshift(at);
  return path;
};
const ROWS = PLAN.points.map((point) => rowOf(/** @type {any} */ (point), pathOf(point.asset), (system) => (system === 'hvac' ? '暖通空调' : system)));
const NONE = { search: '', system: '', asset: '', unit: '', quality: '' };

test('nothing asked: the same list, not a copy', () => {
  assert.equal(found(ROWS, NONE, null), ROWS);
});

test('every word counts, wherever it stands and in any case: name, address, place, system', () => {
  const search = (/** @type {string} */ text) => found(ROWS, { ...NONE, search: text }, null);
  assert.equal(search('MACHINE-00003/power_05')[0]?.point.address, 'machine-00003/power_05');
  assert.ok(search('3号机组 有功').every(({ point }) => point.quantity.startsWith('power')));
  assert.ok(search('floor 2 pressure').length > 0);
  assert.ok(search('暖通').every(({ system }) => system === 'hvac') && search('暖通').length > 0);
  assert.equal(search('no such thing').length, 0);
});

test('filters meet: system, place with what is in it, unit, quality', () => {
  const only = (/** @type {object} */ over, qualities = null) => found(ROWS, { ...NONE, ...over }, qualities);
  assert.ok(only({ system: 'hvac' }).every((row) => row.system === 'hvac'));
  const floor = only({ asset: 'floor-1' });
  assert.ok(floor.length > 0 && floor.every((row) => row.path.includes('floor-1')));
  assert.ok(only({ asset: 'machine-00002' }).every(({ point }) => point.asset === 'machine-00002'));
  assert.ok(only({ unit: '1' }).every(({ point }) => point.symbol === ''), 'the unit of what has none');
  assert.equal(only({ unit: 'kW', system: 'hvac' }).length, only({ system: 'hvac' }).filter(({ point }) => point.symbol === 'kW').length);
  const address = ROWS[7]?.point.address ?? '';
  assert.deepEqual(only({ quality: 'bad' }, /** @type {any} */ (new Map([[address, 'bad']]))).map(({ point }) => point.address), [address]);
  assert.equal(only({ quality: 'waiting' }, /** @type {any} */ (new Map([[address, 'good']]))).length, ROWS.length - 1, 'no value is waiting');
  assert.equal(only({ quality: 'bad' }, null).length, ROWS.length, 'unknown qualities take nothing away');
});

test('units come with the most common first', () => {
  const { systems, units } = choicesOf(ROWS);
  assert.equal(units.length, 4);
  assert.ok(systems.includes('hvac'));
});

test('a good value that has grown old is uncertain, as its cell shows it', () => {
  const value = (/** @type {string} */ point, /** @type {object} */ over) => /** @type {any} */ ({ point, at: 1_000, received_at: 1_000, at_error_ms: 0, value: 1, quality: 'good', reason: null, ...over });
  const stale = new Map([['a/x', 5_000], ['a/y', 500]]);
  const seen = qualitiesOf([value('a/x', {}), value('a/y', {}), value('a/z', { quality: 'bad', value: null, reason: 'timeout' })], stale, 2_000);
  assert.deepEqual([...seen], [['a/x', 'good'], ['a/y', 'uncertain'], ['a/z', 'bad']]);
});

test('a block that stays is not asked for again, and what left is let go', () => {
  /** @type {string[]} */
  const log = [];
  const list = blocks((addresses) => {
    log.push(`+${addresses[0]}`);
    return () => log.push(`-${addresses[0]}`);
  }, 32);
  const first = (/** @type {number} */ block) => ROWS[block * 32]?.point.address;
  list.show(ROWS, 0, 40);
  list.show(ROWS, 8, 50);
  assert.deepEqual(log.splice(0), [`+${first(0)}`, `+${first(1)}`]);
  list.show(ROWS, 40, 70);
  assert.deepEqual(log.splice(0), [`+${first(2)}`, `-${first(0)}`]);
  list.show([], 0, 0);
  assert.deepEqual(log.splice(0).sort(), [`-${first(1)}`, `-${first(2)}`].sort());
  list.show(ROWS, 0, 10);
  list.stop();
  assert.deepEqual(log, [`+${first(0)}`, `-${first(0)}`]);
});
