// The numbers of the trend explorer: statistics with the value under the cursor, and every value
// shown as a table, which is what a person who sees no chart reads.

import { cls, h, html, useState } from '../lib/ui.js';
import { clock, date, fullStamp, minute, number, offsetText, percent, quantity, stamp, stateOf, stateWords, t, unit } from '../lib/i18n.js';
import { go, pointHref } from '../lib/nav.js';
import { isStepped, rowsOf, trendHref, valueAt } from '../lib/trend.js';
import { COLOURS, DASHES, PAST, cursorAt } from './plot.js';
import { Icon, Named, reasonWord } from './basics.js';
import { TrendIcon } from './trend-icons.js';

/** @typedef {import('../lib/types').Point} Point */
/** @typedef {import('../lib/types').Statistics} Statistics */
/** @typedef {import('../lib/trend.js').Asked} Asked */
/** @typedef {import('../lib/trend.js').Shown} Shown */
/** @typedef {import('../lib/series-api.js').Held} Held */
/** @typedef {import('./plot.js').View} View */

const ROWS = 50;
const SPREADS_MAX = 2;
/** Of a span shorter than this the seconds are said. */
const SECONDS_BELOW = 2 * 3_600_000;
/** How far from the cursor a value may stand. Pixels. */
const REACH = 8;

/** `2026-11-21 17:52 – 2026-11-22 17:52 +08:00`, seconds where they matter. @param {View} view */
export function spanWords({ from, to }) {
  const time = to - from < SECONDS_BELOW ? clock : minute;
  return `${date(from)} ${time(from)} – ${date(to)} ${time(to)} ${offsetText(to)}`;
}

/** The line of a point in small. @param {{ slot: number, past?: string, solid?: boolean }} p */
export function Swatch({ slot, past = '', solid = false }) {
  const dash = past ? (PAST[past] ?? []).join(' ') : solid ? '' : (DASHES[Math.floor(slot / COLOURS) % DASHES.length] ?? []).join(' ');
  return html`<svg class="swatch" viewBox="0 0 22 18" aria-hidden="true"><line x1="0" x2="22" y1="9" y2="9" class=${`stroke-${(slot % COLOURS) + 1}`} stroke-dasharray=${dash || undefined} stroke-width=${past ? 1.25 : 2.5} /></svg>`;
}

/**
 * A figure in the point's way of writing, or its state's name.
 * @param {Point} point
 * @param {number | null | undefined} value
 * @param {boolean} [bare] without the unit
 */
export function figure(point, value, bare = false) {
  if (value === null || value === undefined) return '\u2014';
  const state = stateOf(value, point.states);
  if (state && Number.isInteger(value)) return stateWords(state);
  if (point.kind === 'bool' && (value === 0 || value === 1)) return value === 1 ? t('value.true') : t('value.false');
  return bare ? number(value, point.decimals) : quantity(value, point.decimals, point.symbol);
}

/**
 * What stands under the cursor; moves alone, so that nothing else is drawn with it.
 * @param {{ held: Held | null, point: Point, by: number, view: View, pixels: number, band?: boolean }} p
 */
export function UnderCursor({ held, point, by, view, pixels, band = false }) {
  const at = cursorAt.value;
  if (at === null) return null;
  const found = valueAt(held, point, at - by, (REACH * (view.to - view.from)) / Math.max(1, pixels));
  if (!found) return html`<span class="quiet">${t('trend.nothing')}</span>`;
  if (found.value === null) return html`<span class="quiet">${t('quality.bad')}${found.reason && ` · ${reasonWord(found.reason)}`}</span>`;
  const apart = band && found.min !== null && found.max !== null && found.min !== found.max && !isStepped(point);
  return html`<span class="num">${figure(point, found.value)}${apart && html` <span class="quiet">${t('trend.between', { low: figure(point, found.min, true), high: figure(point, found.max, true) })}</span>`}${found.quality === 'uncertain' && html` <span class="quiet">${t('quality.uncertain')}</span>`}</span>`;
}

