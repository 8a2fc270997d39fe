// One point's readings as an SVG line; states as steps between named levels. Gaps are gaps; Bad is a
// hatched span, Uncertain a ring.

import { cls, h, html, useEffect, useRef, useState } from '../lib/ui.js';
import { clock, minute, number, offsetMinutes, quantity, stamp, stateOf, stateWords, t } from '../lib/i18n.js';
import { badSpans, nearest, numeric, runs, stateLevels, thin, tickDecimals, timeTicks, valueTicks } from '../lib/chart.js';
import { Quantity, reasonWord } from './basics.js';

/** @typedef {import('../lib/types').Reading} Reading */
/** @typedef {import('../lib/types').Point} Point */

const HEIGHT = 260;
const LEFT = 64;
/** Least height of a level of states, and most of the width its name may take. Pixels, share. */
const LEVEL = 24;
const NAMES_MAX = 0.36;
/** With more levels than this the numbers are no states, whatever the configuration says. */
const LEVELS_MAX = 40;
const RIGHT = 12;
const TOP = 12;
const BOTTOM = 26;
/** Rings nearer than this would hide each other. Pixels. */
const RING_GAP = 7;

/** The width an element is given, followed. @param {number} first */
export function useWidth(first) {
  const ref = useRef(/** @type {HTMLElement | null} */ (null));
  const [width, setWidth] = useState(first);
  useEffect(() => {
    const element = ref.current;
    if (!element) return undefined;
    const watch = new ResizeObserver(() => setWidth(Math.max(240, Math.floor(element.clientWidth))));
    watch.observe(element);
    return () => watch.disconnect();
  }, []);
  return { ref, width };
}

