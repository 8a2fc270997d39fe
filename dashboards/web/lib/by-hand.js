// What a person types to put a value in the place of a device's: whether the point can have it, and until
// when it may hold. Pure. The server asks the same (src/readings/substitute.rs) and has the last word.

import { momentOf } from './trend.js';

/** @typedef {import('./types').Point} Point */
/** @typedef {Pick<Point, 'kind' | 'range'>} Takes what decides about a value */

const MINUTE = 60_000;
/** Longest time a value by hand may hold. */
export const LASTS_MAX_MS = 30 * 24 * 60 * MINUTE;
/** Most bytes of a word. */
export const WORD_BYTES_MAX = 250;
/** More digits do not survive on their way as a number. */
const DIGITS_MAX = 15;

/** For how long, as a person may choose; none: until a time of his own. */
export const LASTS = [
  { name: '15min', ms: 15 * MINUTE }, { name: '1h', ms: 60 * MINUTE }, { name: '8h', ms: 8 * 60 * MINUTE }, { name: 'until', ms: null },
];

/** @typedef {'empty' | 'number' | 'range' | 'long'} WrongValue */
/** @typedef {'time' | 'past' | 'far'} WrongTime */

/**
 * The value that was typed or chosen. Full-width digits, as a Chinese keyboard gives them, are digits.
 * @param {string} text
 * @param {Takes} point
 * @returns {{ value: number | boolean | string } | { wrong: WrongValue }}
 */
export function valueOf(text, point) {
  const typed = text.trim();
  if (typed === '') return { wrong: 'empty' };
  if (point.kind === 'bool') return { value: typed === 'true' };
  if (point.kind === 'text') return new TextEncoder().encode(typed).length > WORD_BYTES_MAX ? { wrong: 'long' } : { value: typed };
  const plain = typed.normalize('NFKC').replace('\u2212', '-').replace('\u3002', '.');
  if (!/^[+-]?(\d+\.?\d*|\.\d+)$/.test(plain) || plain.replace(/\D/g, '').length > DIGITS_MAX) return { wrong: 'number' };
  const value = Number(plain);
  if (point.range && (value < point.range[0] || value > point.range[1])) return { wrong: 'range' };
  return { value };
}

/**
 * The end that was chosen.
 * @param {string} lasts of LASTS
 * @param {string} field what the calendar field holds, in the site's zone
 * @param {number} now
 * @returns {{ until: number } | { wrong: WrongTime }}
 */
export function untilOf(lasts, field, now) {
  const ms = LASTS.find(({ name }) => name === lasts)?.ms ?? null;
  if (ms !== null) return { until: now + ms };
  const until = momentOf(field);
  if (until === null) return { wrong: 'time' };
  if (until <= now) return { wrong: 'past' };
  return until > now + LASTS_MAX_MS ? { wrong: 'far' } : { until };
}
