// What the pages of the plant share: replies that are asked for again while somebody looks, the last
// day of many points in one request, and points that stay the same object.

import { signal, useEffect } from './ui.js';
import { get, query, useGet } from './api.js';
import { live } from './live.js';
import { stepsOf } from '../parts/sparkline.js';

/** @typedef {import('./types').PlantPoint} PlantPoint */
/** @typedef {import('../parts/sparkline.js').Step} Step */

const DAY_MS = 86_400_000;
/** Half hours: a sparkline is about a hundred pixels wide. */
const SPARK_COLUMNS = 48;
const SPARK_EVERY_MS = 300_000;
/** Values come first; the past follows when they stand. */
const SPARK_AFTER_MS = 300;
/** Points of one request, as the server takes them. */
const SPARK_POINTS_MAX = 320;

/**
 * A reply asked for again after `everyMs`, and when an event of these kinds says that it is outdated.
 * @template T
 * @param {string | null} path
 * @param {number} everyMs
 * @param {string[]} [kinds] beginnings of event kinds
 * @returns {import('./api.js').Fetched<T>}
 */
export function useFresh(path, everyMs, kinds = []) {
  const fetched = useGet(path);
  const { reload } = fetched;
  useEffect(() => {
    if (path === null) return undefined;
    const timer = setInterval(() => {
      if (!document.hidden) reload();
    }, everyMs);
    const deaf = live.listen((event) => {
      if (kinds.some((kind) => event.kind.startsWith(kind))) reload();
    });
    return () => {
      clearInterval(timer);
      deaf();
    };
  }, [path, everyMs, kinds.join()]);
  return /** @type {any} */ (fetched);
}

/** Whether a point is a measurement: it has a number, and its number no name. @param {PlantPoint} point */
export function measures(point) {
  return point.states.length === 0 && (point.kind === 'decimal' || point.kind === 'float');
}

/** @type {Map<string, { text: string, point: PlantPoint }>} */
const known = new Map();

/**
 * The same object as long as it says the same: what shows a point need not begin anew.
 * @param {PlantPoint} point
 */
export function stable(point) {
  const text = JSON.stringify(point);
  const old = known.get(point.address);
  if (old?.text === text) return old.point;
  known.set(point.address, { text, point });
  return point;
}

/**
 * How many places each gets of a row that has room for so many: one each, then in turn as long as there
 * is something to show.
 * @param {number[]} wants how many each could fill
 * @param {number} room
 */
export function shares(wants, room) {
  const given = wants.map(() => 1);
  for (let left = room - wants.length; left > 0; ) {
    const before = left;
    wants.forEach((want, i) => {
      if (left > 0 && (given[i] ?? 0) < want) {
        given[i] = (given[i] ?? 0) + 1;
        left -= 1;
      }
    });
    if (left === before) break;
  }
  return given;
}

/** The last day of each point that was asked for. */
const sparks = signal(/** @type {Map<string, Step[]>} */ (new Map()));

/**
 * @param {string[]} addresses
 * @param {AbortSignal} abort
 */
async function readSparks(addresses, abort) {
  const to = live.now();
  for (let i = 0; i < addresses.length; i += SPARK_POINTS_MAX) {
    const points = addresses.slice(i, i + SPARK_POINTS_MAX).join(',');
    const reply = await get(`/series${query({ points, from: to - DAY_MS, to, cut: `columns:${SPARK_COLUMNS}`, figures: 'min,mean,max' })}`, abort);
    const next = new Map(sparks.value);
    for (const one of reply.series) next.set(one.point, stepsOf(one));
    sparks.value = next;
  }
}

/**
 * The last 24 h of points that measure, in one request for all of them, read again every few minutes.
 * @param {PlantPoint[]} points
 * @returns {(point: PlantPoint) => Step[] | null | undefined} null: on its way; undefined: states have none
 */
export function useSparks(points) {
  const wanted = points.filter(measures).map((point) => point.address).sort();
  const key = wanted.join();
  useEffect(() => {
    if (key === '') return undefined;
    const control = new AbortController();
    /** @type {any} */
    let timer = null;
    const read = async () => {
      if (!document.hidden) await readSparks(wanted, control.signal).catch(() => {}); // drawn next time; the values stand
      if (!control.signal.aborted) timer = setTimeout(read, SPARK_EVERY_MS);
    };
    timer = setTimeout(read, SPARK_AFTER_MS);
    return () => {
      control.abort();
      clearTimeout(timer);
    };
  }, [key]);
  const held = sparks.value;
  return (point) => (measures(point) ? held.get(point.address) ?? null : undefined);
}