/** The moment under the cursor. */
export function CursorTime() {
  const at = cursorAt.value;
  return at === null ? html`<span class="quiet">${t('trend.no-cursor')}</span>` : html`<strong class="num">${fullStamp(at)}</strong>`;
}

/**
 * What a counter grew by. Of a measurement every fall was taken for a reset: a sum far beyond its
 * spread is no increase.
 * @param {Statistics} of
 */
function increaseOf({ increase, min, max }) {
  if (increase === null || min === null || max === null) return null;
  return Math.abs(increase) <= SPREADS_MAX * (max - min) ? increase : null;
}

/** @param {{ point: Point, of: Statistics | undefined }} p */
function Figures({ point, of }) {
  const amount = isStepped(point) ? () => '' : (/** @type {number | null | undefined} */ value) => figure(point, value, true);
  const when = (/** @type {number | null | undefined} */ at) => (at ? stamp(at) : undefined);
  if (!of) return Array.from({ length: 10 }, (_, i) => html`<td key=${i} class="num quiet">…</td>`);
  return html`
    <td class="num" title=${when(of.min_at)}>${amount(of.min)}</td><td class="num" title=${when(of.max_at)}>${amount(of.max)}</td>
    <td class="num">${amount(of.mean)}</td><td class="num">${amount(of.weighted_mean)}</td>
    <td class="num">${figure(point, of.first, true)}</td><td class="num">${figure(point, of.last, true)}</td>
    <td class="num">${amount(increaseOf(of))}</td><td class="num">${amount(of.deviation)}</td>
    <td class="num">${number(of.count, 0)}</td><td class="num">${of.good_share === null || of.good_share === undefined ? '\u2014' : percent(of.good_share)}</td>`;
}

/**
 * @typedef {object} Item a point on the page, or its overlay
 * @property {string} address
 * @property {Point | undefined} point none: it is not there, or not yet known
 * @property {boolean} missing the site has no such point
 * @property {number} slot
 * @property {string | null} shift
 * @property {number} by
 * @property {Held | null} held
 * @property {Statistics | undefined} statistics
 */

/**
 * @param {object} p
 * @param {Asked} p.asked
 * @param {Item[]} p.items
 * @param {View} p.view
 * @param {number} p.pixels
 * @param {boolean} p.current whether the figures are of this span
 */
export function StatisticsTable({ asked, items, view, pixels, current }) {
  const heads = [t('trend.min'), t('trend.max'), t('trend.mean'), t('trend.weighted'), t('trend.first'), t('trend.last'), t('trend.increase'), t('trend.deviation'), t('trend.count'), t('trend.good')];
  return html`<section class="panel scroll-x" tabindex="0" aria-label=${t('trend.statistics')}><table class=${cls('table trend-table', !current && 'waiting')}>
    <caption>${t('trend.statistics')} · <span class="num">${spanWords(view)}</span>${!current && ` · ${t('state.loading')}`}</caption>
    <thead><tr><th scope="col">${t('alarms.point')}</th><th scope="col">${t('points.unit')}</th><th scope="col" class="num c-cursor">${t('trend.cursor')}</th>
      ${heads.map((words) => html`<th key=${words} scope="col" class="num">${words}</th>`)}<th scope="col"><span class="unseen">${t('trend.remove')}</span></th></tr></thead>
    <tbody>${items.map((item) => h(StatisticsRow, { key: `${item.address} ${item.shift}`, asked, item, view, pixels }))}</tbody>
  </table></section>`;
}

