// A bar with the normal band and a pointer: where a value lies, told without a colour. Takes the
// place of gauges.

import { cls, html } from '../lib/ui.js';

/** @typedef {[number, number] | null | undefined} Band */

/** Shown on each side of the normal band, in widths of it. */
const MARGIN = 0.5;
/** Units of the drawing from end to end. */
const LENGTH = 100;
/** The pointer stays whole at the ends. */
const EDGE = 1;

/**
 * The ends of the bar: the normal band with half its width on each side, never past the
 * instrument's range, and not below nothing where the band is not. Without a band, the range.
 * @param {Band} normal
 * @param {Band} range
 * @returns {[number, number] | null} none: there is nothing to compare a value with
 */
export function bulletEnds(normal, range) {
  const own = range && range[1] > range[0] ? range : null;
  if (!normal || normal[1] < normal[0]) return own;
  const width = normal[1] - normal[0] || Math.abs(normal[0]) || 1;
  let low = normal[0] - MARGIN * width;
  let high = normal[1] + MARGIN * width;
  if (own) [low, high] = [Math.max(low, Math.min(own[0], normal[0])), Math.min(high, Math.max(own[1], normal[1]))];
  else if (normal[0] >= 0) low = Math.max(low, 0);
  return high > low ? [low, high] : null;
}

/**
 * On which side of its normal band a value lies; null where it has none.
 * @param {unknown} value
 * @param {Band} normal
 * @returns {'below' | 'within' | 'above' | null}
 */
export function sideOf(value, normal) {
  if (typeof value !== 'number' || !normal) return null;
  if (value < normal[0]) return 'below';
  return value > normal[1] ? 'above' : 'within';
}

/**
 * For the eye alone: the value and the word beside it say the same.
 * @param {object} p
 * @param {unknown} p.value the pointer; none where there is no number
 * @param {Band} p.normal
 * @param {Band} p.range
 */
export function Bullet({ value, normal, range }) {
  const ends = bulletEnds(normal, range);
  if (!ends) return null;
  const [low, high] = ends;
  const at = (/** @type {number} */ number) => Math.min(LENGTH, Math.max(0, ((number - low) / (high - low)) * LENGTH));
  const pointer = typeof value === 'number' ? Math.min(LENGTH - EDGE, Math.max(EDGE, at(value))) : null;
  const side = sideOf(value, normal);
  return html`<svg class="bullet" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" focusable="false">
    <rect class="bullet-ground" y="2" width=${LENGTH} height="6" />
    ${normal && html`<rect class="bullet-normal" x=${at(normal[0])} y="2" width=${Math.max(at(normal[1]) - at(normal[0]), EDGE)} height="6" />`}
    ${pointer !== null && html`<path class=${cls('bullet-pointer', side !== null && side !== 'within' && 'bullet-outside')} d=${`M${pointer} 0V10`} />`}
  </svg>`;
}
