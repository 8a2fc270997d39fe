// Sums and civil days of the energy screens. Pure.

/** @typedef {import('./types').Day} Day */
/** @typedef {import('./types').Days} Days */
/** @typedef {import('./types').Cell} Cell */
/** @typedef {import('./types').Tariff} Tariff */

export const CELL_MS = 900_000;

/** Days of a month: `2026-11` -> `2026-11-01` ... `2026-11-30`. @param {string} month */
export function daysOf(month) {
  const [year = 0, number = 1] = month.split('-').map(Number);
  const count = new Date(Date.UTC(year, number, 0)).getUTCDate();
  return Array.from({ length: count }, (_, i) => `${month}-${String(i + 1).padStart(2, '0')}`);
}

/** @param {string} month @param {number} by */
export function shiftMonth(month, by) {
  const [year = 0, number = 1] = month.split('-').map(Number);
  return new Date(Date.UTC(year, number - 1 + by, 1)).toISOString().slice(0, 7);
}

/** @param {string} day @param {number} by */
export function shiftDay(day, by) {
  return new Date(Date.parse(`${day}T00:00:00Z`) + by * 86_400_000).toISOString().slice(0, 10);
}

/** Whether this is a month, or a day, that exists. @param {string} text @param {'month' | 'day'} what */
export function isCivil(text, what) {
  const full = what === 'month' ? `${text}-01` : text;
  return /^\d{4}-\d{2}-\d{2}$/.test(full) && !Number.isNaN(Date.parse(full)) &&
    new Date(`${full}T00:00:00Z`).toISOString().slice(0, 10) === full;
}

/** Whether readings that came late may still change these days. @param {Days} reply */
export function isRecounted({ recounted_from: from, days }) {
  return from !== null && days.some((day) => day.end > from);
}

/**
 * How much of what a day should have by now it has, as shares of one.
 * @param {Day} day
 * @param {number} now
 */
export function completeness(day, now) {
  const elapsed = Math.floor((Math.min(now, day.end) - day.start) / CELL_MS);
  const due = Math.max(0, Math.min(day.cells, elapsed));
  const present = day.good + day.estimated + day.event;
  const base = Math.max(due, present);
  if (base === 0) return { partial: now < day.end, estimated: 0, event: 0, missing: 0 };
  return {
    partial: now < day.end,
    estimated: day.estimated / base,
    event: day.event / base,
    missing: Math.max(0, due - present) / base,
  };
}

/**
 * A day's bar from the bottom up: the tariff's classes, the first one on top, then what no class claims.
 * @param {Day} day
 * @param {Tariff | null} tariff
 * @returns {{ id: string, energy: number }[]}
 */
export function stack(day, tariff) {
  if (day.energy === null) return [];
  const parts = (tariff?.classes ?? [])
    .map(({ id }) => ({ id, energy: day.classes.find((share) => share.id === id)?.energy ?? 0 }))
    .filter((part) => part.energy > 0)
    .reverse();
  const rest = day.energy - parts.reduce((sum, part) => sum + part.energy, 0);
  return rest > 0.005 ? [...parts, { id: 'rest', energy: rest }] : parts;
}

/**
 * A column's sum; null where nothing was measured at all.
 * @param {(number | null | undefined)[]} values
 */
export function total(values) {
  const known = values.filter((value) => typeof value === 'number');
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0);
}

/**
 * Every quarter hour of a day, also those the reply leaves out.
 * @param {number} start
 * @param {number} end
 * @param {Cell[]} cells
 * @returns {Cell[]}
 */
export function grid(start, end, cells) {
  const known = new Map(cells.map((cell) => [cell.start, cell]));
  /** @type {Cell[]} */
  const out = [];
  for (let at = Math.ceil(start / CELL_MS) * CELL_MS; at < end; at += CELL_MS) {
    out.push(known.get(at) ?? { start: at, end: at + CELL_MS, energy: null, quality: 'missing', class: null });
  }
  return out;
}
