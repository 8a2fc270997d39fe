import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brokerWord, brokersInTrouble, fateWord, topicsShown, tryHref } from '../../../dashboards/web/lib/brokers.js';

const NOW = 10_000_000;
/** @param {string} id @param {Partial<import('../../../dashboards/web/lib/types').Broker>} [over] */
const broker = (id, over) => ({
  id, address: 'h:1883', tls: false, client_id: 'c', silent_after_ms: 300_000, silent_since: null, sessions_lost: 0, gap: null, running: true, connected: true, since: NOW - 60_000, reason: null, subscribed: true,
  topics: [], refused: [], last_message_at: NOW, messages: 1, connections: 1, unmapped: [], unmapped_unlisted: 0, ...over,
});

test('the worst that is known of a broker is its word', () => {
  const word = (/** @type {object} */ over) => brokerWord(broker('b', over));
  assert.equal(word({}), 'good');
  assert.equal(word({ running: false, connected: false }), 'turn');
  assert.equal(word({ connected: false, refused: ['a/#'] }), 'cut');
  assert.equal(word({ refused: ['a/#'] }), 'failing');
  assert.equal(word({ subscribed: false }), 'waiting');
  assert.equal(word({ last_message_at: null }), 'waiting');
  assert.equal(word({ silent_since: NOW - 1 }), 'late');
});

test('the troubled brokers stand first, the others as they are configured', () => {
  const rows = brokersInTrouble([broker('a'), broker('b', { connected: false }), broker('c'), broker('d', { refused: ['x'] })]);
  assert.deepEqual(rows.map((row) => row.broker.id), ['b', 'd', 'a', 'c']);
});

/** @param {string} name @param {import('../../../dashboards/web/lib/types').Fate} fate */
const topic = (name, fate) => ({ topic: name, count: 1, bytes: 1, first_at: NOW, last_at: NOW, fate });
const taken = { kind: /** @type {const} */ ('taken'), samples: 2, failed: 0, why: null };

test('topics that need a person stand first, and alone if asked for', () => {
  const topics = [
    topic('a/ok', taken), topic('b/bad', { ...taken, failed: 1 }), topic('c/none', { kind: 'unmapped', address: null, why: null }),
    topic('D/ok', taken), topic('e/again', { kind: 'duplicate' }), topic('f/lost', { kind: 'dropped' }),
  ];
  assert.deepEqual(topics.map((one) => fateWord(one.fate)), ['good', 'failing', 'silent', 'good', 'waiting', 'cut']);
  const names = (/** @type {string} */ search, /** @type {boolean} */ open) => topicsShown(topics, search, open).map((row) => row.topic.topic);
  assert.deepEqual(names('', false), ['b/bad', 'c/none', 'e/again', 'f/lost', 'a/ok', 'D/ok']);
  assert.deepEqual(names(' BAD ', true), ['b/bad']);
  assert.deepEqual(names('d/OK', false), ['D/ok']);
  assert.deepEqual(names('nothing', false), []);
});

test('a topic travels to the tester whole', () => {
  const href = tryHref({ broker: 'b', topic: 'a/氧 &?#/b', payload: '{"t":1}' });
  const wanted = new URLSearchParams(href.slice(href.indexOf('?')));
  assert.deepEqual([wanted.get('what'), wanted.get('broker'), wanted.get('topic'), wanted.get('payload')], ['mapping', 'b', 'a/氧 &?#/b', '{"t":1}']);
  assert.ok(!tryHref({ broker: 'b', topic: 't', payload: '' }).includes('payload'));
});
