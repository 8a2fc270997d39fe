// What to think of the gateway: which of its parts is in trouble, and how to say how much. Pure.

/** @typedef {'good' | 'waiting' | 'late' | 'failing' | 'silent' | 'disconnected' | 'stopped'} DeviceState */
/** @typedef {'good' | 'waiting' | 'held' | 'stopped'} TargetState */
/**
 * @typedef {object} DeviceRow
 * @property {'modbus' | 'mqtt'} protocol
 * @property {string} bus
 * @property {string | null} device none: a broker
 * @property {DeviceState} state
 * @property {number} points
 * @property {number | null} interval_ms
 * @property {number | null} poll_p50_ms
 * @property {number | null} poll_p95_ms
 * @property {number | null} latency_ms
 * @property {number | null} timeouts
 * @property {number | null} consecutive_failures
 * @property {number | null} last_good_at
 * @property {number | null} messages
 * @property {{ good: number, uncertain: number, bad: number }} quality
 */
/**
 * @typedef {object} TargetRow
 * @property {string} target
 * @property {string} host
 * @property {TargetState} state
 * @property {string | null} reason in the server's English
 * @property {number} backlog
 * @property {number} oldest_ms
 * @property {number | null} drain_ms
 * @property {number} lines_sent
 * @property {number} lines_rejected
 * @property {number | null} last_success_at
 */
/**
 * @typedef {object} StatusReply
 * @property {number} now
 * @property {number} uptime_ms
 * @property {string} version
 * @property {string} build
 * @property {{ cpu_share: number | null, rss_bytes: number | null }} process
 * @property {{ zone: string, moved_ms: number, steps: number }} clock
 * @property {{ part: string, ok: boolean, detail: string | null }[]} parts
 * @property {DeviceRow[]} devices
 * @property {{ made: number, bad: number, late: number, duplicates: number, lost: number, spool: number }} readings
 * @property {{ committed: number, sealed_up_to: number, readings: number, disk_bytes: number, lost: number, damaged: number, shed_bytes: number | null }} historian
 * @property {TargetRow[]} forward
 */
/**
 * One thing that is wrong. What it says is put together where the words are.
 * @typedef {{ what: 'part', part: string, why: string }
 *   | { what: 'devices', state: DeviceState, names: string[], more: number }
 *   | { what: 'target' | 'behind', row: TargetRow }
 *   | { what: 'lost' | 'damaged' | 'spool', n: number }
 *   | { what: 'clock', ms: number }} Trouble
 */

/** From good to bad; an alarm's priority is another matter. @type {DeviceState[]} */
const DEVICE_STATES = ['good', 'waiting', 'late', 'failing', 'silent', 'stopped', 'disconnected'];
/** @type {TargetState[]} */
const TARGET_STATES = ['good', 'waiting', 'stopped', 'held'];

/** So many of the devices of a state are named; the rest is counted. */
const NAMED_MAX = 5;
/** Batches that wait for the history for a moment are its ordinary way of working; so many are not. */
const SPOOL_MANY = 64;
/** A backlog younger than this is what a target takes in one go. Milliseconds. */
const BEHIND_MS = 60_000;
/** Slewing moves a clock by less than this; more was a hand or a lost time server. Milliseconds. */
const MOVED_MS = 2_000;

/** The troubled first, otherwise in the order of the configuration. @param {DeviceRow[]} devices */
export function devicesInTrouble(devices) {
  return [...devices].sort((a, b) => DEVICE_STATES.indexOf(b.state) - DEVICE_STATES.indexOf(a.state));
}

/** @param {TargetRow[]} targets */
export function targetsInTrouble(targets) {
  return [...targets].sort((a, b) => TARGET_STATES.indexOf(b.state) - TARGET_STATES.indexOf(a.state));
}

/** All that is wrong, the worst first. @param {StatusReply} reply @returns {Trouble[]} */
export function troubles(reply) {
  const { parts, readings, historian, clock } = reply;
  /** @type {Trouble[]} */
  const found = parts.filter((part) => !part.ok).map(({ part, detail }) => ({ what: 'part', part, why: detail ?? '' }));
  const lost = readings.lost + historian.lost;
  if (lost > 0) found.push({ what: 'lost', n: lost });
  if (historian.damaged > 0) found.push({ what: 'damaged', n: historian.damaged });
  for (const state of [...DEVICE_STATES].reverse()) {
    const names = reply.devices.filter((row) => row.state === state).map(({ device, bus }) => device ?? bus);
    if (names.length > 0 && state !== 'good') found.push({ what: 'devices', state, names: names.slice(0, NAMED_MAX), more: Math.max(0, names.length - NAMED_MAX) });
  }
  for (const row of targetsInTrouble(reply.forward)) {
    if (row.state !== 'good') found.push({ what: 'target', row });
    else if (row.drain_ms === null && row.oldest_ms > BEHIND_MS) found.push({ what: 'behind', row });
  }
  if (readings.spool >= SPOOL_MANY) found.push({ what: 'spool', n: readings.spool });
  if (Math.abs(clock.moved_ms) > MOVED_MS) found.push({ what: 'clock', ms: Math.abs(clock.moved_ms) });
  return found;
}

/**
 * How long a poll takes of its period, as a share; null where that is not known.
 * @param {DeviceRow} row
 */
export function loadOf({ poll_p95_ms: p95, interval_ms: interval }) {
  return p95 === null || interval === null || interval === 0 ? null : p95 / interval;
}

const STEPS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** An amount of data in steps of a thousand. @param {number} bytes @returns {{ value: number, decimals: number, unit: string }} */
export function amount(bytes) {
  const step = Math.min(STEPS.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  const value = bytes / 1000 ** step;
  return { value, decimals: step === 0 || value >= 100 ? 0 : 1, unit: STEPS[step] ?? '' };
}

/** A short time; from a minute on others can say it better. @param {number} ms below a minute @returns {{ value: number, decimals: number, unit: 'ms' | 's' }} */
export function span(ms) {
  if (ms < 1_000) return { value: ms, decimals: 0, unit: 'ms' };
  const decimals = ms < 10_000 && ms % 1_000 !== 0 ? 1 : 0;
  return { value: ms / 1_000, decimals, unit: 's' };
}
