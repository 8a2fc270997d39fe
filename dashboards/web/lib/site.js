// What every screen knows of the site: its name and zone, the asset tree, the open alarms.

import { computed, effect, signal } from './ui.js';
import { ApiError, get, revision } from './api.js';
import { zone } from './i18n.js';
import { live, pace } from './live.js';

/** @typedef {import('./types').Site} Site */
/** @typedef {import('./types').Asset} Asset */
/** @typedef {import('./types').Alarm} Alarm */

const ALARMS_MAX = 500;
/** From one reading of the alarms to the next: short, that an alarm behind another is seen at once, and longer while they keep coming. */
const PAUSE_MS = { least: 125, most: 1_000 };
const RETRY_MS = 3_000;

export const site = signal(/** @type {Site | null} */ (null));
export const assets = signal(/** @type {Asset[]} */ ([]));

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

/** Below an asset, itself not among them. @param {string} id */
export function childrenIn(id) {
  return childrenOf.value.get(id) ?? [];
}

/** The building an asset is, or is in; none: it stands outside of all. @param {string} id */
export function buildingOf(id) {
  return pathOf(id).reverse().find((asset) => asset.class === 'Building')?.id ?? null;
}

/** Every system a site can have, in the order they are shown in. */
const SYSTEMS = ['electrical', 'hvac', 'medical_gas', 'lifts', 'water', 'heat', 'fire', 'environment'];

/** The systems this site has. */
export const systems = computed(() => {
  const present = new Set(assets.value.map((asset) => asset.system));
  return SYSTEMS.filter((system) => present.has(system));
});

/** @param {string} system */
export function systemHref(system) {
  return `/systems/${system}`;
}

// ---- open alarms

/** The open alarms and the unacknowledged counts, as last read; `error` if that failed. */
export const alarms = signal(
  /** @type {{ items: Alarm[] | null, counts: Record<string, number>, error: ApiError | null }} */ (
    { items: null, counts: {}, error: null }
  ),
);

/** @typedef {{ worst: Alarm, open: number }} Tally the worst of some alarms, and how many there are */

/** Which state of two equal priorities is worse: nobody knows of it, latched, known, gone again. */
const STATE_ORDER = ['B', 'L', 'C', 'D'];

/**
 * The worst first; what is shelved, suppressed or out of service calls nobody. Newer first where equal.
 * @param {Alarm[]} list
 */
export function calling(list) {
  const grade = (/** @type {Alarm} */ alarm) => alarm.priority * 10 + STATE_ORDER.indexOf(alarm.state);
  return list.filter((alarm) => STATE_ORDER.includes(alarm.state)).sort((a, b) => grade(a) - grade(b) || b.raised_at - a.raised_at);
}

/**
 * Alarms that call, by what `keyOf` makes of their asset.
 * @param {(asset: string) => string | null} keyOf
 */
export function tallies(keyOf) {
  /** @type {Map<string, Tally>} */
  const found = new Map();
  for (const alarm of calling(alarms.value.items ?? [])) {
    const key = keyOf(alarm.asset);
    if (key === null) continue;
    const tally = found.get(key);
    if (tally) tally.open += 1;
    else found.set(key, { worst: alarm, open: 1 });
  }
  return found;
}

/** The alarms that call, by system. */
export const alarmsBySystem = computed(() => tallies((id) => assetOf(id)?.system ?? null));

let reading = false;
let again = false;
const waitFor = pace(PAUSE_MS);

/** Reads the open alarms; calls during a read lead to one more. */
export async function readAlarms() {
  if (reading) {
    again = true;
    return;
  }
  reading = true;
  do {
    again = false;
    const wait = waitFor(performance.now());
    if (wait > 0) await new Promise((done) => setTimeout(done, wait));
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
