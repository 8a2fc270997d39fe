// The trend explorer: up to 24 points over one span, with overlays, statistics and export. The URL
// holds all of it; a hand on a chart moves the view at once and the URL a moment later.

import { cls, h, html, useEffect, useRef, useState } from '../lib/ui.js';
import { loadStyles } from '../lib/more.js';
import { date, duration, lang, nameOf, stamp, t, unit, zone } from '../lib/i18n.js';
import { go, place, useKeys } from '../lib/nav.js';
import { askedOf, chartsOf, csvOf, levelsOf, PRESETS, traceOf, trendHref, zoomed } from '../lib/trend.js';
import { useWidth } from '../parts/series.js';
import { Empty, Failure, Loading, Named } from '../parts/basics.js';
import { TrendIcon } from '../parts/trend-icons.js';
import { coloursOf, cursorAt, Plot } from '../parts/plot.js';
import { Picker, Span } from '../parts/trend-tools.js';
import { CursorTime, StatisticsTable, Swatch, UnderCursor, ValueTable, figure, spanWords } from '../parts/trend-table.js';
import { useLayers, usePoints, useStatistics, useWindow } from '../parts/trend-data.js';
import { save, savePicture } from '../parts/save.js';

/** @typedef {import('../lib/types').Point} Point */
/** @typedef {import('../lib/trend.js').Asked} Asked */
/** @typedef {import('../lib/trend.js').ChartOf} ChartOf */
/** @typedef {import('../lib/trend.js').Shown} Shown */
/** @typedef {import('../parts/trend-data.js').Layers} Layers */
/** @typedef {import('../parts/plot.js').Shape} Shape */
/** @typedef {import('../parts/plot.js').View} View */
/** @typedef {import('../parts/plot.js').PlotHandle} PlotHandle */

/** The screen's own styles come with it, before it is shown. */
await loadStyles(['vendor/uplot.css', 'css/trend.css']);

const GUTTER = 56;
const GUTTER_PHONE = 46;
const PHONE = 600;
const LEVEL = 24;
/** More levels stand closer: a browser draws no canvas of any height. */
const LEVELS_ROOMY = 24;
/** The URL follows a hand that has rested for so long. */
const REST_MS = 200;
/** Turns of one gesture are one step of the back button. */
const GESTURE_MS = 1_500;
const KEY_ZOOM = 0.5;
const KEY_PAN = 0.25;
const KEY_STEP = 6;

/** Charts of lines share what a window has beside the tools; those of states need what their levels do. */
const AROUND = 380;

/** @param {number} count of charts @param {ChartOf} chart @param {number} levels @param {boolean} phone */
function heightOf(count, chart, levels, phone) {
  if (chart.stepped) return 56 + Math.min(Math.max(2, levels), LEVELS_ROOMY) * LEVEL;
  if (phone) return count > 1 ? 200 : 260;
  return Math.round(Math.min(420, Math.max(180, (window.innerHeight - AROUND) / count)));
}

/** Which colours are shown now: of the switch, the system, or paper. */
function useTheme() {
  const named = () => coloursOf().surface + coloursOf().text;
  const [name, setName] = useState(named);
  useEffect(() => {
    const read = () => setName(named());
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const watch = new MutationObserver(read);
    watch.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] });
    dark.addEventListener('change', read);
    return () => {
      watch.disconnect();
      dark.removeEventListener('change', read);
    };
  }, []);
  return name;
}

/**
 * Moves the view now and the URL when the hand rests.
 * @param {Asked} asked
 * @param {import('../parts/trend-data.js').Window} window
 */
