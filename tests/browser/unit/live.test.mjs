// The live connection against a scripted server on virtual time.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CLOSED_MS, SILENT_MS, backoff, createLive, judge, pace } from '../../../dashboards/web/lib/live.js';
import { revision } from '../../../dashboards/web/lib/api.js';

/** Time, timers, and every wire that was opened. */
function world() {
  let time = 0;
  let asleep = 0;
  /** @type {{ at: number, run: () => void, id: number }[]} */
  let timers = [];
  let ids = 0;
  /** @type {{ kind: string, points: string[], after: number | null, sent: any[], closed: boolean, on: any }[]} */
  const wires = [];
  /** @type {any[]} */
  const log = [];
  const state = { wires, log, eventsFail: false, asked: /** @type {number[]} */ ([]) };
  const make = (/** @type {string} */ kind, /** @type {any} */ on, points = [], after = null) => {
    const wire = { kind, points, after, sent: /** @type {any[]} */ ([]), closed: false, on };
    wires.push(wire);
    return { send: (/** @type {any} */ m) => wire.sent.push(m), close: () => { wire.closed = true; } };
  };
  const live = createLive({
    socket: (on) => make('ws', on),
    stream: (points, after, on) => make('sse', on, /** @type {any} */ (points), /** @type {any} */ (after)),
    events: async (after) => {
      state.asked.push(after);
      if (state.eventsFail) throw new Error('down');
      const items = log.filter((event) => event.seq > after).slice(0, 2); // pages of two
      return { items, last: log.at(-1)?.seq ?? after };
    },
    steady: () => time, wall: () => time + asleep, random: () => 0,
    later: (run, ms) => { timers.push({ at: time + ms, run, id: ++ids }); return ids; },
    cancel: (id) => { timers = timers.filter((timer) => timer.id !== id); },
  });
  const advance = (/** @type {number} */ ms) => {
    const end = time + ms;
    for (;;) {
      const next = timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at || a.id - b.id)[0];
      if (!next) break;
      timers = timers.filter((timer) => timer !== next);
      time = Math.max(time, next.at);
      next.run();
    }
    time = end;
  };
  const wire = () => /** @type {any} */ (wires.at(-1));
  const say = (/** @type {object} */ message) => wire().on.message(JSON.stringify(message));
  const greet = (/** @type {object} */ over = {}) => {
    wire().on.opened();
    say({ t: 'hi', epoch: 'e1', now: 1_000_000 + time, seq: 0, tz: 'UTC', build: 'b', ...over });
  };
  const settle = () => new Promise((done) => setImmediate(done));
  return { live, state, advance, wire, say, greet, settle, sleep: (/** @type {number} */ ms) => { asleep += ms; } };
}

test('subscribes after the greeting; snapshot and deltas land in the right cells', () => {
  const { live, wire, say, greet, advance } = world();
  live.start();
  live.subscribe(['a/x', 'a/y', 'a/z']);
  assert.deepEqual(wire().sent, []);
  greet();
  assert.deepEqual(wire().sent.map((/** @type {any} */ m) => m.t), ['hello', 'sub']);
  const id = wire().sent[1].id;
  // The server orders the points as it likes; deltas count in that order.
  say({ t: 'snap', id, now: 1_000_500, points: ['a/z', 'a/x', 'a/y'], v: [3, 1, null], q: [0, 0, 2], r: [null, null, 'timeout'], at: [1, 2, 3] });
  assert.deepEqual(live.cell('a/y').value, { v: null, q: 2, r: 'timeout', at: 3 });
  advance(100);
  say({ t: 'd', id, now: 1_001_000, d: [0, 33, 2, 22], at: [-10, 1, -2000, 1], q: [0, null, 1, 1, 'stale', 1] });
  assert.deepEqual(live.cell('a/z').value, { v: 33, q: 0, r: null, at: 1_000_990 });
  assert.deepEqual(live.cell('a/x').value, { v: 1, q: 0, r: null, at: 2 });
  assert.deepEqual(live.cell('a/y').value, { v: 22, q: 1, r: 'stale', at: 999_000 });
  assert.equal(live.now(), 1_001_000);
  // A run goes on over several pairs.
  say({ t: 'd', id, now: 1_002_000, d: [0, 34, 1, 2, 1, 23], at: [-5, 2, -7, 1], q: [2, 'timeout', 1, 0, null, 2] });
  assert.deepEqual(live.cell('a/z').value, { v: 34, q: 2, r: 'timeout', at: 1_001_995 });
  assert.deepEqual(live.cell('a/x').value, { v: 2, q: 0, r: null, at: 1_001_995 });
  assert.deepEqual(live.cell('a/y').value, { v: 23, q: 0, r: null, at: 1_001_993 });
});

