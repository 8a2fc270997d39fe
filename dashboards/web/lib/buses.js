// What to think of a bus and of a device on it. Pure: what the API says in, a word out.

/** @typedef {import('./types').Bus} Bus */
/** @typedef {import('./types').Device} Device */

/** From good to bad; an alarm's priority is another matter. */
const DEVICE_WORDS = /** @type {const} */ (['good', 'waiting', 'late', 'failing', 'silent', 'cut']);
const BUS_WORDS = /** @type {const} */ (['good', 'turn', 'cut']);

/** @typedef {typeof DEVICE_WORDS[number]} DeviceWord */
/** @typedef {typeof BUS_WORDS[number]} BusWord */

/** A value is late after so many intervals, but never before so many milliseconds: the rule of every value. */
const LATE_INTERVALS = 3;
const LATE_MIN_MS = 15_000;

/** @param {Bus} bus @returns {BusWord} */
export function busWord(bus) {
  if (!bus.running) return 'turn';
  return bus.connected ? 'good' : 'cut';
}

/**
 * Without a connection nothing is known of a device, whatever it did before.
 * @param {Device} device
 * @param {Bus} bus
 * @param {number} now server time
 * @returns {DeviceWord}
 */
export function deviceWord(device, bus, now) {
  if (busWord(bus) !== 'good') return 'cut';
  if (device.demoted) return 'silent';
  if (device.consecutive_failures > 0) return 'failing';
  if (device.last_good_at === null) return 'waiting';
  const late = Math.max(LATE_INTERVALS * device.interval_ms, LATE_MIN_MS);
  return now - device.last_good_at > late ? 'late' : 'good';
}

/**
 * Buses and their devices with what to think of them, the troubled first; the order of the
 * configuration otherwise, so that rows stand still while all is well.
 * @param {Bus[]} buses
 * @param {number} now server time
 */
export function inTrouble(buses, now) {
  const rows = buses.map((bus) => {
    const devices = bus.devices.map((device) => ({ device, word: deviceWord(device, bus, now) }));
    devices.sort((a, b) => DEVICE_WORDS.indexOf(b.word) - DEVICE_WORDS.indexOf(a.word));
    return { bus, word: busWord(bus), devices, good: devices.filter(({ word }) => word === 'good').length };
  });
  const worst = (/** @type {typeof rows[number]} */ row) =>
    BUS_WORDS.indexOf(row.word) * DEVICE_WORDS.length + (row.devices[0] ? DEVICE_WORDS.indexOf(row.devices[0].word) : 0);
  return rows.sort((a, b) => worst(b) - worst(a));
}
