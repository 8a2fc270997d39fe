// Where the page is, and how links and keys move it. The URL holds the full state of a screen.
//
// The server answers index.html for exactly these paths (src/ui compares the lists); anything
// else is a 404 from the server, never this page.

import { remembered, signal, useLayoutEffect } from './ui.js';

/** @typedef {{ screen: string, params: Record<string, string>, query: URLSearchParams, path: string }} Place */

/** A `:name` stands for one segment. */
export const ROUTES = [
  { path: '/', screen: 'overview' },
  { path: '/systems/:system', screen: 'system' },
  { path: '/equipment/:asset', screen: 'equipment' },
  { path: '/points', screen: 'points' },
  { path: '/points/:asset/:quantity', screen: 'point' },
  { path: '/trend', screen: 'trend' },
  { path: '/alarms', screen: 'alarms' },
  { path: '/alarms/:id', screen: 'alarms' },
  { path: '/work-orders', screen: 'orders' },
  { path: '/work-orders/:id', screen: 'orders' },
  { path: '/energy', screen: 'energy' },
  { path: '/energy/:meter', screen: 'energy' },
  { path: '/energy/:meter/:day', screen: 'energy-day' },
  { path: '/status', screen: 'status' },
  { path: '/buses', screen: 'buses' },
  { path: '/brokers/:id', screen: 'broker' },
  { path: '/tester', screen: 'tester' },
  { path: '/demo', screen: 'demo' },
  { path: '/gallery', screen: 'gallery' },
];

/**
 * @param {string} path
 * @returns {{ screen: string, params: Record<string, string> } | null}
 */
export function match(path) {
  const parts = path.split('/');
  for (const route of ROUTES) {
    const wanted = route.path.split('/');
    if (wanted.length !== parts.length) continue;
    /** @type {Record<string, string>} */
    const params = {};
    const fits = wanted.every((want, i) => {
      const part = parts[i] ?? '';
      if (!want.startsWith(':')) return want === part;
      params[want.slice(1)] = decodeURIComponent(part);
      return part !== '';
    });
    if (fits) return { screen: route.screen, params };
  }
  return null;
}

/** @returns {Place} */
function here() {
  const found = match(location.pathname) ?? { screen: 'lost', params: {} };
  return { ...found, query: new URLSearchParams(location.search), path: location.pathname };
}

/** The present place. */
export const place = signal(here());

/**
 * Goes to a path of this page.
 * @param {string} href
 * @param {{ replace?: boolean, state?: unknown }} [options]
 */
export function go(href, options) {
  const before = place.value.path;
  if (options?.replace) history.replaceState(options.state ?? null, '', href);
  else history.pushState(options?.state ?? null, '', href);
  place.value = here();
  if (place.value.path !== before && !options?.replace) window.scrollTo(0, 0);
}

/**
 * The present URL with some of its query changed; null takes a key out.
 * @param {Record<string, string | number | null>} changes
 */
export function withQuery(changes) {
  const next = new URLSearchParams(place.value.query);
  for (const [key, value] of Object.entries(changes)) {
    if (value === null || value === '') next.delete(key);
    else next.set(key, String(value));
  }
  const text = next.toString();
  return place.value.path + (text ? `?${text}` : '');
}

/** @param {string} asset */
export function equipmentHref(asset) {
  return `/equipment/${asset}`;
}

/** @param {string} address `asset/quantity` */
export function pointHref(address) {
  return `/points/${address}`;
}

/** @param {MouseEvent} event */
function followLink(event) {
  if (event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  const href = link?.getAttribute('href');
  if (!link || !href || link.hasAttribute('target') || !href.startsWith('/')) return;
  if (!match(new URL(href, location.href).pathname)) return;
  event.preventDefault();
  go(href);
}

// ---- keys

/** `on` or `off`: keys without Ctrl or Alt (WCAG 2.1.4 wants them to be switchable). */
export const singleKeys = remembered('single-keys', 'on');

/** `open` until a person has seen what the shapes and hatches of the overview mean. */
export const guide = remembered('guide', 'open');

/** Keys after `g`. */
export const GO_KEYS = {
  o: '/', a: '/alarms', w: '/work-orders', t: '/trend', e: '/energy', p: '/points', s: '/status', b: '/buses',
};
const GO_WITHIN_MS = 1_500;

/** @type {Set<(key: string) => boolean>} the screen's own keys, newest first */
const handlers = new Set();
let goUntil = 0;

/**
 * Lets a screen answer keys until the returned function is called.
 * @param {(key: string) => boolean} handler true: taken
 */
export function onKey(handler) {
  handlers.add(handler);
  return () => {
    handlers.delete(handler);
  };
}

/**
 * Answers keys as long as what calls it stands: from the moment it is there. An effect would wait for its first picture, and
 * a hand that knows its way is faster.
 * @param {(key: string) => boolean} handler true: taken
 * @param {unknown[]} [inputs] what the handler was made of
 */
export function useKeys(handler, inputs = []) {
  useLayoutEffect(() => onKey(handler), inputs);
}

/** @param {EventTarget | null} target */
function typing(target) {
  return target instanceof HTMLElement && target.closest('input, textarea, select, [contenteditable]') !== null;
}

/** The rows j and k walk: the first link of each element marked `data-row`. */
function rows() {
  return [...document.querySelectorAll('[data-row]')]
    .filter((row) => row instanceof HTMLElement && row.offsetParent !== null)
    .map((row) => /** @type {HTMLElement | null} */ (row.querySelector('[data-row-link]')))
    .filter((link) => link !== null);
}

/** @param {number} step */
function walk(step) {
  const list = rows();
  const at = list.findIndex((link) => link.closest('[data-row]')?.contains(document.activeElement));
  const to = at < 0 ? (step > 0 ? 0 : list.length - 1) : Math.min(list.length - 1, Math.max(0, at + step));
  list[to]?.focus();
  list[to]?.scrollIntoView({ block: 'nearest' });
}

/** @param {KeyboardEvent} event */
function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (document.querySelector('dialog[open]')) return; // the dialog has its own
  if (event.key === 'Escape') {
    if (typing(event.target)) /** @type {HTMLElement} */ (event.target).blur();
    else for (const handler of [...handlers].reverse()) if (handler('Escape')) break;
    return;
  }
  if (typing(event.target) || singleKeys.value === 'off') return;
  if (single(event.key)) event.preventDefault();
}

/** @param {string} key */
function single(key) {
  if (goUntil > performance.now()) {
    goUntil = 0;
    const to = Object.entries(GO_KEYS).find(([letter]) => letter === key);
    if (to) go(to[1]);
    return to !== undefined;
  }
  if (key === 'g') {
    goUntil = performance.now() + GO_WITHIN_MS;
    return true;
  }
  if (key === 'j' || key === 'k') {
    walk(key === 'j' ? 1 : -1);
    return true;
  }
  if (key === '/') {
    const field = /** @type {HTMLElement | null} */ (document.querySelector('[data-search]'));
    field?.focus();
    return field !== null;
  }
  return [...handlers].reverse().some((handler) => handler(key));
}

/** Ties links, keys and the back button to the page. Called once, by app.js. */
export function startNav() {
  document.addEventListener('click', followLink);
  document.addEventListener('keydown', press);
  window.addEventListener('popstate', () => {
    place.value = here();
  });
}