function useHands(asked, window) {
  const { view } = window;
  const timer = useRef(/** @type {any} */ (null));
  const last = useRef(-Infinity);
  const latest = useRef(asked);
  latest.current = asked;
  useEffect(() => () => clearTimeout(timer.current), []);
  /** @param {View} to @param {'drag' | 'turn'} how */
  const move = (to, how) => {
    const fixed = how === 'drag' ? zoomed(to, 1, (to.from + to.to) / 2) : to;
    window.held = true;
    view.value = fixed;
    clearTimeout(timer.current);
    const settle = () => {
      window.held = false;
      const same = how === 'turn' && performance.now() - last.current < GESTURE_MS;
      last.current = how === 'turn' ? performance.now() : -Infinity;
      go(trendHref({ ...latest.current, fixed }), { replace: same });
    };
    if (how === 'drag') settle();
    else timer.current = setTimeout(settle, REST_MS);
  };
  const zoom = (/** @type {number} */ factor) => {
    const { from, to } = view.peek();
    const at = cursorAt.peek();
    move(zoomed({ from, to }, factor, at !== null && at >= from && at <= to ? at : (from + to) / 2), 'turn');
  };
  const pan = (/** @type {number} */ share) => {
    const { from, to } = view.peek();
    const by = Math.round((to - from) * share);
    move({ from: from + by, to: to + by }, 'turn');
  };
  return { move, zoom, pan };
}

/** @param {Asked} asked @param {ReturnType<typeof useHands>} hands @param {import('../vendor/core.js').Signal<View>} view @param {number} pixels */
function useTrendKeys(asked, hands, view, pixels) {
  const latest = useRef({ asked, pixels });
  latest.current = { asked, pixels };
  useKeys((key) => {
    const { from, to } = view.peek();
    const step = (/** @type {number} */ by) => {
      const at = (cursorAt.peek() ?? (from + to) / 2) + (by * KEY_STEP * (to - from)) / Math.max(1, latest.current.pixels);
      cursorAt.value = Math.round(Math.min(to, Math.max(from, at)));
    };
    const own = latest.current.asked;
    if (key === 'ArrowLeft') hands.pan(-KEY_PAN);
    else if (key === 'ArrowRight') hands.pan(KEY_PAN);
    else if (key === '+' || key === '=') hands.zoom(KEY_ZOOM);
    else if (key === '-') hands.zoom(1 / KEY_ZOOM);
    else if (key === '[') step(-1);
    else if (key === ']') step(1);
    else if (key === '0') go(trendHref({ ...own, fixed: null, ...{ preset: PRESETS.find(({ name }) => name === '24h') ?? own.preset } }));
    else if (key === 'l') go(trendHref({ ...own, fixed: null }));
    else return false;
    return true;
  });
}

/** What a chart says to who does not see it. @param {Point[]} points @param {View} view */
function summaryOf(points, view) {
  return t('trend.chart', { names: points.map((point) => nameOf(point.name)).join(', '), from: stamp(view.from), to: stamp(view.to) });
}

/**
 * @param {object} p
 * @param {ChartOf} p.chart
 * @param {number} p.count of charts
 * @param {boolean} p.right whether any chart has two axes
 * @param {Asked} p.asked
 * @param {Layers} p.layers
 * @param {number} p.version of what is in them
 * @param {number} p.width
 * @param {string} p.theme
 * @param {import('../vendor/core.js').Signal<View>} p.view
 * @param {(view: View, how: 'drag' | 'turn') => void} p.move
 * @param {(plot: PlotHandle | null) => void} p.made
 */
function Chart({ chart, count, right, asked, layers, version, width, theme, view, move, made }) {
  const shown = chart.points.filter((point) => !asked.hidden.includes(point.address));
  const phone = width < PHONE;
  const gutter = phone ? GUTTER_PHONE : GUTTER;
  const main = layers.get('')?.held ?? null;
  const first = chart.points[0];
  const levels = chart.stepped && first ? levelsOf(first, main).map((value) => ({ value, name: figure(first, value).replace(new RegExp(`\\s\\S*${value}$`), '') })) : null;
  const traced = shown.flatMap((point) => ['', ...asked.over].map((shift) => ({ point, shift })));
  /** @type {Shape} */
  const shape = {
    lines: traced.map(({ point, shift }) => ({ slot: asked.points.indexOf(point.address), axis: chart.units.indexOf(point.symbol) === 1 ? 1 : 0, past: shift, solid: chart.stepped })),
    units: chart.stepped ? [''] : chart.units.map(unit), levels, gutter, right,
  };
  const of = `${version} ${traced.map(({ point, shift }) => `${point.address}${shift}`)}`;
  const memo = useRef({ of: '', traces: /** @type {(import('../lib/trend.js').Trace | null)[]} */ ([]) });
  if (memo.current.of !== of) {
    memo.current = { of, traces: traced.map(({ point, shift }) => {
      const layer = layers.get(shift);
      return layer ? traceOf(layer.held, point, layer.by) : null;
    }) };
  }
  const size = { width, height: heightOf(count, chart, levels?.length ?? 0, phone) };
  const now = view.peek();
  const pixels = width - 2 * gutter;
  return html`<figure class="trend-chart">
    <figcaption class="legend">${chart.points.map((point) => html`<span key=${point.address} class=${cls('key', asked.hidden.includes(point.address) && 'gone')}>
      ${h(Swatch, { slot: asked.points.indexOf(point.address), solid: chart.stepped })}<span>${h(Named, { of: point.name })}</span>
      <strong>${!asked.hidden.includes(point.address) && h(UnderCursor, { held: main, point, by: 0, view: now, pixels, band: !phone })}</strong></span>`)}</figcaption>
    ${h(Plot, { shape, traces: memo.current.traces, size, view, theme: `${theme} ${lang.value} ${zone.value}`, words: summaryOf(shown, now), move, made })}
  </figure>`;
}