/** @param {Reading[]} readings */
function extent(readings) {
  let low = Infinity;
  let high = -Infinity;
  for (const reading of readings) {
    const value = numeric(reading);
    if (value === null) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return { low: 0, high: 1 };
  const pad = (high - low) * 0.06 || Math.max(0.5, Math.abs(high) * 0.01);
  return { low: low - pad, high: high + pad };
}

/** @param {Reading[]} readings @param {(at: number) => number} x */
function rings(readings, x) {
  let last = -Infinity;
  return readings.filter((reading) => {
    if (reading.quality !== 'uncertain' || numeric(reading) === null || x(reading.at) - last < RING_GAP) return false;
    last = x(reading.at);
    return true;
  });
}

/** About how wide a text is drawn at 12 px. @param {string} text */
function textWidth(text) {
  return [...text].reduce((sum, letter) => sum + (letter > '\u2e7f' ? 12 : 6.6), 0);
}

/** @param {string} text @param {number} room pixels */
function shortened(text, room) {
  if (textWidth(text) <= room) return text;
  let kept = text;
  while (kept && textWidth(`${kept}\u2026`) > room) kept = kept.slice(0, -1);
  return `${kept.trimEnd()}\u2026`;
}

/**
 * Where values stand and what is written beside them.
 * @param {Point} point
 * @param {Reading[]} readings
 * @param {number} width
 */
function scaleOf(point, readings, width) {
  const levels = point.states.length > 0 ? stateLevels(point.states, readings) : [];
  if (levels.length > 0 && levels.length <= LEVELS_MAX) return scaleOfStates(point, levels, width);
  const { low, high } = extent(readings);
  const ticks = valueTicks(low, high, 5);
  const decimals = tickDecimals(ticks);
  const y = (/** @type {number} */ value) => TOP + ((high - value) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  return { y, height: HEIGHT, left: LEFT, step: point.kind === 'bool', ticks: ticks.map((value) => ({ value, label: number(value, decimals), whole: '' })) };
}

/**
 * States have an order and no distance: 0, 1 and 255 are three levels.
 * @param {Point} point
 * @param {number[]} levels least first
 * @param {number} width
 */
function scaleOfStates(point, levels, width) {
  const height = Math.max(HEIGHT, TOP + BOTTOM + levels.length * LEVEL);
  const room = (height - TOP - BOTTOM) / levels.length;
  const y = (/** @type {number} */ value) => height - BOTTOM - (levels.indexOf(value) + 0.5) * room;
  const words = levels.map((level) => {
    const state = stateOf(level, point.states);
    return state ? stateWords(state) : '';
  });
  const left = Math.min(Math.max(LEFT, ...words.map((text) => textWidth(text) + 16)), Math.round(width * NAMES_MAX));
  const ticks = levels.map((value, i) => ({ value, label: shortened(words[i] ?? '', left - 12), whole: words[i] ?? '' }));
  return { y, height, left, step: true, ticks };
}

/** Which states occur. @param {Reading[]} readings @param {Point} point */
function summaryOfStates(readings, point) {
  const doubtful = readings.filter((reading) => reading.quality !== 'good').length;
  const seen = [...new Set(readings.map(numeric).filter((value) => value !== null))].sort((a, b) => a - b);
  if (seen.length === 0) return t('chart.empty');
  const words = seen.map((value) => stateOf(value, point.states)).map((state) => (state ? stateWords(state) : ''));
  return t('chart.states', { n: number(readings.length, 0), states: words.join(', '), bad: number(doubtful, 0) });
}

/** What the picture says, in words. @param {Reading[]} readings @param {Point} point */
function summary(readings, point) {
  if (point.states.length > 0) return summaryOfStates(readings, point);
  const values = readings.map(numeric).filter((value) => value !== null);
  const doubtful = readings.filter((reading) => reading.quality !== 'good').length;
  if (values.length === 0) return t('chart.empty');
  return t('chart.summary', {
    n: number(readings.length, 0), low: quantity(values.reduce((a, b) => Math.min(a, b)), point.decimals, point.symbol),
    high: quantity(values.reduce((a, b) => Math.max(a, b)), point.decimals, point.symbol), bad: number(doubtful, 0),
  });
}

/**
 * @param {object} p
 * @param {Point} p.point
 * @param {Reading[]} p.readings
 * @param {number} p.from
 * @param {number} p.to
 * @param {(edges: { left: number, right: number, width: number }) => any} [p.above] what stands over the plot
 * @param {(across: number) => number[]} [p.hairs] lines through it, pixels from its left edge
 */
export function Series({ point, readings, from, to, above, hairs }) {
  const { ref, width } = useWidth(800);
  const [at, setAt] = useState(/** @type {number | null} */ (null));
  const { y, height, left, step, ticks } = scaleOf(point, readings, width);
  const x = (/** @type {number} */ ms) => left + ((ms - from) / (to - from)) * (width - left - RIGHT);
  const times = timeTicks(from, to, Math.max(2, Math.floor((width - left + LEFT) / 110)), offsetMinutes(to) * 60_000);
  const perPixel = (to - from) / Math.max(1, width - left - RIGHT);
  const lines = runs(readings, point.hold_ms).map((run) => thin(run, from, perPixel)
    .map(({ at: moment, value }, i) => `${i === 0 ? 'M' : step ? `H${x(moment).toFixed(1)}V${y(value).toFixed(1)}M` : 'L'}${x(moment).toFixed(1)} ${y(value).toFixed(1)}`)
    .join(''));
  const lone = runs(readings, point.hold_ms).filter((run) => run.length === 1).map((run) => run[0]);
  const pointer = (/** @type {PointerEvent} */ event) => {
    const box = /** @type {Element} */ (event.currentTarget).getBoundingClientRect();
    const moment = from + ((event.clientX - box.left - left) / (width - left - RIGHT)) * (to - from);
    setAt(moment >= from && moment <= to ? moment : null);
  };
  const chosen = at === null ? undefined : readings[nearest(readings, at)];
  return html`${above?.({ left, right: RIGHT, width })}<figure class="chart" ref=${ref}>
    <svg role="img" aria-label=${summary(readings, point)} viewBox=${`0 0 ${width} ${height}`} width=${width} height=${height}
      onPointerMove=${pointer} onPointerLeave=${() => setAt(null)}>
      <defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="hatch-fill" width="3" height="6" /></pattern></defs>
      ${ticks.map((tick) => html`<g key=${tick.value} class="grid"><line x1=${left} x2=${width - RIGHT} y1=${y(tick.value)} y2=${y(tick.value)} /><text x=${left - 8} y=${y(tick.value) + 4} text-anchor="end">${tick.label}${tick.whole && tick.whole !== tick.label && html`<title>${tick.whole}</title>`}</text></g>`)}
      ${times.map((time) => html`<g key=${time} class="grid"><line x1=${x(time)} x2=${x(time)} y1=${height - BOTTOM} y2=${height - BOTTOM + 5} /><text x=${x(time)} y=${height - 6} text-anchor="middle">${minute(time)}</text></g>`)}
      ${badSpans(readings, point.hold_ms).map((span) => html`<rect key=${span.from} class="bad-span" x=${x(span.from)} y=${TOP} width=${Math.max(2, x(Math.min(span.to, to)) - x(span.from))} height=${height - TOP - BOTTOM}><title>${reasonWord(span.reason ?? 'initial')}</title></rect>`)}
      ${hairs?.(width - left - RIGHT).map((at) => html`<line key=${`hair ${at}`} class="hair" x1=${left + at} x2=${left + at} y1=${TOP} y2=${height - BOTTOM} />`)}
      <line class="axis" x1=${left} x2=${width - RIGHT} y1=${height - BOTTOM} y2=${height - BOTTOM} />
      ${lines.map((d, i) => html`<path key=${i} class=${cls('line-1', step && 'line-step')} d=${d} />`)}
      ${lone.map((one) => one && html`<circle key=${one.at} class="dot-1" cx=${x(one.at)} cy=${y(one.value)} r="2" />`)}
      ${rings(readings, x).map((reading) => html`<circle key=${reading.at} class="ring" cx=${x(reading.at)} cy=${y(numeric(reading) ?? 0)} r="3.5" />`)}
      ${chosen && html`<line class="cursor" x1=${x(chosen.at)} x2=${x(chosen.at)} y1=${TOP} y2=${height - BOTTOM} />`}
    </svg>
    <figcaption class="readout">${chosen
      ? html`<span class="num">${stamp(chosen.at)}</span> <strong class="num">${h(Quantity, { value: chosen.value, decimals: point.decimals, symbol: point.symbol, states: point.states })}</strong> ${chosen.reason && reasonWord(chosen.reason)}`
      : html`<span class="quiet">${h(Legend, { from, to })}</span>`}</figcaption>
  </figure>`;
}

/** @param {{ from: number, to: number }} p */
function Legend({ from, to }) {
  return html`<span>${stamp(from)} – ${clock(to)}</span>
    <span class="key"><svg class="swatch" viewBox="0 0 16 12" aria-hidden="true"><rect class="bad-span" width="16" height="12" /></svg>${t('quality.bad')}</span>
    <span class="key"><svg class="swatch" viewBox="0 0 16 12" aria-hidden="true"><circle class="ring" cx="8" cy="6" r="3.5" /></svg>${t('quality.uncertain')}</span>`;
}
