// The history of many points: GET /series and /series/statistics, and nothing else of the API.

import { get, query } from './api.js';

/** @typedef {import('./types').QualityWord} QualityWord */
/** @typedef {import('./types').Statistics} Statistics */
/**
 * Columns of equal width, or raw readings. A column or a raw reading that has no number holds null;
 * a raw text is null too, it cannot be drawn.
 * @typedef {object} Track
 * @property {string} point
 * @property {number[]} at a column's beginning, or a reading's time
 * @property {(number | null)[]} last
 * @property {(number | null)[]} min columns only, as `max`, `mean` and `count`
 * @property {(number | null)[]} max
 * @property {(number | null)[]} mean
 * @property {(number | null)[]} count
 * @property {(QualityWord | null)[]} quality of a column its worst
 * @property {(string | null)[]} reason raw only
 * @property {number | null} truncated there are more raw readings from here on
 */
/** @typedef {{ from: number, to: number, raw: boolean, width: number, tracks: Map<string, Track> }} Held */

const FIGURES = 'min,max,mean,first,last,count';

/** @param {unknown} value */
function numberOf(value) {
  if (typeof value === 'boolean') return value ? 1 : 0;
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

/** `bad_no_communication` is the quality and its reason. @param {string} word */
function qualityOf(word) {
  const cut = word.indexOf('_');
  const quality = /** @type {QualityWord} */ (cut < 0 ? word : word.slice(0, cut));
  return { quality, reason: cut < 0 ? null : word.slice(cut + 1) };
}

/**
 * How many in a row have which quality, written out; null where there is nothing.
 * @param {[number, string | null][]} runs
 */
function qualities(runs) {
  /** @type {(QualityWord | null)[]} */
  const quality = [];
  /** @type {(string | null)[]} */
  const reason = [];
  for (const [count, word] of runs) {
    const found = word === null ? { quality: null, reason: null } : qualityOf(word);
    for (let i = 0; i < count; i += 1) {
      quality.push(found.quality);
      reason.push(found.reason);
    }
  }
  return { quality, reason };
}

/** @param {any} one @returns {Track} */
function rawTrack(one) {
  const { quality, reason } = qualities(one.quality);
  const last = one.value.map((/** @type {unknown} */ value, /** @type {number} */ i) => (quality[i] === 'bad' ? null : numberOf(value)));
  return { point: one.point, at: one.at, last, min: [], max: [], mean: [], count: [], quality, reason, truncated: one.next };
}

/** @param {any} one @returns {Track} */
function columnTrack(one) {
  return {
    point: one.point, at: one.at, min: one.min, max: one.max, mean: one.mean, last: one.last, count: one.count,
    quality: qualities(one.worst).quality, reason: [], truncated: null,
  };
}

/**
 * @param {string[]} points
 * @param {number} from
 * @param {number} to
 * @param {number | null} columns how many; none: raw
 * @param {AbortSignal} abort
 * @returns {Promise<Held>}
 */
export async function readSeries(points, from, to, columns, abort) {
  const cut = columns === null ? 'raw' : `columns:${columns}`;
  const reply = await get(`/series${query({ points: points.join(','), from, to, cut, figures: columns === null ? null : FIGURES })}`, abort);
  const raw = reply.cut === 'raw';
  const tracks = new Map(reply.series.map((/** @type {any} */ one) => [one.point, raw ? rawTrack(one) : columnTrack(one)]));
  return { from: reply.from, to: reply.to, raw, width: raw ? 0 : (reply.to - reply.from) / (columns ?? 1), tracks };
}

/**
 * @param {string[]} points
 * @param {number} from
 * @param {number} to
 * @param {AbortSignal} abort
 * @returns {Promise<Map<string, Statistics>>}
 */
export async function readStatistics(points, from, to, abort) {
  const reply = await get(`/series/statistics${query({ points: points.join(','), from, to })}`, abort);
  return new Map(reply.items.map((/** @type {any} */ one) => [one.point, statisticsOf(one)]));
}

/** @param {any} one @returns {Statistics} */
function statisticsOf(one) {
  const readings = one.good + one.uncertain + one.bad;
  return {
    point: one.point, count: one.count, min: numberOf(one.min?.value), min_at: one.min?.at ?? null, max: numberOf(one.max?.value), max_at: one.max?.at ?? null,
    mean: one.mean, weighted_mean: one.weighted, first: numberOf(one.first?.value), last: numberOf(one.last?.value),
    increase: numberOf(one.increase), deviation: one.deviation, good_share: readings > 0 ? one.good / readings : null,
  };
}
