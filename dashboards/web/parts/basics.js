// Small things every screen uses: icons, alarm chips, live values, and the states of a page part
// (loading, empty, failed). One file, because the first route counts its requests.

import { cls, h, html, useEffect } from '../lib/ui.js';
import { decimalsOf, duration, has, langOf, nameOf, number, quantity, scalar, stateOf, t } from '../lib/i18n.js';
import { judge, live } from '../lib/live.js';

/** @typedef {import('../lib/types').Names} Names */
/** @typedef {import('../lib/types').Live} Live */
/** @typedef {import('../lib/types').Scalar} Scalar */
/** @typedef {import('../lib/types').State} State */
/** @typedef {ReturnType<typeof judge> & { cell: Live | null, age: number | null }} Judged */
/** @typedef {import('../lib/api.js').ApiError} ApiError */

/** 24 px outlines, 1.75 px stroke. */
const ICONS = {
  overview: 'M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z',
  systems: 'M12 3 3 8l9 5 9-5zM3 12.5l9 5 9-5M3 17l9 5 9-5',
  gateway: 'M4 13h16v7H4zM7.5 16.5h.1M11 16.5h.1M12 13V9M9 6.5a4.2 4.2 0 0 1 6 0M6.5 4a8 8 0 0 1 11 0',
  wall: 'M3 5h18v12H3zM8 21h8M12 17v4',
  more: 'M5 11.2a.8.8 0 1 0 0 1.6.8.8 0 0 0 0-1.6zM12 11.2a.8.8 0 1 0 0 1.6.8.8 0 0 0 0-1.6zM19 11.2a.8.8 0 1 0 0 1.6.8.8 0 0 0 0-1.6z',
  points: 'M4 6h16M4 12h16M4 18h16M8 4v4M15 10v4M11 16v4',
  trend: 'M4 4v16h16M7 15l4-5 3.5 3L20 6',
  alarms: 'M12 3a6 6 0 0 0-6 6v5l-2 3h16l-2-3V9a6 6 0 0 0-6-6zM10 20.5h4',
  orders: 'M7 4h10v3H7zM6 5.5H4.5V21h15V5.5H18M8 12h8M8 16h5',
  energy: 'M13 3 6 13.5h5L10.5 21 18 10h-5.5z',
  buses: 'M3 12h18M7 12V6M12 12v6M17 12V6M5 3h4v3H5zM10 18h4v3h-4zM15 3h4v3h-4z',
  search: 'M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM15.5 15.5 21 21',
  close: 'M6 6l12 12M18 6 6 18',
  tick: 'M5 13l4.5 4.5L19 7',
  clock: 'M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 8v4.5l3 2',
  left: 'M15 5l-7 7 7 7',
  right: 'M9 5l7 7-7 7',
  light: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 3v2M12 19v2M3 12h2M19 12h2M5.6 5.6 7 7M17 17l1.4 1.4M5.6 18.4 7 17M17 7l1.4-1.4',
  dark: 'M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z',
  auto: 'M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 4v16M12 8h6.9M12 12h8M12 16h6.9',
  link: 'M4 12h4l2-5 4 10 2-5h4',
  cut: 'M3 12h5M16 12h5M10 8l4 8M14 8l-4 8',
  turn: 'M19.5 12a7.5 7.5 0 1 1-2.2-5.3M19.5 3.5V8H15',
  help: 'M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM9.8 10a2.3 2.3 0 1 1 3.3 2c-.8.4-1.1.8-1.1 1.6M12 16.2v.3',
  warn: 'M12 4 2.8 20h18.4zM12 10v5M12 17.2v.3',
};

/**
 * @param {object} p
 * @param {keyof typeof ICONS} p.name
 */
