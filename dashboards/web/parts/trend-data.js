// What the trend explorer has asked for: its points, their history, their statistics, and what comes
// live at the right edge. The last picture stays until the next is here; what is overtaken is ended.

import { effect, signal, useEffect, useRef, useState } from '../lib/ui.js';
import { ApiError, get, revision } from '../lib/api.js';
import { live } from '../lib/live.js';
import { readSeries, readStatistics } from '../lib/series-api.js';
import { columnsFor, expected, follow, forget, shiftedBack } from '../lib/trend.js';

/** @typedef {import('../lib/types').Point} Point */
/** @typedef {import('../lib/types').Statistics} Statistics */
/** @typedef {import('../lib/trend.js').Asked} Asked */
/** @typedef {import('../lib/series-api.js').Held} Held */
/** @typedef {import('./plot.js').View} View */
/** What is held for now and for each overlay, by its shift; now is the empty text. @typedef {Map<string, { held: Held, by: number }>} Layers */

/** A window that follows now is read anew so often: live values are at most one a second. */
const REREAD_MS = 60_000;
/** Statistics of a window that follows now. */
const STATISTICS_MS = 15_000;

/** @type {Map<string, Point>} */
const known = new Map();

/**
 * The points of these addresses; an address that has none is in `missing`.
 * @param {string[]} addresses
 */
export function usePoints(addresses) {
  const [state, setState] = useState(/** @type {{ of: string, missing: string[], error: ApiError | null }} */ ({ of: '', missing: [], error: null }));
  const of = addresses.join();
  const fresh = revision.value;
  useEffect(() => {
    const control = new AbortController();
    /** @type {string[]} */
    const missing = [];
    /** @type {ApiError | null} */
    let error = null;
    const read = async (/** @type {string} */ address) => {
      try {
        known.set(address, await get(`/points/${address}`, control.signal));
      } catch (failed) {
        if (!(failed instanceof ApiError)) throw failed;
        if (failed.code === 'not_found' || failed.code === 'bad_parameter') missing.push(address);
        else error = failed;
      }
    };
    Promise.all(addresses.filter((one) => !known.has(one)).map(read)).then(() => {
      if (!control.signal.aborted) setState({ of, missing, error });
    });
    return () => control.abort();
  }, [of, fresh]);
  const points = addresses.map((one) => known.get(one)).filter((one) => one !== undefined);
  const ready = addresses.every((one) => known.has(one)) || state.of === of;
  return { points, ready, missing: state.of === of ? state.missing : [], error: state.of === of ? state.error : null };
}

/** @param {Asked} asked @returns {View} */
export function viewOf(asked) {
  if (asked.fixed) return asked.fixed;
  const now = live.now();
  return { from: now - asked.preset.ms, to: now };
}

/**
 * One layer: columns, or raw where a pixel has few readings. A raw line comes from before the left
 * edge, so that it does not begin in the middle of the chart.
 * @param {Point[]} points
 * @param {View} view
 * @param {number} pixels
 * @param {Held | null} held
 * @param {AbortSignal} abort
 * @returns {Promise<Held>}
 */
async function readLayer(points, view, pixels, held, abort) {
  const addresses = points.map((point) => point.address);
  const raw = () => {
    const before = Math.min(view.to - view.from, Math.max(...points.map((point) => point.hold_ms)));
    return readSeries(addresses, Math.round(view.from - before), view.to, null, abort);
  };
  const columns = Math.max(50, Math.round(pixels));
  if (columnsFor(expected(points, view, held), pixels) === null) {
    const reply = await raw();
    if ([...reply.tracks.values()].every((track) => track.truncated === null)) return reply;
    return readSeries(addresses, view.from, view.to, columns, abort);
  }
  const reply = await readSeries(addresses, view.from, view.to, columns, abort);
  return columnsFor(expected(points, view, reply), pixels) === null ? raw() : reply;
}

/** @param {Layers} layers @param {Point[]} points */
function covers(layers, points) {
  const held = layers.get('')?.held;
  return held ? points.every((point) => held.tracks.has(point.address)) : false;
}

/**
 * The history the URL asks for. The window follows it at once, so that the picture already held is
 * stretched while the next one is asked for.
 * @param {Point[]} points
 * @param {boolean} ready
 * @param {Asked} asked
 * @param {number} pixels
 * @param {Window} window
 */