test('silence loses the link within 10 s, a closed socket within 3.5 s, and the server time of the last word stays', () => {
  const { live, say, greet, advance, wire } = world();
  live.start();
  greet();
  advance(1_000);
  say({ t: 'hb', now: 1_001_000 });
  advance(SILENT_MS - 600);
  assert.equal(live.link.value.state, 'up');
  advance(1_600);
  assert.ok(SILENT_MS + 1_000 <= 10_000);
  assert.deepEqual([live.link.value.state, live.link.value.asOf], ['lost', 1_001_000]);
  advance(600);
  greet();
  assert.equal(live.link.value.state, 'up');
  wire().on.closed();
  advance(CLOSED_MS - 600);
  assert.equal(live.link.value.state, 'up');
  advance(1_100);
  assert.equal(live.link.value.state, 'lost');
});

test('a machine that slept does not show its old values as live', () => {
  const { live, greet, advance, sleep } = world();
  live.start();
  greet();
  sleep(3_600_000);
  advance(500);
  assert.equal(live.link.value.state, 'lost');
});

test('a wire that beats but never greets is given up', () => {
  const { live, advance, wire, state, say } = world();
  live.start();
  wire().on.opened();
  for (let i = 0; i < 4; i += 1) {
    advance(4_000);
    say({ t: 'hb', now: 1 });
  }
  assert.ok(state.wires.length > 1);
  assert.equal(live.link.value.state, 'lost');
});

test('retries at 0.5 s x 1.8 up to 15 s; looking at the tab tries at once', () => {
  assert.deepEqual([0, 1, 2, 10].map((n) => backoff(n, 0)), [500, 900, 1620, 15_000]);
  assert.ok(backoff(10, 0.999) >= 10_000);
  const { live, greet, wire, advance, state } = world();
  live.start();
  greet();
  wire().on.closed();
  advance(499);
  assert.equal(state.wires.length, 1);
  advance(1);
  assert.equal(state.wires.length, 2);
  wire().on.closed();
  live.hurry();
  assert.equal(state.wires.length, 3);
});

test('after two refused upgrades the stream is tried, with all points; if it fails too, the socket again', () => {
  const { live, wire, advance, state, say, greet } = world();
  live.start();
  live.subscribe(['a/x']);
  live.subscribe(['a/x', 'b/y']);
  wire().on.closed();
  advance(500);
  wire().on.closed();
  advance(900);
  assert.deepEqual(state.wires.map((one) => one.kind), ['ws', 'ws', 'sse']);
  assert.deepEqual(wire().points, ['a/x', 'b/y']);
  wire().on.closed();
  advance(2_000);
  assert.equal(wire().kind, 'ws');
  wire().on.closed();
  advance(4_000);
  wire().on.closed();
  advance(8_000);
  assert.equal(wire().kind, 'sse');
  greet();
  say({ t: 'snap', id: 0, now: 1_000_000, points: ['b/y'], v: [7], q: [0], r: [null], at: [5] });
  assert.equal(live.cell('b/y').value?.v, 7);
  assert.deepEqual([live.link.value.state, live.link.value.slow], ['up', true]);
  // A further view means a new stream, which is not a return from a loss.
  const before = revision.value;
  const streams = state.wires.length;
  live.subscribe(['c/z']);
  advance(200);
  assert.equal(state.wires.length, streams + 1);
  greet();
  assert.deepEqual([wire().points.includes('c/z'), revision.value], [true, before]);
});

test('events are told once and in order; a gap is read before anything newer', async () => {
  const { live, say, greet, settle, state } = world();
  /** @type {string[]} */
  const told = [];
  live.listen((event, missed) => told.push(`${event.seq}${missed ? '!' : ''}`));
  live.start();
  greet({ seq: 10 });
  const event = (/** @type {number} */ seq) => ({ t: 'ev', seq, at: 0, kind: 'alarm.raised', subject: `alarm:${seq}`, body: {} });
  for (let seq = 11; seq <= 16; seq += 1) state.log.push(event(seq));
  say(event(11));
  say(event(14)); // 12 and 13 are missing
  say(event(15)); // while they are being read
  say(event(14)); // doubled
  for (let i = 0; i < 6; i += 1) await settle();
  say(event(16));
  for (let i = 0; i < 3; i += 1) await settle();
  assert.deepEqual(told, ['11', '12', '13', '14', '15', '16']);
});