/** What is drawn and how it was cut. @param {{ layers: Layers, loading: boolean, asked: Asked, view: View }} p */
function Cut({ layers, loading, asked, view }) {
  const held = layers.get('')?.held;
  return html`<p class="trend-cut quiet"><span class="num">${spanWords(view)}</span>
    <span>${held ? (held.raw ? t('trend.cut-raw') : t('trend.cut-columns', { width: duration(held.width) })) : ''}</span>
    <span>${asked.fixed ? '' : t('trend.following')}</span>
    <span role="status">${loading && layers.size > 0 ? t('state.loading') : ''}</span></p>`;
}

/** How overlays are drawn and doubt is shaded. @param {{ over: string[] }} p */
function DoubtKey({ over }) {
  const swatch = (/** @type {string} */ name) => html`<svg class="swatch" viewBox="0 0 22 18" aria-hidden="true"><defs><pattern id="doubt" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(-45)"><rect class="doubt-fill" width="2" height="6" /></pattern></defs><rect class=${name} x="1" y="2" width="20" height="14" /></svg>`;
  return html`${over.map((shift) => html`<span key=${shift} class="key">${h(Swatch, { slot: 0, past: shift })}${t(`trend.over-${shift}`)}</span>`)}<span class="key">${swatch('doubt-bad')}${t('quality.bad')}</span><span class="key">${swatch('doubt-uncertain')}${t('quality.uncertain')}</span>`;
}

/** The words of a line in a file, the overlay named. @param {Point} point @param {string} shift */
function nameIn(point, shift) {
  return [nameOf(point.name) || point.address, shift && t(`trend.over-${shift}`)].filter(Boolean).join(' ');
}

/** @param {Point[]} points @param {Asked} asked @param {Layers} layers @returns {Shown[]} */
function shownOf(points, asked, layers) {
  return points.filter((point) => point.kind !== 'text' && !asked.hidden.includes(point.address)).flatMap((point) =>
    ['', ...asked.over].flatMap((shift) => {
      const layer = layers.get(shift);
      return layer?.held.tracks.has(point.address) ? [{ name: nameIn(point, shift), point, held: layer.held, by: layer.by }] : [];
    }));
}

/** `trend-2026-11-22` @param {View} view */
function fileName(view) {
  return `trend-${date(view.from)}${date(view.from) === date(view.to) ? '' : `-${date(view.to)}`}`;
}

/** @param {{ points: Point[], asked: Asked, layers: Layers, view: View, plots: Map<string, PlotHandle> }} p */
function Exports({ points, asked, layers, view, plots }) {
  const csv = () => {
    const words = { time: t('points.at'), quality: t('points.quality'), mean: t('trend.mean'), min: t('trend.min'), max: t('trend.max'), last: t('trend.last') };
    save(new Blob(['\ufeff', csvOf(shownOf(points, asked, layers), words, view)], { type: 'text/csv;charset=utf-8' }), `${fileName(view)}.csv`);
  };
  const png = () => {
    const charts = chartsOf(points).flatMap((chart) => {
      const plot = plots.get(chart.key);
      return plot ? [{ canvas: plot.u.ctx.canvas, keys: chart.points.filter((point) => !asked.hidden.includes(point.address)).map((point) => ({ name: nameOf(point.name), slot: asked.points.indexOf(point.address) })) }] : [];
    });
    savePicture(charts, `${spanWords(view)} (${zone.value})`, `${fileName(view)}.png`);
  };
  return html`<div class="span-row"><button type="button" onClick=${csv}>${t('trend.csv')}</button><button type="button" onClick=${png}>${t('trend.png')}</button></div>`;
}