export function useLayers(points, ready, asked, pixels, window) {
  const [state, setState] = useState(/** @type {{ layers: Layers, error: ApiError | null, loading: boolean, version: number }} */ (
    { layers: new Map(), error: null, loading: false, version: 0 }));
  const [turn, setTurn] = useState(0);
  const layers = useRef(state.layers);
  const drawn = points.filter((point) => point.kind !== 'text');
  const span = asked.fixed ? `${asked.fixed.from}-${asked.fixed.to}` : asked.preset.name;
  const of = `${drawn.map((point) => point.address)} ${span} ${asked.over}`;
  const fresh = revision.value;
  useEffect(() => {
    show(window, viewOf(asked));
    if (!ready || pixels === 0) return undefined;
    const control = new AbortController();
    /** @type {any} */
    let timer = null;
    const ask = async () => {
      const now = viewOf(asked);
      if (drawn.length === 0) {
        layers.current = new Map();
        setState((old) => ({ ...old, layers: new Map(), error: null, loading: false }));
        return;
      }
      setState((old) => ({ ...old, loading: true }));
      try {
        const before = covers(layers.current, drawn) ? layers.current.get('')?.held ?? null : null;
        const main = readLayer(drawn, now, pixels, before, control.signal);
        const past = asked.over.map(async (shift) => {
          const by = now.from - shiftedBack(now.from, shift);
          const layer = await readLayer(drawn, { from: now.from - by, to: now.to - by }, pixels, before && { ...before, from: before.from - by, to: before.to - by }, control.signal);
          return /** @type {const} */ ([shift, { held: layer, by }]);
        });
        // Together: one that fails while another is waited for would fail unheard.
        const [held, laid] = await Promise.all([main, Promise.all(past)]);
        /** @type {Layers} */
        const next = new Map([['', { held, by: 0 }], ...laid]);
        if (control.signal.aborted) return;
        layers.current = next;
        if (!asked.fixed) show(window, now);
        setState((old) => ({ layers: next, error: null, loading: false, version: old.version + 1 }));
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (error.code === 'aborted' || control.signal.aborted) return;
        setState((old) => ({ ...old, error, loading: false }));
      }
      if (!asked.fixed) timer = setTimeout(ask, REREAD_MS);
    };
    ask();
    return () => {
      control.abort();
      clearTimeout(timer);
    };
  }, [of, ready, pixels === 0, turn, fresh]);
  useFollowing(drawn, asked, pixels, window, layers, () => setState((old) => ({ ...old, version: old.version + 1 })));
  return { ...state, retry: () => setTurn((n) => n + 1) };
}

/**
 * Once a second what came live joins the end, and the window moves when that is a pixel.
 * @param {Point[]} points
 * @param {Asked} asked
 * @param {number} pixels
 * @param {Window} window
 * @param {{ current: Layers }} layers
 * @param {() => void} changed
 */
function useFollowing(points, asked, pixels, window, layers, changed) {
  const key = points.map((point) => point.address).join();
  const following = asked.fixed === null && key !== '';
  useEffect(() => (key === '' ? undefined : live.subscribe(key.split(','))), [key]);
  useEffect(() => {
    if (!following) return undefined;
    return effect(() => {
      live.second.value; // the clock of it all; cells are only looked at
      const held = layers.current.get('')?.held;
      if (!held) return;
      const now = live.now();
      const length = asked.preset.ms;
      const old = window.view.peek();
      const came = key.split(',').filter((address) => {
        const cell = live.cell(address).peek();
        return cell !== null && follow(held, address, cell);
      });
      if (now - old.to >= length / Math.max(1, pixels)) {
        show(window, { from: now - length, to: now });
        forget(held, now - length);
      }
      if (came.length > 0) changed();
    });
  }, [key, following, asked.preset.name, pixels]);
}

/**
 * Statistics of each layer, by shift and address; not `current` while those of another span stand.
 * @param {string[]} addresses
 * @param {boolean} ready
 * @param {Asked} asked
 */
export function useStatistics(addresses, ready, asked) {
  const [state, setState] = useState({ of: '', found: /** @type {Map<string, Map<string, Statistics>>} */ (new Map()) });
  const [error, setError] = useState(/** @type {ApiError | null} */ (null));
  const span = asked.fixed ? `${asked.fixed.from}-${asked.fixed.to}` : asked.preset.name;
  const of = `${addresses} ${span} ${asked.over}`;
  const fresh = revision.value;
  useEffect(() => {
    if (!ready || addresses.length === 0) return undefined;
    const control = new AbortController();
    /** @type {any} */
    let timer = null;
    const ask = async () => {
      const { from, to } = viewOf(asked);
      try {
        const all = await Promise.all(['', ...asked.over].map(async (shift) => {
          const by = shift === '' ? 0 : from - shiftedBack(from, shift);
          return /** @type {const} */ ([shift, await readStatistics(addresses, from - by, to - by, control.signal)]);
        }));
        setState({ of, found: new Map(all) });
        setError(null);
      } catch (failed) {
        if (!(failed instanceof ApiError)) throw failed;
        if (failed.code === 'aborted') return;
        setError(failed);
      }
      if (!asked.fixed) timer = setTimeout(ask, STATISTICS_MS);
    };
    ask();
    return () => {
      control.abort();
      clearTimeout(timer);
    };
  }, [of, ready, fresh]);
  return { found: state.found, current: state.of === of, error };
}

/**
 * What the charts show; while a hand moves it, nothing else does.
 * @typedef {{ view: import('../vendor/core.js').Signal<View>, held: boolean }} Window
 */

/** A window that lives as long as the screen. @param {Asked} asked @returns {Window} */
export function useWindow(asked) {
  const made = useRef(/** @type {Window | null} */ (null));
  made.current ??= { view: signal(viewOf(asked)), held: false };
  return made.current;
}

/** @param {Window} window @param {View} to */
function show(window, to) {
  if (!window.held) window.view.value = to;
}