test('what happened while the link was lost is read on return and marked as missed, also by a new process', async () => {
  const { live, greet, wire, advance, settle, state } = world();
  /** @type {string[]} */
  const told = [];
  live.listen((event, missed) => told.push(`${event.seq}${missed ? '!' : ''}`));
  live.start();
  greet({ seq: 3 });
  const before = revision.value;
  wire().on.closed();
  state.log.push({ seq: 4, kind: 'k', subject: 's' }, { seq: 5, kind: 'k', subject: 's' });
  state.eventsFail = true;
  advance(500);
  greet({ seq: 5, epoch: 'e2', build: 'b2' });
  await settle();
  assert.deepEqual(told, []);
  state.eventsFail = false;
  advance(2_000);
  for (let i = 0; i < 3; i += 1) await settle();
  assert.deepEqual(told, ['4!', '5!']);
  assert.equal(wire().sent[0].seq, 3);
  assert.equal(revision.value, before + 1);
  assert.equal(live.outdated.value, true);
});

test('resync subscribes anew; a cell nobody watches forgets', () => {
  const { live, say, greet, wire } = world();
  live.start();
  greet();
  const stop = live.subscribe(['a/x']);
  const id = wire().sent.at(-1).id;
  say({ t: 'snap', id, now: 1, points: ['a/x'], v: [1], q: [0], r: [null], at: [1] });
  say({ t: 'resync' });
  assert.deepEqual(wire().sent.at(-1), { t: 'sub', id, points: ['a/x'], min_ms: 1000 });
  stop();
  assert.deepEqual(wire().sent.at(-1), { t: 'unsub', id });
  assert.equal(live.cell('a/x').value, null);
  say({ t: 'd', id, now: 2, d: [0, 9], at: [0, 1], q: [0, null, 1] });
  assert.equal(live.cell('a/x').value, null);
});

test('a hidden tab says so, also to the next connection', () => {
  const { live, greet, wire, advance } = world();
  live.start();
  greet();
  live.setHidden(true);
  assert.deepEqual(wire().sent.at(-1), { t: 'vis', hidden: true });
  wire().on.closed();
  advance(500);
  greet();
  assert.deepEqual(wire().sent.at(-1), { t: 'vis', hidden: true });
});

test('judge: nothing looks live that is not', () => {
  const cell = (/** @type {object} */ over = {}) => /** @type {any} */ ({ v: 5, q: 0, r: null, at: 1_000, ...over });
  const cases = /** @type {[any, number, boolean, any][]} */ ([
    [null, 1_000, false, { kind: 'waiting', doubt: null, stale: false }],
    [cell(), 2_000, false, { kind: 'value', doubt: null, stale: false }],
    [cell(), 17_000, false, { kind: 'value', doubt: 'stale', stale: true }],
    [cell({ q: 1, r: 'stale' }), 1_500, false, { kind: 'value', doubt: 'stale', stale: true }],
    [cell({ q: 1, r: 'out_of_range' }), 1_500, false, { kind: 'value', doubt: 'out_of_range', stale: false }],
    [cell(), 1_500, true, { kind: 'value', doubt: 'link', stale: true }],
    [cell({ v: null, q: 2, r: 'timeout' }), 1_500, false, { kind: 'bad', doubt: 'timeout', stale: false }],
    [cell({ v: null, q: 2, r: 'timeout' }), 1_500, true, { kind: 'bad', doubt: 'timeout', stale: true }],
  ]);
  for (const [value, now, lost, expected] of cases) assert.deepEqual(judge(value, 15_000, now, lost), expected);
});

// ---- what many events ask for

/** When it is done, asked for every `step` ms until `end`. @param {number} step @param {number} end */
function done(step, end) {
  const wait = pace({ least: 125, most: 1_000 });
  const times = [];
  for (let now = 0; now < end; ) {
    const at = now + wait(now);
    times.push(at);
    now = Math.max(at, now + step);
  }
  return times;
}

test('what comes alone is done at once', () => {
  assert.deepEqual(done(1_500, 6_000), [0, 1_500, 3_000, 4_500]);
});

test('what comes close behind another waits a quarter of a second, what follows longer, a flood a second each', () => {
  assert.deepEqual(done(10, 5_000), [0, 250, 750, 1_750, 2_750, 3_750, 4_750, 5_750]);
});

test('after a rest it is quick again', () => {
  const wait = pace({ least: 125, most: 1_000 });
  for (const now of [0, 10, 20, 30]) wait(now);
  assert.equal(wait(10_000), 0);
  assert.ok(wait(10_010) <= 250);
});
