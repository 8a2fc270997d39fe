import assert from 'node:assert/strict';
import { test } from 'node:test';
import { busWord, deviceWord, inTrouble } from '../../../dashboards/web/lib/buses.js';

const NOW = 1_000_000;
/** @param {string} id @param {Partial<import('../../../dashboards/web/lib/types').Device>} [over] */
const device = (id, over) => ({
  id, unit: 1, assets: [], points: 1, interval_ms: 1_000, last_good_at: NOW, consecutive_failures: 0, demoted: false, ...over,
});
/** @param {string} id @param {ReturnType<typeof device>[]} devices @param {object} [over] */
const bus = (id, devices, over) => ({ id, link: 'tcp://h:502', running: true, connected: true, devices, ...over });

test('the worst that is known of a device is its word', () => {
  const line = bus('b', []);
  const word = (/** @type {object} */ over, on = line) => deviceWord(device('d', over), on, NOW);
  assert.equal(word({}), 'good');
  assert.equal(word({ last_good_at: null }), 'waiting');
  assert.equal(word({ last_good_at: NOW - 15_000 }), 'good');
  assert.equal(word({ last_good_at: NOW - 15_001 }), 'late');
  assert.equal(word({ last_good_at: NOW - 179_000, interval_ms: 60_000 }), 'good');
  assert.equal(word({ consecutive_failures: 1 }), 'failing');
  assert.equal(word({ consecutive_failures: 9, demoted: true, last_good_at: null }), 'silent');
  assert.equal(word({}, bus('b', [], { connected: false })), 'cut');
  assert.equal(word({}, bus('b', [], { running: false })), 'cut');
});

test('a driver that is being made anew is told from a line that does not stand', () => {
  assert.deepEqual([{}, { connected: false }, { running: false, connected: false }].map((over) => busWord(bus('b', [], over))), ['good', 'cut', 'turn']);
});

test('the troubled stand first, and what is alike keeps the order of the configuration', () => {
  const silent = device('silent', { demoted: true });
  const buses = [
    bus('well', [device('a'), device('b')]), bus('empty', []), bus('one-silent', [device('c'), silent, device('d')]),
    bus('cut', [device('e'), device('f')], { connected: false }), bus('failing', [device('g', { consecutive_failures: 2 })]),
  ];
  const rows = inTrouble(buses, NOW);
  assert.deepEqual(rows.map((row) => row.bus.id), ['cut', 'one-silent', 'failing', 'well', 'empty']);
  assert.deepEqual(rows.map((row) => row.good), [0, 2, 0, 2, 0]);
  assert.deepEqual(rows[1]?.devices.map((row) => row.device.id), ['silent', 'c', 'd']);
  assert.deepEqual(rows[0]?.devices.map((row) => row.device.id), ['e', 'f']);
});
