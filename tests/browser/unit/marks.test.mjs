import assert from 'node:assert/strict';
import test from 'node:test';
import { MARKS_MAX, alarmEvents, groupsOf, lookOf, orderEvents, stretchesOf, worstOf } from '../../../dashboards/web/lib/marks.js';

const VIEW = { from: 1_000, to: 2_000 };
const ROOM = { alone: 24, joined: 44 };
const WIDTH = 1_000;

/** @param {number} at @param {number | null} until @returns {any} */
const event = (at, until = at) => ({ at, until, of: at });
/** @param {number} id @param {object} [over] @returns {any} */
const alarm = (id, over = {}) => ({ id, priority: 3, state: 'A', active: false, raised_at: 1_100, cleared_at: 1_200, ...over });
/** @param {any[]} groups */
const shown = (groups) => groups.map(({ x, items }) => [x, items.length]);

test('a mark stands at its instant; what began before is at the left edge, what ended before and what begins after is none', () => {
  const events = [event(1_500), event(1_000), event(500, 1_200), event(500, 999), event(200, null), event(2_000), event(1_999)];
  assert.deepEqual(shown(groupsOf(events, VIEW, WIDTH, ROOM)), [[0, 3], [500, 1], [999, 1]]);
  assert.deepEqual(groupsOf([event(500, 1_200)], VIEW, WIDTH, ROOM).map(({ x, items }) => [x, items]), [[0, [500]]]);
});

test('neighbours that would hide each other are one mark, and no two overlap', () => {
  const at = (/** @type {number[]} */ ...list) => shown(groupsOf(list.map((one) => event(one)), VIEW, WIDTH, ROOM));
  assert.deepEqual(at(1_100, 1_124), [[100, 1], [124, 1]]);
  assert.deepEqual(at(1_100, 1_123), [[100, 2]]);
  // Two that become one grow, and take in the neighbour that stood clear of each of them alone.
  assert.deepEqual(at(1_100, 1_124, 1_130), [[100, 3]]);
  assert.deepEqual(at(1_100, 1_110, 1_133), [[100, 3]]);
  assert.deepEqual(at(1_100, 1_110, 1_134), [[100, 2], [134, 1]]);
});

test('order of what comes in changes nothing, nothing is lost, and marks never overlap', () => {
  let seed = 7;
  const random = () => { seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0; return seed / 2 ** 32; };
  for (let turn = 0; turn < 300; turn += 1) {
    const list = Array.from({ length: Math.floor(random() * 80) }, () => event(1_000 + Math.floor(random() * 1_000)));
    const width = 100 + random() * 1_500;
    const groups = groupsOf(list, VIEW, width, ROOM);
    assert.deepEqual(groups, groupsOf([...list].reverse(), VIEW, width, ROOM));
    assert.equal(groups.reduce((sum, { items }) => sum + items.length, 0), list.length);
    assert.ok(groups.length <= MARKS_MAX, `${groups.length} marks`);
    const half = (/** @type {any} */ group) => (group.items.length > 1 ? ROOM.joined : ROOM.alone) / 2;
    groups.slice(1).forEach((group, i) => assert.ok(group.x - (groups[i]?.x ?? 0) >= half(groups[i]) + half(group) - 1e-9));
  }
});

test('more than thirty marks are joined even where there is room for each', () => {
  const many = Array.from({ length: 40 }, (_, i) => event(1_000 + i * 25));
  const groups = groupsOf(many, VIEW, 4_000, ROOM);
  assert.ok(groups.length <= MARKS_MAX && groups.length >= MARKS_MAX / 2, String(groups.length));
  assert.equal(groupsOf(many.slice(0, MARKS_MAX), VIEW, 4_000, ROOM).length, MARKS_MAX);
});

test('without a span or a width there is nothing', () => {
  assert.deepEqual(groupsOf([event(1_500)], { from: 5, to: 5 }, WIDTH, ROOM), []);
  assert.deepEqual(groupsOf([event(1_500)], VIEW, 0, ROOM), []);
  assert.deepEqual(stretchesOf([alarm(1)], VIEW, -1), []);
});

test('an alarm is coloured while it holds, hollow while it is unseen, grey when it is over or calls nobody', () => {
  const looks = Object.fromEntries([...'ABCDEFGL'].map((state) => [state, lookOf({ state })]));
  assert.deepEqual(looks, { A: 'over', B: 'now', C: 'now', D: 'unseen', E: 'over', F: 'over', G: 'over', L: 'now' });
});

test('what holds stands for what is over, then what is more urgent, then what is newer', () => {
  const worst = (/** @type {any[]} */ ...list) => worstOf(list).id;
  assert.equal(worst(alarm(1, { priority: 1 }), alarm(2, { priority: 4, state: 'C' })), 2);
  assert.equal(worst(alarm(1, { priority: 1 }), alarm(2, { priority: 3, state: 'D' })), 2);
  assert.equal(worst(alarm(1, { state: 'B' }), alarm(2, { priority: 2, state: 'C' })), 2);
  assert.equal(worst(alarm(1), alarm(2, { raised_at: 1_150 })), 2);
});

test('a stretch reaches from raised to returned, is clipped to the view, and goes on while the alarm holds', () => {
  const spans = (/** @type {any[]} */ ...list) => stretchesOf(list, VIEW, WIDTH).map(({ x, width, priority }) => [x, width, priority]);
  assert.deepEqual(spans(alarm(1)), [[100, 100, 0]]);
  assert.deepEqual(spans(alarm(1, { raised_at: 10, cleared_at: 1_050 })), [[0, 50, 0]]);
  assert.deepEqual(spans(alarm(1, { active: true, state: 'C', cleared_at: null })), [[100, 900, 3]]);
  assert.deepEqual(spans(alarm(1, { raised_at: 10, cleared_at: 20 }), alarm(2, { raised_at: 2_000, cleared_at: null, active: true })), []);
  // Of what is over, what touches is one; what holds is drawn over it, the most urgent last.
  assert.deepEqual(spans(alarm(1), alarm(2, { raised_at: 1_200, cleared_at: 1_300 }), alarm(3, { raised_at: 1_150, cleared_at: 1_160 })), [[100, 200, 0]]);
  const now = { active: true, state: 'B', cleared_at: null };
  assert.deepEqual(spans(alarm(1, { ...now, priority: 1 }), alarm(2, { ...now, priority: 4 }), alarm(3)).map(([, , priority]) => priority), [0, 4, 1]);
});

test('an order is marked where it was opened and not while it is open', () => {
  const [one] = orderEvents(/** @type {any} */ ([{ opened_at: 900 }]));
  assert.deepEqual(groupsOf(one ? [one] : [], VIEW, WIDTH, ROOM), []);
  assert.deepEqual(alarmEvents([alarm(1, { active: true, cleared_at: null })]).map(({ until }) => until), [null]);
});