/** @param {{ asked: Asked, item: Item, view: View, pixels: number }} p */
function StatisticsRow({ asked, item, view, pixels }) {
  const { address, point, missing, slot, shift, by, held, statistics } = item;
  const gone = asked.hidden.includes(address);
  const toggle = () => go(trendHref({ ...asked, hidden: asked.points.filter((one) => (one === address) !== asked.hidden.includes(one)) }));
  const remove = () => go(trendHref({ ...asked, points: asked.points.filter((one) => one !== address) }));
  const name = point ? h(Named, { of: point.name }) : address;
  return html`<tr data-row class=${cls(gone && 'gone', shift && 'past')}>
    <th scope="row"><span class="c-series">${h(Swatch, { slot, past: shift ?? '', solid: point !== undefined && isStepped(point) })}
      <span>${shift === null ? html`<a href=${pointHref(address)} data-row-link>${name}</a>` : html`${name} <span class="tag">${t(`trend.over-${shift}`)}</span>`}</span></span></th>
    <td class="quiet">${point ? unit(point.symbol) : ''}</td>
    <td class="num c-cursor">${point && !gone && h(UnderCursor, { held, point, by, view, pixels })}</td>
    ${point?.kind === 'text' ? html`<td colspan="10" class="quiet">${t('trend.text')}</td>` : point ? h(Figures, { point, of: statistics }) : html`<td colspan="10" class="quiet">${missing ? t('error.not_found') : '\u2026'}</td>`}
    <td class="c-act">${shift === null && html`<span class="row-acts">
      ${point && html`<button type="button" class="bare" aria-pressed=${gone} title=${gone ? t('trend.show') : t('trend.hide')} onClick=${toggle}>${h(TrendIcon, { name: gone ? 'eye-off' : 'eye' })}<span class="unseen">${t('trend.hide')} ${name}</span></button>`}
      <button type="button" class="bare" title=${t('trend.remove')} onClick=${remove}>${h(Icon, { name: 'close' })}<span class="unseen">${t('trend.remove')} ${name}</span></button></span>`}</td>
  </tr>`;
}

/** @param {{ line: Shown, i: number }} p */
function Cell({ line, i }) {
  const { point, held } = line;
  const track = held.tracks.get(point.address);
  if (!track || i < 0) return null;
  const stepped = isStepped(point);
  const value = held.raw || stepped ? track.last[i] : track.mean[i];
  const reason = track.reason[i];
  if (value === null) return html`<span class="quiet">${t('quality.bad')}${reason && ` · ${reasonWord(reason)}`}</span>`;
  const [low, high] = [track.min[i], track.max[i]];
  return html`${figure(point, value, true)}${!held.raw && !stepped && low !== high && html` <span class="quiet">${t('trend.between', { low: figure(point, low, true), high: figure(point, high, true) })}</span>`}${track.quality[i] === 'uncertain' && html` <span class="quiet">${t('quality.uncertain')}</span>`}`;
}

/** Every value shown, newest first. @param {{ lines: Shown[], view: View }} p */
export function ValueTable({ lines, view }) {
  const [page, setPage] = useState(0);
  const rows = rowsOf(lines, view);
  const pages = Math.max(1, Math.ceil(rows.length / ROWS));
  const at = Math.min(page, pages - 1);
  const end = rows.length - at * ROWS;
  const shown = rows.slice(Math.max(0, end - ROWS), end).reverse();
  return html`<div class="scroll-x" tabindex="0" role="group" aria-label=${t('trend.values')}><table class="table">
    <caption>${t('trend.values-caption', { n: number(rows.length, 0) })}</caption>
    <thead><tr><th scope="col">${t('points.at')}</th>${lines.map(({ name, point }) => html`<th key=${name} scope="col" class="num"><span data-written>${name}</span>${point.symbol && ` (${unit(point.symbol)})`}</th>`)}</tr></thead>
    <tbody>${shown.map((row) => html`<tr key=${row.at}><th scope="row" class="time">${date(row.at)} ${clock(row.at)}</th>
      ${row.cells.map((i, n) => html`<td key=${n} class="num">${lines[n] && h(Cell, { line: lines[n], i })}</td>`)}</tr>`)}</tbody>
  </table></div>
  ${pages > 1 && html`<div class="pager">
    <button type="button" disabled=${at === 0} onClick=${() => setPage(at - 1)}>${h(Icon, { name: 'left' })}${t('point.newer')}</button>
    <span class="quiet">${t('point.page', { at: at + 1, of: pages })}</span>
    <button type="button" disabled=${at === pages - 1} onClick=${() => setPage(at + 1)}>${t('point.older')}${h(Icon, { name: 'right' })}</button>
  </div>`}`;
}
