// Every point of the site, to search and to filter in the page: nobody waits for a server at each key.
//
// Fetched once, page by page, and shown while it comes. Searching is pure; what a point is worth now
// is asked for elsewhere, and only for the rows on screen.

import { computed, signal } from './ui.js';
import { ApiError, get, query, revision } from './api.js';
import { judge } from './live.js';
import { pathOf } from './site.js';

/** @typedef {import('./types').Point} Point */
/** @typedef {import('./types').Value} Value */
/** @typedef {import('./types').Asset} Asset */
/** @typedef {{ point: Point, system: string | null, path: string[], text: string }} PointRow `path`: ids, outermost first; `text`: lower case */
/** @typedef {'good' | 'uncertain' | 'bad' | 'waiting'} QualityChoice */
/** @typedef {{ search: string, system: string, asset: string, unit: string, quality: string }} PointFilter */

export const QUALITIES = /** @type {const} */ (['good', 'uncertain', 'bad', 'waiting']);
/** The unit of points that have none, in a filter. */
export const NO_UNIT = '1';

/** As many as the API gives at once. */
const PAGE = 5_000;
/** A list older than this is read again when the screen is opened: the configuration may have changed. */
const KEEP_MS = 60_000;

/** What is known, whether it is all, and why not. */
export const known = signal(/** @type {{ points: Point[], whole: boolean, error: ApiError | null }} */ ({ points: [], whole: false, error: null }));
let readAt = -Infinity;
let readOf = -1;
let turn = 0;

/** Reads all points unless they have just been read. While the first reading lasts, each page shows. */
export async function readPoints() {
  const fresh = known.value.whole && performance.now() - readAt < KEEP_MS && readOf === revision.value;
  if (fresh) return;
  const mine = ++turn;
  readAt = performance.now();
  readOf = revision.value;
  const first = !known.value.whole;
  /** @type {Point[]} */
  const points = [];
  /** @type {string | null} */
  let after = null;
  try {
    do {
      const page = await get(`/points${query({ limit: PAGE, after })}`);
      if (mine !== turn) return;
      for (const point of page.items) points.push(point);
      after = page.next;
      if (first || after === null) known.value = { points: [...points], whole: after === null, error: null };
    } while (after !== null);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (mine === turn) known.value = { ...known.value, error };
    readAt = -Infinity;
  }
}

/**
 * A row to be searched: everything a person may call a point by.
 * @param {Point} point
 * @param {Asset[]} path its asset and what that is in, outermost first
 * @param {(system: string) => string} systemWord
 * @returns {PointRow}
 */
export function rowOf(point, path, systemWord) {
  const asset = path[path.length - 1];
  const system = asset?.system ?? null;
  const words = [point.name.zh, point.name.en, point.address, system === null ? '' : systemWord(system)];
  for (const one of path) words.push(one.name.zh, one.name.en);
  return { point, system, path: path.map((one) => one.id), text: words.join('\n').toLowerCase() };
}

/** @param {(system: string) => string} systemWord follows the language */
export function rowsSignal(systemWord) {
  return computed(() => {
    /** Points of one asset come one after another. @type {{ id: string, path: Asset[] }} */
    let last = { id: '', path: [] };
    return known.value.points.map((point) => {
      if (last.id !== point.asset) last = { id: point.asset, path: pathOf(point.asset) };
      return rowOf(point, last.path, systemWord);
    });
  });
}

/**
 * The rows that hold every word searched for and fit the filter.
 * @param {PointRow[]} rows
 * @param {PointFilter} filter
 * @param {Map<string, QualityChoice> | null} qualities by address; null while they are not known
 */
export function found(rows, filter, qualities) {
  const words = filter.search.toLowerCase().split(/\s+/).filter(Boolean);
  const { system, asset, unit, quality } = filter;
  if (words.length === 0 && !system && !asset && !unit && !quality) return rows;
  return rows.filter(({ point, system: own, path, text }) =>
    (!system || own === system) &&
    (!asset || point.asset === asset || path.includes(asset)) &&
    (!unit || (point.symbol || NO_UNIT) === unit) &&
    (!quality || qualities === null || (qualities.get(point.address) ?? 'waiting') === quality) &&
    words.every((word) => text.includes(word)));
}

/**
 * What may be chosen, in order: systems by their first point, units by how many points have them.
 * @param {PointRow[]} rows
 */
export function choicesOf(rows) {
  /** @type {Map<string, number>} */
  const units = new Map();
  /** @type {Set<string>} */
  const systems = new Set();
  for (const { point, system } of rows) {
    const unit = point.symbol || NO_UNIT;
    units.set(unit, (units.get(unit) ?? 0) + 1);
    if (system !== null) systems.add(system);
  }
  return { systems: [...systems], units: [...units].sort((a, b) => b[1] - a[1]).map(([unit]) => unit) };
}

/**
 * The quality a person would see of each point, from its newest value.
 * @param {Value[]} values
 * @param {Map<string, number>} staleAfter milliseconds by address
 * @param {number} now
 * @returns {Map<string, QualityChoice>}
 */
export function qualitiesOf(values, staleAfter, now) {
  const codes = { good: 0, uncertain: 1, bad: 2 };
  return new Map(values.map((value) => {
    const cell = { v: value.value, q: /** @type {0 | 1 | 2} */ (codes[value.quality]), r: value.reason, at: value.at };
    const { kind, doubt } = judge(cell, staleAfter.get(value.point) ?? Infinity, now, false);
    return [value.point, kind === 'bad' ? 'bad' : doubt === null ? 'good' : 'uncertain'];
  }));
}

/**
 * Follows the points of the rows mounted, a block of rows at a time: a row that stays keeps its value
 * while others come and go.
 * @param {(addresses: string[]) => () => void} subscribe
 * @param {number} size rows of a block
 */
export function blocks(subscribe, size) {
  /** @type {Map<string, () => void>} */
  const held = new Map();
  return {
    /** @param {PointRow[]} rows @param {number} from @param {number} to */
    show(rows, from, to) {
      /** @type {Map<string, string[]>} */
      const wanted = new Map();
      for (let at = Math.floor(from / size) * size; at < to; at += size) {
        const addresses = rows.slice(at, at + size).map(({ point }) => point.address);
        if (addresses.length > 0) wanted.set(addresses.join(), addresses);
      }
      for (const [key, addresses] of wanted) if (!held.has(key)) held.set(key, subscribe(addresses));
      for (const [key, stop] of held) {
        if (wanted.has(key)) continue;
        held.delete(key);
        stop();
      }
    },
    stop() {
      for (const stop of held.values()) stop();
      held.clear();
    },
  };
}
