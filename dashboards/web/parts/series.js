// One point's readings as an SVG line. Gaps are gaps; Bad is a hatched span, Uncertain a ring.

import { h, html, useEffect, useRef, useState } from '../lib/ui.js';
import { clock, minute, number, offsetMinutes, quantity, stamp, t } from '../lib/i18n.js';
import { badSpans, nearest, numeric, runs, thin, tickDecimals, timeTicks, valueTicks } from '../lib/chart.js';
import { reasonWord } from './basics.js';

/** @typedef {import('../lib/types').Reading} Reading */
/** @typedef {import('../lib/types').Point} Point */

const HEIGHT = 260;
const LEFT = 64;
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

/** What the picture says, in words. @param {Reading[]} readings @param {Point} point */
function summary(readings, point) {
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
 */
export function Series({ point, readings, from, to }) {
  const { ref, width } = useWidth(800);
  const [at, setAt] = useState(/** @type {number | null} */ (null));
  const { low, high } = extent(readings);
  const x = (/** @type {number} */ ms) => LEFT + ((ms - from) / (to - from)) * (width - LEFT - RIGHT);
  const y = (/** @type {number} */ value) => TOP + ((high - value) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const ticks = valueTicks(low, high, 5);
  const decimals = tickDecimals(ticks);
  const times = timeTicks(from, to, Math.max(2, Math.floor(width / 110)), offsetMinutes(to) * 60_000);
  const step = point.kind === 'bool';
  const perPixel = (to - from) / Math.max(1, width - LEFT - RIGHT);
  const lines = runs(readings, point.stale_after_ms).map((run) => thin(run, from, perPixel)
    .map(({ at: moment, value }, i) => `${i === 0 ? 'M' : step ? `H${x(moment).toFixed(1)}V${y(value).toFixed(1)}M` : 'L'}${x(moment).toFixed(1)} ${y(value).toFixed(1)}`)
    .join(''));
  const lone = runs(readings, point.stale_after_ms).filter((run) => run.length === 1).map((run) => run[0]);
  const pointer = (/** @type {PointerEvent} */ event) => {
    const box = /** @type {Element} */ (event.currentTarget).getBoundingClientRect();
    const moment = from + ((event.clientX - box.left - LEFT) / (width - LEFT - RIGHT)) * (to - from);
    setAt(moment >= from && moment <= to ? moment : null);
  };
  const chosen = at === null ? undefined : readings[nearest(readings, at)];
  return html`<figure class="chart" ref=${ref}>
    <svg role="img" aria-label=${summary(readings, point)} viewBox=${`0 0 ${width} ${HEIGHT}`} width=${width} height=${HEIGHT}
      onPointerMove=${pointer} onPointerLeave=${() => setAt(null)}>
      <defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="hatch-fill" width="3" height="6" /></pattern></defs>
      ${ticks.map((tick) => html`<g key=${tick} class="grid"><line x1=${LEFT} x2=${width - RIGHT} y1=${y(tick)} y2=${y(tick)} /><text x=${LEFT - 8} y=${y(tick) + 4} text-anchor="end">${number(tick, decimals)}</text></g>`)}
      ${times.map((time) => html`<g key=${time} class="grid"><line x1=${x(time)} x2=${x(time)} y1=${HEIGHT - BOTTOM} y2=${HEIGHT - BOTTOM + 5} /><text x=${x(time)} y=${HEIGHT - 6} text-anchor="middle">${minute(time)}</text></g>`)}
      ${badSpans(readings, point.stale_after_ms).map((span) => html`<rect key=${span.from} class="bad-span" x=${x(span.from)} y=${TOP} width=${Math.max(2, x(Math.min(span.to, to)) - x(span.from))} height=${HEIGHT - TOP - BOTTOM}><title>${reasonWord(span.reason ?? 'initial')}</title></rect>`)}
      <line class="axis" x1=${LEFT} x2=${width - RIGHT} y1=${HEIGHT - BOTTOM} y2=${HEIGHT - BOTTOM} />
      ${lines.map((d, i) => html`<path key=${i} class="line-1" d=${d} />`)}
      ${lone.map((one) => one && html`<circle key=${one.at} class="dot-1" cx=${x(one.at)} cy=${y(one.value)} r="2" />`)}
      ${rings(readings, x).map((reading) => html`<circle key=${reading.at} class="ring" cx=${x(reading.at)} cy=${y(numeric(reading) ?? 0)} r="3.5" />`)}
      ${chosen && html`<line class="cursor" x1=${x(chosen.at)} x2=${x(chosen.at)} y1=${TOP} y2=${HEIGHT - BOTTOM} />`}
    </svg>
    <figcaption class="readout">${chosen
      ? html`<span class="num">${stamp(chosen.at)}</span> <strong class="num">${quantity(chosen.value, point.decimals, point.symbol)}</strong> ${chosen.reason && reasonWord(chosen.reason)}`
      : html`<span class="quiet">${h(Legend, { from, to })}</span>`}</figcaption>
  </figure>`;
}

/** @param {{ from: number, to: number }} p */
function Legend({ from, to }) {
  return html`<span>${stamp(from)} – ${clock(to)}</span>
    <span class="key"><svg class="swatch" viewBox="0 0 16 12" aria-hidden="true"><rect class="bad-span" width="16" height="12" /></svg>${t('quality.bad')}</span>
    <span class="key"><svg class="swatch" viewBox="0 0 16 12" aria-hidden="true"><circle class="ring" cx="8" cy="6" r="3.5" /></svg>${t('quality.uncertain')}</span>`;
}
