import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inserted, lineAndColumn, marked, membersOf, resultDecimals, sampleWord, tableFor } from '../../../dashboards/web/lib/tester.js';

test('a mistake is marked by characters, beyond the end and in other planes too', () => {
  assert.deepEqual(marked('🚑 a/b > 1', { start: 2, end: 5 }), { before: '🚑 ', wrong: 'a/b', after: ' > 1' });
  assert.deepEqual(marked('1 +', { start: 3, end: 3 }), { before: '1 +', wrong: '', after: '' });
  assert.deepEqual(marked('1', { start: 9, end: 4 }), { before: '1', wrong: '', after: '' });
  assert.deepEqual(lineAndColumn('a and\n  b', 8), { line: 2, column: 3, lines: 2 });
  assert.deepEqual(lineAndColumn('', 0), { line: 1, column: 1, lines: 1 });
});

test('a result has the digits it was reckoned with, and of a quotient five that count', () => {
  const of = (/** @type {any} */ value) => resultDecimals(/** @type {any} */ ({ value }));
  assert.deepEqual([412.5, 21, 0.41, 1 / 3, 0.0001234567, 123456.789, 0, -0.5].map(of), [1, 0, 2, 5, 8, 0, 0, 1]);
  assert.deepEqual([null, true, 'x', 1e21].map(of), [0, 0, 0, 0]);
});

test('a point is put where the cursor stands, apart from its neighbours', () => {
  assert.deepEqual(inserted('', 0, 'a/b'), { text: 'a/b', at: 3 });
  assert.deepEqual(inserted('1 +', 3, 'a/b'), { text: '1 + a/b', at: 7 });
  assert.deepEqual(inserted('avg(, 1 h)', 4, 'a/b'), { text: 'avg(a/b, 1 h)', at: 7 });
  assert.deepEqual(inserted('1 > 2', 2, 'a/b'), { text: '1 a/b > 2', at: 6 });
});

test('a message suggests its values, and no more than a few', () => {
  assert.deepEqual(membersOf('{"t":1.5,"on":true,"m":{"a/b":"x","~":0},"list":[1],"none":null}'), [
    { pointer: '/t', kind: 'decimal' }, { pointer: '/on', kind: 'bool' }, { pointer: '/m/a~1b', kind: 'text' }, { pointer: '/m/~0', kind: 'decimal' }]);
  for (const payload of ['21.5', 'on', '', '{', '[1,2]', '"x"', 'null']) assert.deepEqual(membersOf(payload), []);
  assert.equal(membersOf(JSON.stringify(Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`k${i}`, i])))).length, 8);
});

test('the table to begin with names the asset of the topic, and each quantity once', () => {
  const table = tableFor('plant/pump-1/telemetry', '{"T 1":1,"x":{"T 1":2},"":3}');
  assert.match(table, /^\[\[mqtt\.topics\]\]\ntopic = "plant\/\{asset\}\/telemetry"\n/);
  assert.deepEqual([...table.matchAll(/quantity = "(.*)"/g)].map((one) => one[1]), ['t_1', 't_1_2', 'value']);
  assert.equal([...table.matchAll(/assets = \["pump-1"\]/g)].length, 3);
  // A level that cannot be an id is not taken for one.
  assert.match(tableFor('设备/A 1', '5'), /topic = "设备\/A 1"\n\n\[\[mqtt\.topics\.values\]\]\nquantity = "a_1"\nassets = \["asset"\]/);
  assert.equal(tableFor('', '1'), '');
});

test('a sample that cannot be read is worse than one without a point', () => {
  const sample = (/** @type {object} */ over) => sampleWord(/** @type {any} */ ({ known: true, mapped: true, fault: null, ...over }));
  assert.deepEqual([sample({}), sample({ known: false }), sample({ known: false, mapped: false }), sample({ mapped: false, fault: 'decoding' })],
    ['known', 'new', 'unmapped', 'failed']);
});
