// What every screen knows of the site: its name and zone, the asset tree, the open alarms.

import { computed, effect, signal } from './ui.js';
import { ApiError, get, revision } from './api.js';
import { zone } from './i18n.js';
import { live } from './live.js';

/** @typedef {import('./types').Site} Site */
/** @typedef {import('./types').Asset} Asset */
/** @typedef {import('./types').Alarm} Alarm */

const ALARMS_MAX = 500;
/** Under a flood of events the list is read at most this often. */
const REREAD_MS = 1_000;
const RETRY_MS = 3_000;

export const site = signal(/** @type {Site | null} */ (null));
const assets = signal(/** @type {Asset[]} */ ([]));

const childrenOf = computed(() => {
  /** @type {Map<string | null, Asset[]>} */
  const children = new Map();
  for (const asset of assets.value) {
    const list = children.get(asset.parent) ?? [];
    list.push(asset);
    children.set(asset.parent, list);
  }
  return children;
});

/**
 * The assets to choose from next: what the chosen one is in, itself, and what is right below it.
 * A site has thousands; the rest is a step further down, or found by search.
 * @param {string | null} chosen
 * @param {number} most
 */
export function choices(chosen, most) {
  const children = childrenOf.value;
  const roots = children.get(null) ?? [];
  const path = chosen === null ? roots.slice(0, 1) : pathOf(chosen);
  const above = path.map((asset, depth) => ({ asset, depth }));
  const last = path[path.length - 1];
  const below = (last ? children.get(last.id) : undefined) ?? [];
  const others = chosen === null ? roots.slice(1) : [];
  const shown = [
    ...above, ...below.map((asset) => ({ asset, depth: path.length })), ...others.map((asset) => ({ asset, depth: 0 })),
  ];
  return { shown: shown.slice(0, most), more: Math.max(0, shown.length - most) };
}

const assetsById = computed(() => new Map(assets.value.map((asset) => [asset.id, asset])));

/** @param {string} id */
export function assetOf(id) {
  return assetsById.value.get(id) ?? null;
}

/** An asset and what it is in, outermost first. @param {string} id */
export function pathOf(id) {
  /** @type {Asset[]} */
  const path = [];
  for (let at = assetOf(id); at && path.length < 32; at = at.parent === null ? null : assetOf(at.parent)) {
    path.unshift(at);
  }
  return path;
}

// ---- open alarms

/** The open alarms and the unacknowledged counts, as last read; `error` if that failed. */
export const alarms = signal(
  /** @type {{ items: Alarm[] | null, counts: Record<string, number>, error: ApiError | null }} */ (
    { items: null, counts: {}, error: null }
  ),
);

let reading = false;
let again = false;
let readAt = -REREAD_MS;

/** Reads the open alarms; calls during a read lead to one more. */
export async function readAlarms() {
  if (reading) {
    again = true;
    return;
  }
  reading = true;
  do {
    again = false;
    const wait = readAt + REREAD_MS - performance.now();
    if (wait > 0) await new Promise((done) => setTimeout(done, wait));
    readAt = performance.now();
    try {
      const reply = await get(`/alarms?state=open&limit=${ALARMS_MAX}`);
      alarms.value = { items: reply.items, counts: reply.counts, error: null };
    } catch (error) {
      if (error instanceof ApiError) alarms.value = { ...alarms.value, error };
      else throw error;
    }
  } while (again);
  reading = false;
}

/** Unacknowledged alarms of all priorities. */
export const unacknowledged = computed(() =>
  Object.values(alarms.value.counts).reduce((sum, count) => sum + count, 0),
);

/** Reads the site until it answers, then keeps the alarms fresh. Called once, by app.js. */
export function startSite() {
  const read = async () => {
    try {
      const [about, list] = await Promise.all([get('/site'), get('/assets')]);
      zone.value = about.timezone;
      site.value = about;
      assets.value = list.items;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setTimeout(read, RETRY_MS);
    }
  };
  read();
  effect(() => {
    revision.value; // also the first time
    readAlarms();
  });
  live.listen((event) => {
    // An order that joins an alarm shows in its row.
    if (event.kind.startsWith('alarm.') || event.kind === 'work_order.opened') readAlarms();
  });
}
