import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CELL_MS, completeness, daysOf, grid, isCivil, shiftDay, shiftMonth, stack, total } from '../../../dashboards/web/lib/energy.js';

/** @param {object} [over] */
const day = (over) => ({ date: '2026-11-21', start: 0, end: 96 * CELL_MS, energy: 10, cost: 5, classes: [], cells: 96, good: 96, estimated: 0, event: 0, missing: 0, ...over });

test('civil days and months', () => {
  assert.equal(daysOf('2024-02').length, 29);
  assert.equal(daysOf('2026-11').at(-1), '2026-11-30');
  assert.deepEqual([shiftMonth('2026-01', -1), shiftMonth('2026-12', 1), shiftDay('2026-03-01', -1)], ['2025-12', '2027-01', '2026-02-28']);
  assert.deepEqual(['2026-02-30', '2026-02-28', 'x'].map((text) => isCivil(text, 'day')), [false, true, false]);
  assert.deepEqual(['2026-13', '2026-12'].map((text) => isCivil(text, 'month')), [false, true]);
});

test('today is partial and only what should be there by now can be missing', () => {
  const half = day({ good: 40, missing: 56 });
  assert.deepEqual(completeness(half, 48 * CELL_MS), { partial: true, estimated: 0, event: 0, missing: 8 / 48 });
  assert.deepEqual(completeness(day({ good: 90, estimated: 3, missing: 3 }), 200 * CELL_MS), { partial: false, estimated: 3 / 96, event: 0, missing: 3 / 96 });
  // The running quarter hour may already hold energy.
  assert.equal(completeness(day({ good: 1, missing: 95 }), CELL_MS / 2).missing, 0);
});

test('a day of 23 hours is complete with 92 cells', () => {
  assert.equal(completeness(day({ end: 92 * CELL_MS, cells: 92, good: 92 }), 200 * CELL_MS).missing, 0);
});

test('the stack adds up to the day, also where classes do not', () => {
  const tariff = /** @type {any} */ ({ classes: [{ id: 'peak' }, { id: 'flat' }, { id: 'valley' }] });
  const shares = [{ id: 'peak', energy: 4, cost: 0 }, { id: 'valley', energy: 3, cost: 0 }];
  assert.deepEqual(stack(day({ classes: shares }), tariff).map((part) => part.id), ['valley', 'peak', 'rest']);
  assert.equal(total(stack(day({ classes: shares }), tariff).map((part) => part.energy)), 10);
  assert.deepEqual(stack(day({ energy: null }), tariff), []);
});

test('a sum of nothing is nothing, not zero', () => {
  assert.equal(total([null, undefined]), null);
  assert.equal(total([null, 0]), 0);
});

test('the grid has every quarter hour, also those left out', () => {
  const cells = grid(0, 4 * CELL_MS, [{ start: CELL_MS, end: 2 * CELL_MS, energy: 1, quality: 'good', class: null }]);
  assert.deepEqual(cells.map((cell) => cell.energy), [null, 1, null, null]);
  assert.equal(cells[0]?.quality, 'missing');
});