export function Icon({ name }) {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d=${ICONS[name]} /></svg>`;
}

/** The shape of each priority: square, triangle up, triangle down, disc. */
const SHAPES = ['', 'M2 2h16v16H2z', 'M10 1 19.5 18.5H.5z', 'M.5 1.5h19L10 19z', 'M10 1a9 9 0 1 0 0 18 9 9 0 0 0 0-18z'];
const DIGIT_Y = [0, 14.2, 15.6, 11.4, 14];

/** @param {{ priority: number }} p */
export function Shape({ priority }) {
  return html`<svg class="shape" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
    <path d=${SHAPES[priority]} /><text x="10" y=${DIGIT_Y[priority]} text-anchor="middle">${priority}</text>
  </svg>`;
}

/**
 * How a chip looks, by ISA-18.2 letter; the page's own marks are shape, digit and word.
 * @param {string} letter
 */
function chipLook(letter) {
  if (letter === 'B') return 'chip-unacked';
  if (letter === 'C' || letter === 'L') return 'chip-acked';
  if (letter === 'D') return 'chip-returned';
  if (letter === 'F') return 'chip-grey chip-dashed';
  return 'chip-grey';
}

/**
 * An alarm's priority in the look of its state.
 * @param {object} p
 * @param {number} p.priority
 * @param {string} p.state ISA letter
 * @param {number} [p.count]
 */
export function Chip({ priority, state, count }) {
  return html`<span class=${cls('chip', `chip-${priority}`, chipLook(state))}>
    ${h(Shape, { priority })}<span>${t(`priority.${priority}`)}</span>
    ${count !== undefined && html`<b class="chip-count">${number(count, 0)}</b>`}
    ${state === 'C' && h(Icon, { name: 'tick' })}${state === 'E' && h(Icon, { name: 'clock' })}
  </span>`;
}

/**
 * The worst of several alarms where there is little room: shape, digit and how many; the word is heard.
 * @param {object} p
 * @param {number} p.priority
 * @param {string} p.state ISA letter
 * @param {number} p.count
 */
export function Mark({ priority, state, count }) {
  const words = t('top.alarms', { priority: t(`priority.${priority}`), n: number(count, 0) });
  return html`<span class=${cls('chip mark', `chip-${priority}`, chipLook(state))} title=${words}>
    ${h(Shape, { priority })}${count > 1 && html`<b aria-hidden="true">${number(count, 0)}</b>`}<span class="unseen">${words}</span>
  </span>`;
}

/**
 * A work order's priority: the same mark without the alarm colour.
 * @param {{ priority: number }} p
 */
export function Grade({ priority }) {
  return html`<span class="grade">${h(Shape, { priority })}<span>${t(`priority.${priority}`)}</span></span>`;
}

/**
 * A thing's own name, marked with its language where it had to fall back.
 * @param {{ of: Names | null | undefined }} p
 */
export function Named({ of }) {
  return html`<span lang=${langOf(of)}>${nameOf(of)}</span>`;
}

/**
 * What to do, one numbered step to a line: at night nobody reads a paragraph.
 * @param {{ of: Names | null | undefined }} p
 */
export function Response({ of }) {
  const steps = nameOf(of).split(/\s*(?=\b\d{1,2}\. )/).filter(Boolean);
  return html`<ol class="response" lang=${langOf(of)}>${steps.map((step, i) => html`<li key=${i}>${step}</li>`)}</ol>`;
}

// ---- live values: the number, what is in doubt about it, and its age

/**
 * Subscribes while mounted.
 * @param {string[]} addresses
 */
export function useSubscription(addresses) {
  const key = addresses.join(',');
  useEffect(() => (key === '' ? undefined : live.subscribe(key.split(','))), [key]);
}

/**
 * The present value of a point, judged. The caller's component follows it.
 * @param {string} address
 * @param {number} staleAfter milliseconds; Infinity where only the server's word counts
 * @returns {Judged}
 */
export function useJudged(address, staleAfter) {
  const cell = live.cell(address).value;
  live.second.value; // ages move
  const now = live.now();
  const judged = judge(cell, staleAfter, now, live.link.value.state === 'lost');
  return { ...judged, cell, age: cell === null ? null : Math.max(0, now - cell.at) };
}

/** @param {string} reason */
export function reasonWord(reason) {
  return t(`reason.${reason}`);
}

/** Good, or what and why. @param {Judged} judged */
export function qualityWords(judged) {
  if (judged.kind === 'waiting') return t('quality.waiting');
  if (judged.kind === 'bad') return `${t('quality.bad')} · ${reasonWord(judged.doubt ?? 'initial')}`;
  if (judged.doubt !== null) return `${t('quality.uncertain')} · ${reasonWord(judged.doubt)}`;
  return t('quality.good');
}

/**
 * A point's value with its unit; a state by its name, its number small beside it.
 * @param {object} p
 * @param {Scalar} p.value
 * @param {number} p.decimals
 * @param {string} p.symbol
 * @param {State[]} p.states
 */
export function Quantity({ value, decimals, symbol, states }) {
  const state = stateOf(value, states);
  if (!state) return quantity(value, decimals, symbol);
  if (!state.name) return html`<span class="state">${t('value.unknown-state', { n: state.number })}</span>`;
  return html`<span class="state" title=${t('value.state-number', { n: state.number })}>${h(Named, { of: state.name })} <span class="state-number">${state.number}</span></span>`;
}

/**
 * The value in one piece: `7.2 ℃`, hatched with its age when old, `— timeout` when bad.
 * @param {object} p
 * @param {string} p.address
 * @param {string} p.symbol
 * @param {number} p.decimals
 * @param {State[]} p.states
 * @param {number} p.staleAfter
 */
export function LiveValue({ address, symbol, decimals, states, staleAfter }) {
  const judged = useJudged(address, staleAfter);
  const { kind, stale, doubt, cell, age } = judged;
  if (kind === 'waiting' || cell === null) return html`<span class=${cls('value', stale && 'hatched')}>…</span>`;
  const mark = kind === 'bad' || (doubt !== null && doubt !== 'stale' && doubt !== 'link');
  return html`<span class=${cls('value', stale && 'hatched')}>
    ${kind === 'bad' ? '\u2014' : h(Quantity, { value: cell.v, decimals, symbol, states })}
    ${mark && html` <span class="doubt">${reasonWord(doubt ?? 'initial')}</span>`}
    ${stale && age !== null && html` <span class="doubt">${duration(age)}</span>`}
  </span>`;
}

/** By unit, so that the numbers of a list stand below each other. @type {Map<string, number>} */
const digitsSeen = new Map();

/**
 * Digits of a value that is known by its alarm alone: the most seen of its unit.
 * @param {{ symbol: string, value: Scalar, limit: Scalar }} of
 * @param {Scalar} now
 */
export function digitsOf({ symbol, value, limit }, now) {
  const digits = Math.max(digitsSeen.get(symbol) ?? 1, decimalsOf([value, limit, now]));
  digitsSeen.set(symbol, digits);
  return digits;
}

/**
 * The value now of an alarm's point. It has the most digits seen of it: 0.338 must not be rounded to
 * its limit of 0.34, and digits that come and go cannot be read.
 * @param {object} p
 * @param {{ point: string, symbol: string, value: Scalar, limit: Scalar, value_states: State[] }} p.of
 */
export function ValueNow({ of }) {
  const cell = live.cell(of.point).value;
  return LiveValue({ address: of.point, symbol: of.symbol, decimals: digitsOf(of, cell?.v ?? null), states: of.value_states, staleAfter: Infinity });
}

/**
 * A limit of a point of states stays a number: it lies between two of them.
 * @param {{ point: string, value: Scalar, limit: Scalar, symbol: string, value_states: State[] }} of
 */
export function thenAndLimit(of) {
  const decimals = Math.max(digitsSeen.get(of.symbol) ?? (typeof of.limit === 'number' ? 1 : 0), decimalsOf([of.value, of.limit]));
  return {
    then: of.value === null ? scalar(null, 0) : h(Quantity, { value: of.value, decimals, symbol: of.symbol, states: of.value_states }),
    limit: of.limit === null ? null : quantity(of.limit, decimalsOf([of.limit]), of.symbol),
  };
}

// ---- states of a part of the page

/** Grey bars that appear when a reply takes longer than 200 ms. @param {{ rows: number }} p */
export function Loading({ rows }) {
  return html`<div class="skeleton" role="status">
    <span class="unseen">${t('state.loading')}</span>
    ${Array.from({ length: rows }, () => html`<div class="skeleton-row"></div>`)}
  </div>`;
}

/**
 * Why there is nothing, and what to do.
 * @param {object} p
 * @param {string} p.why
 * @param {string} [p.action]
 * @param {string} [p.href]
 */
export function Empty({ why, action, href }) {
  return html`<div class="empty"><p>${why}</p>${href && html`<p><a href=${href}>${action}</a></p>`}</div>`;
}

/** The words for a failure. @param {ApiError} error */
export function failureWords(error) {
  const key = `error.${error.code}`;
  return has(key) ? t(key) : t('error.other', { code: error.code });
}

/**
 * What failed, its request id, and another try. The rest of the page lives on.
 * @param {object} p
 * @param {ApiError} p.error
 * @param {() => void} [p.retry]
 */
export function Failure({ error, retry }) {
  return html`<div class="failure" role="alert">
    ${h(Icon, { name: 'warn' })}
    <p>${failureWords(error)}</p>
    ${error.requestId && html`<p class="quiet">${t('error.request', { id: error.requestId })}</p>`}
    ${retry && html`<button type="button" onClick=${retry}>${t('action.retry')}</button>`}
  </div>`;
}
