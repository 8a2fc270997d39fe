import assert from 'node:assert/strict';
import { test } from 'node:test';
import { amount, devicesInTrouble, loadOf, span, targetsInTrouble, troubles } from '../../../dashboards/web/lib/status.js';
import { stagedStatus } from '../parts.mjs';

const NOW = 1_000_000_000;

test('a gateway in order has no trouble, whatever it counts', () => {
  const well = stagedStatus(NOW, true);
  assert.deepEqual(troubles(well), []);
});

test('what is wrong: parts that cannot work first, then lost data, devices by the worst state, targets, the clock', () => {
  const found = troubles(stagedStatus(NOW, false)).map((one) => ('state' in one ? `${one.what} ${one.state} ${one.names.join()} ${one.more}` : 'row' in one ? `${one.what} ${one.row.target}` : one.what));
  assert.deepEqual(found, ['part', 'lost', 'devices disconnected pump-1 0', 'devices stopped saw 0', 'devices silent riser-silent-long-name-of-a-meter 0', 'devices failing riser-failing 0', 'devices late riser-late 0', 'devices waiting riser-new 0', 'target lake', 'target influx', 'behind mirror', 'clock']);
});

test('a whole line of devices in trouble is one sentence with five names', () => {
  const reply = stagedStatus(NOW, true);
  const [device] = reply.devices;
  assert.ok(device);
  reply.devices = Array.from({ length: 40 }, (_, i) => ({ ...device, device: `d${i}`, state: 'silent' }));
  assert.deepEqual(troubles(reply), [{ what: 'devices', state: 'silent', names: ['d0', 'd1', 'd2', 'd3', 'd4'], more: 35 }]);
});

test('rows stand still but for trouble', () => {
  const devices = devicesInTrouble(stagedStatus(NOW, false).devices);
  assert.deepEqual(devices.map(({ state }) => state), ['disconnected', 'stopped', 'silent', 'failing', 'late', 'waiting', 'good', 'good', 'good']);
  assert.deepEqual(devices.filter(({ state }) => state === 'good').map(({ device, bus }) => device ?? bus), ['chiller-plc', 'meter-7', 'lora']);
  assert.deepEqual(targetsInTrouble(stagedStatus(NOW, false).forward).map(({ target }) => target), ['lake', 'influx', 'mirror', 'metrics']);
});

test('the load of a poll is its p95 of the period', () => {
  const [device] = stagedStatus(NOW, true).devices;
  assert.ok(device);
  assert.equal(loadOf({ ...device, poll_p95_ms: 1_500, interval_ms: 1_000 }), 1.5);
  assert.equal(loadOf({ ...device, poll_p95_ms: null }), null);
});

test('amounts of data and of time have few digits', () => {
  const text = (/** @type {{ value: number, decimals: number, unit: string }} */ { value, decimals, unit }) => `${value.toFixed(decimals)} ${unit}`;
  assert.deepEqual([0, 999, 1_000, 123_456, 45_600_000, 7.2e9, 3e15].map((bytes) => text(amount(bytes))), ['0 B', '999 B', '1.0 kB', '123 kB', '45.6 MB', '7.2 GB', '3000 TB']);
  assert.deepEqual([0, 340, 999, 1_000, 1_240, 9_940, 15_000, 59_400].map((ms) => text(span(ms))), ['0 ms', '340 ms', '999 ms', '1 s', '1.2 s', '9.9 s', '15 s', '59 s']);
});