/** Which history the charts show. @param {Layers} layers */
function drawnOf(layers) {
  const held = layers.get('')?.held;
  return held ? `${held.raw ? 'raw' : 'columns'} ${Math.round(held.from)} ${held.to}` : undefined;
}

/** The screen. */
export function Trend() {
  const asked = askedOf(place.value.query);
  const { points, ready, missing, error: lost } = usePoints(asked.points);
  const window = useWindow(asked);
  const { view } = window;
  const { ref, width } = useWidth(0);
  const theme = useTheme();
  const gutter = width < PHONE ? GUTTER_PHONE : GUTTER;
  const pixels = width === 0 ? 0 : Math.max(100, width - 2 * gutter);
  const { layers, version, error, loading, retry } = useLayers(points, ready, asked, pixels, window);
  const { found, current, error: uncounted } = useStatistics(points.filter((point) => point.kind !== 'text').map((point) => point.address), ready, asked);
  const hands = useHands(asked, window);
  const plots = useRef(/** @type {Map<string, PlotHandle>} */ (new Map())).current;
  const [listed, setListed] = useState(false);
  useTrendKeys(asked, hands, view, pixels);
  useEffect(() => () => { cursorAt.value = null; }, []);
  const charts = chartsOf(points);
  const now = view.value;
  const items = asked.points.flatMap((address) => ['', ...asked.over].map((shift) => ({
    address, point: points.find((point) => point.address === address), slot: asked.points.indexOf(address), shift: shift || null, missing: missing.includes(address),
    by: layers.get(shift)?.by ?? 0, held: layers.get(shift)?.held ?? null, statistics: found.get(shift)?.get(address),
  }))).filter((item) => item.shift === null || item.point);
  const keep = (/** @type {string} */ key) => (/** @type {PlotHandle | null} */ plot) => (plot ? plots.set(key, plot) : plots.delete(key));
  const failure = lost ?? error;
  return html`
    <div class="screen-head"><h1>${t('nav.trend')}</h1>${h(Picker, { asked })}</div>
    ${asked.points.length > 0 && h(Span, { asked, view: now, pan: hands.pan, zoom: hands.zoom })}
    ${failure && h(Failure, { error: failure, retry })}
    <div ref=${ref} class="trend-width"></div>
    ${asked.points.length === 0 && h(Empty, { why: t('trend.empty'), action: t('trend.see-points'), href: '/points' })}
    ${!ready && h(Loading, { rows: 6 })}
    ${charts.length > 0 && width > 0 && html`<section class="panel trend-panel" data-drawn=${drawnOf(layers)} aria-label=${t('trend.charts')}>
      <div class="trend-head">${h(Cut, { layers, loading, asked, view: now })}<span class="trend-doubt">${h(DoubtKey, { over: asked.over })}</span></div>
      <p class="trend-at">${h(CursorTime, {})}</p>
      ${charts.map((chart) => h(Chart, { key: chart.key, chart, count: charts.length, right: charts.some((one) => one.units.length > 1), asked, layers, version, width: width - 26, theme, view, move: hands.move, made: keep(chart.key) }))}
    </section>`}
    ${asked.points.length > 0 && ready && html`
      ${uncounted && !failure && h(Failure, { error: uncounted })}
      ${h(StatisticsTable, { asked, items, view: now, pixels, current })}
      <div class="trend-foot"><button type="button" aria-expanded=${listed} onClick=${() => setListed(!listed)}>${h(TrendIcon, { name: listed ? 'minus' : 'plus' })}${t('trend.values')}</button>
        ${layers.size > 0 && h(Exports, { points, asked, layers, view: now, plots })}</div>
      ${listed && html`<div class="panel">${h(ValueTable, { lines: shownOf(points, asked, layers), view: now })}</div>`}`}
  `;
}
