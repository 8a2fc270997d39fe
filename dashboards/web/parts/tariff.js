// What both energy screens share: the meter picker, the classes of a tariff, the bars' frame.

import { h, html } from '../lib/ui.js';
import { nameOf, number, percent, t } from '../lib/i18n.js';
import { tickDecimals, valueTicks } from '../lib/chart.js';
import { Named } from './basics.js';

/** @typedef {import('../lib/types').Meter} Meter */
/** @typedef {import('../lib/types').Tariff} Tariff */

/** Classes the tokens have a tone for. */
const TONES = ['sharp', 'peak', 'flat', 'valley'];

/** The class name that colours a bar. @param {string | null} id */
export function tone(id) {
  return `tou tou-${id !== null && TONES.includes(id) ? id : 'other'}`;
}

/** The letter that stands in a bar for its class. @param {Tariff | null} tariff @param {string | null} id */
export function markOf(tariff, id) {
  const found = tariff?.classes.find((one) => one.id === id);
  return found ? [...nameOf(found.name)][0] ?? '' : '';
}

/** @param {{ meters: Meter[], chosen: string, href: (id: string) => string, go: (href: string) => void }} p */
export function MeterPicker({ meters, chosen, href, go }) {
  return html`<label class="field"><span class="field-label">${t('energy.meter')}</span>
    <select value=${chosen} onChange=${(/** @type {any} */ event) => go(href(event.target.value))}>
      ${meters.map((meter) => html`<option key=${meter.id} value=${meter.id}>${h(Named, { of: meter.name })}</option>`)}
    </select></label>`;
}

/** What the tones and hatches mean. @param {{ tariff: Tariff | null, symbol: string }} p */
export function Legend({ tariff, symbol }) {
  return html`<ul class="legend">
    ${(tariff?.classes ?? []).map((one) => html`<li key=${one.id}>
      <svg class="swatch" viewBox="0 0 22 18" aria-hidden="true"><rect class=${tone(one.id)} width="22" height="18" /><text class=${`mark ${tone(one.id)}`} x="11" y="13.5" text-anchor="middle">${markOf(tariff, one.id)}</text></svg>
      ${h(Named, { of: one.name })} <span class="quiet num">${t('energy.price', { price: `${number(one.price, 4)}`, unit: symbol })}</span></li>`)}
    <li><svg class="swatch" viewBox="0 0 22 18" aria-hidden="true">${h(Hatch, { id: 'hatch-key' })}<rect class="tou tou-flat" width="22" height="18" /><rect fill="url(#hatch-key)" width="22" height="18" /></svg>${t('energy.estimated')}</li>
    <li><svg class="swatch" viewBox="0 0 22 18" aria-hidden="true"><rect class="missing" x="1" y="1" width="20" height="16" /></svg>${t('energy.missing')}</li>
    <li><svg class="swatch" viewBox="0 0 22 18" aria-hidden="true"><rect class="tou tou-flat" y="7" width="22" height="11" /><line class="partial" x1="0" x2="22" y1="4" y2="4" /></svg>${t('energy.partial')}</li>
  </ul>`;
}

/** The hatch of estimated values; it lies over any tone. @param {{ id: string }} p */
export function Hatch({ id }) {
  return html`<defs><pattern id=${id} width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="hatch-bar" width="2" height="5" /></pattern></defs>`;
}

/**
 * The horizontal lines and numbers behind bars.
 * @param {{ top: number, left: number, right: number, y: (value: number) => number, symbol: string }} p
 */
export function Scale({ top, left, right, y, symbol }) {
  const ticks = valueTicks(0, top, 4);
  const decimals = tickDecimals(ticks);
  return html`<g class="grid">
    ${ticks.map((tick) => html`<g key=${tick}><line x1=${left} x2=${right} y1=${y(tick)} y2=${y(tick)} /><text x=${left - 8} y=${y(tick) + 4} text-anchor="end">${number(tick, decimals)}</text></g>`)}
    <text x=${left - 8} y=${y(top) - 14} text-anchor="end">${symbol}</text></g>`;
}

/** A round top for a scale. @param {number} most */
export function roundTop(most) {
  const ticks = valueTicks(0, Math.max(most, 1e-9), 4);
  const step = (ticks[1] ?? most) - (ticks[0] ?? 0);
  return step > 0 ? Math.ceil(most / step - 1e-9) * step : 1;
}

/**
 * What is in doubt about a day, in words; nothing where nothing is.
 * @param {{ partial: boolean, estimated: number, event: number, missing: number }} share
 */
export function doubts(share) {
  return [
    share.partial ? t('energy.partial') : '',
    share.estimated > 0 ? t('energy.estimated-share', { share: percent(share.estimated) }) : '',
    share.event > 0 ? t('energy.event-share', { share: percent(share.event) }) : '',
    share.missing > 0 ? t('energy.missing-share', { share: percent(share.missing) }) : '',
  ].filter(Boolean);
}
