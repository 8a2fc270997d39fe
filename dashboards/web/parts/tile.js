// A point in a box: name, value, where it lies in its normal band, its last day, and its alarm.
//
// The part that lives renders only when what it shows changes, so that a page of 300 tiles costs
// little at each tick. Whoever mounts tiles subscribes to their points, once for the whole view.

import { cls, computed, h, html, useRef } from '../lib/ui.js';
import { duration, scalar, t, unit } from '../lib/i18n.js';
import { pointHref } from '../lib/nav.js';
import { judge, live } from '../lib/live.js';
import { alarms } from '../lib/site.js';
import { Chip, Named, Quantity, reasonWord } from './basics.js';
import { Bullet, sideOf } from './bullet.js';
import { Sparkline } from './sparkline.js';

/** @typedef {import('../lib/types').Names} Names */
/** @typedef {import('../lib/types').Live} Live */
/** @typedef {import('../lib/types').State} State */
/** @typedef {import('./sparkline.js').Step} Step */
/**
 * What a tile needs to know of a point.
 * @typedef {object} TilePoint
 * @property {string} address
 * @property {Names} name
 * @property {string} symbol
 * @property {number} decimals
 * @property {State[]} states
 * @property {number} stale_after_ms
 * @property {[number, number] | null} [normal]
 * @property {[number, number] | null} [range]
 */
/** @typedef {{ kind: 'waiting' | 'bad' | 'value', doubt: string | null, stale: boolean, cell: Live | null, age: string }} Shown */
/** @typedef {{ priority: number, state: string }} TileAlarm */

/** The worst open alarm of each point. */
const worst = computed(() => {
  /** @type {Map<string, TileAlarm>} */
  const found = new Map();
  for (const alarm of alarms.value.items ?? []) {
    const other = found.get(alarm.point);
    if (!other || alarm.priority < other.priority) found.set(alarm.point, alarm);
  }
  return found;
});

/** What is shown of a point; the same object as before while that is the same. @param {TilePoint} point */
function follow(point) {
  /** @type {Shown | null} */
  let last = null;
  return computed(() => {
    const cell = live.cell(point.address).value;
    live.second.value; // ages move
    const now = live.now();
    const judged = judge(cell, point.stale_after_ms, now, live.link.value.state === 'lost');
    const age = judged.stale && cell ? duration(now - cell.at) : '';
    const same = last !== null && last.cell?.v === cell?.v && last.kind === judged.kind &&
      last.doubt === judged.doubt && last.stale === judged.stale && last.age === age;
    if (!same || last === null) last = { ...judged, cell, age };
    return last;
  });
}

/** Values that a person set by hand carry this letter. */
const MANUAL = 'M';

/** What must be said beside the number. @param {{ shown: Shown, side: ReturnType<typeof sideOf> }} p */
function Notes({ shown: { kind, doubt, stale, age }, side }) {
  const manual = doubt === 'substituted';
  const reason = kind === 'bad' || (doubt !== null && !manual && doubt !== 'stale' && doubt !== 'link');
  const outside = side === 'above' || side === 'below';
  return html`
    ${manual && html`<span class="tag" title=${reasonWord('substituted')}>${MANUAL}<span class="unseen"> ${reasonWord('substituted')}</span></span>`}
    ${reason && html`<span class="doubt">${reasonWord(doubt ?? 'initial')}</span>`}
    ${stale && age !== '' && html`<span class="doubt">${age}</span>`}
    ${outside && html`<span class="tile-side"><svg class="tile-arrow" viewBox="0 0 10 10" aria-hidden="true" focusable="false"><path d=${side === 'above' ? 'M5 1 9 8H1z' : 'M5 9 1 2h8z'} /></svg>${t(`tile.${side}`)}</span>`}`;
}

/** The number and its unit, or the name of a state. @param {{ point: TilePoint, cell: Live }} p */
function Figure({ point, cell }) {
  if (point.states.length > 0) return h(Quantity, { value: cell.v, decimals: point.decimals, symbol: '', states: point.states });
  return html`${scalar(cell.v, point.decimals)}${point.symbol && typeof cell.v === 'number' && html`<span class="tile-unit">\u00a0${unit(point.symbol)}</span>`}`;
}

/**
 * Value and band of a tile.
 * @param {{ point: TilePoint, shown: Shown, followed?: boolean }} p `followed`: it comes from the plant
 */
export function TileValue({ point, shown, followed }) {
  const { kind, stale, cell } = shown;
  const value = kind === 'value' ? cell?.v : null;
  const measured = point.states.length === 0;
  return html`
    <span class=${cls('tile-value value', stale && 'hatched')} data-live=${followed}>
      <b class=${cls('tile-figure', (!measured || typeof value === 'string') && 'tile-words')}>${kind === 'waiting' || !cell ? '…' : kind === 'bad' ? '\u2014' : h(Figure, { point, cell })}</b>
      ${h(Notes, { shown, side: measured ? sideOf(value, point.normal) : null })}
    </span>
    ${measured && h(Bullet, { value, normal: point.normal, range: point.range })}`;
}

/** Value and band of a point, live. @param {{ point: TilePoint }} p */
export function LivePart({ point }) {
  const held = useRef(/** @type {{ point: TilePoint, shown: ReturnType<typeof follow> } | null} */ (null));
  if (held.current?.point !== point) held.current = { point, shown: follow(point) };
  return h(TileValue, { point, shown: held.current.shown.value, followed: true });
}

/** @param {{ point: TilePoint }} p */
function AlarmPart({ point }) {
  const alarm = worst.value.get(point.address);
  return alarm ? h(Chip, { priority: alarm.priority, state: alarm.state }) : null;
}

/**
 * A tile of given contents: what the gallery shows without a plant.
 * @param {object} p
 * @param {TilePoint} p.point
 * @param {Step[] | null | undefined} [p.spark] none: without a sparkline; null: on its way
 * @param {any} p.value
 * @param {any} p.chip
 */
export function TileFrame({ point, spark, value, chip }) {
  return html`<a class="tile" href=${pointHref(point.address)}>
    <span class="tile-head"><span class="tile-label">${h(Named, { of: point.name })}</span>${chip}</span>
    ${value}
    ${spark !== undefined && h(Sparkline, { values: spark, normal: point.normal })}
  </a>`;
}

/**
 * A live tile. Keep `point` the same object from render to render.
 * @param {object} p
 * @param {TilePoint} p.point
 * @param {Step[] | null | undefined} [p.spark] the last 24 h; null while they are on their way
 */
export function Tile({ point, spark }) {
  return h(TileFrame, { point, spark, value: h(LivePart, { point }), chip: h(AlarmPart, { point }) });
}
