// One point: what it is, its value now, and its raw readings as a line and as a table.

import { cls, h, html, useEffect, useState } from '../lib/ui.js';
import { duration, fullStamp, nameOf, number, quantity, stamp, stateOf, t, unit } from '../lib/i18n.js';
import { ApiError, get, query, revision, useGet } from '../lib/api.js';
import { go, place, pointHref, useKeys } from '../lib/nav.js';
import { trendOf } from '../lib/trend-link.js';
import { live } from '../lib/live.js';
import { assetOf, buildingOf } from '../lib/site.js';
import { Empty, Failure, Icon, Loading, Named, Quantity, qualityWords, reasonWord, useJudged, useSubscription } from '../parts/basics.js';
import { HandForm, HandHeld, useByHand } from '../parts/by-hand.js';
import { Crumbs } from '../parts/crumbs.js';
import { MakingPart } from '../parts/making.js';
import { hairsOf, Lanes, useMarks } from '../parts/marks.js';
import { Series } from '../parts/series.js';

/** @typedef {import('../lib/types').PointNow} PointNow */
/** @typedef {import('../lib/types').Reading} Reading */
/** @typedef {import('../lib/types').Readings} Readings */
/** @typedef {import('../lib/types').Scalar} Scalar */
/** @typedef {import('../lib/types').State} State */
/** @typedef {import('../parts/marks.js').Marks} Marks */

const HOUR = 3_600_000;
const SPANS = [1, 6, 24];
/** Readings of one request, and of one page altogether: a day of two a second. */
const ASKED_MAX = 50_000;
const KEPT_MAX = 200_000;
const FOLLOW_MS = 5_000;
const ROWS = 100;

/**
 * Reads a span to its end.
 * @param {string} address
 * @param {number} from
 * @param {number} to
 * @param {AbortSignal} abort
 */
async function readSpan(address, from, to, abort) {
  /** @type {Reading[]} */
  const readings = [];
  for (let at = from; readings.length < KEPT_MAX; ) {
    const page = /** @type {Readings} */ (
      await get(`/points/${address}/readings${query({ from: at, to, limit: ASKED_MAX })}`, abort)
    );
    readings.push(...page.readings);
    if (page.next === null) return { readings, truncated: false };
    at = page.next;
  }
  return { readings, truncated: true };
}

/**
 * The readings of a span; one that ends now is followed.
 * @param {string} address
 * @param {{ from: number, to: number } | null} fixed
 * @param {number} span milliseconds back from now, where nothing is fixed
 */
function useReadings(address, fixed, span) {
  const of = `${address} ${fixed?.from} ${fixed?.to} ${span}`;
  const [state, setState] = useState(
    /** @returns {{ of: string, readings: Reading[] | null, truncated: boolean, error: ApiError | null, to: number }} */
    () => ({ of, readings: null, truncated: false, error: null, to: live.now() }),
  );
  const [turn, setTurn] = useState(0);
  const fresh = revision.value;
  useEffect(() => {
    const control = new AbortController();
    /** @type {any} */
    let timer = null;
    /** @type {Reading[]} */
    let kept = [];
    const step = async (/** @type {boolean} */ first) => {
      const now = live.now();
      const to = fixed ? fixed.to : now;
      const from = fixed ? fixed.from : now - span;
      const last = kept[kept.length - 1];
      try {
        const more = await readSpan(address, first || !last ? from : Math.min(to, last.at + 1), to, control.signal);
        kept = kept.concat(more.readings).filter((reading) => reading.at >= from);
        setState({ of, readings: kept, truncated: more.truncated, error: null, to });
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (error.code === 'aborted') return;
        setState((old) => ({ ...old, error }));
      }
      if (!fixed) timer = setTimeout(() => step(false), FOLLOW_MS);
    };
    // Another span begins empty; the same one read again keeps what it shows meanwhile.
    setState((old) => (old.of === of ? old : { of, readings: null, truncated: false, error: null, to: live.now() }));
    step(true);
    return () => {
      control.abort();
      clearTimeout(timer);
    };
  }, [of, turn, fresh]);
  return { ...state, retry: () => setTurn((n) => n + 1) };
}

/** What the URL asks for: a fixed span, or hours back from now. */
function asked() {
  const wanted = place.value.query;
  const from = Number(wanted.get('from'));
  const to = Number(wanted.get('to'));
  const fixed = from > 0 && to > from ? { from, to } : null;
  const hours = SPANS.find((one) => String(one) === wanted.get('hours')) ?? 1;
  return { fixed, hours };
}

/** @param {{ address: string }} p */
function Span({ address }) {
  const { fixed, hours } = asked();
  const href = pointHref(address);
  const length = fixed ? fixed.to - fixed.from : hours * HOUR;
  const shift = (/** @type {number} */ by) => {
    const from = (fixed ? fixed.from : live.now() - length) + by * length;
    go(`${href}${query({ from: Math.round(from), to: Math.round(from + length) })}`);
  };
  return html`<div class="span-row" role="group" aria-label=${t('point.span')}>
    <button type="button" aria-label=${t('point.earlier')} title=${t('point.earlier')} onClick=${() => shift(-1)}>${h(Icon, { name: 'left' })}</button>
    ${SPANS.map((one) => html`<a key=${one} class="choice" href=${one === 1 ? href : `${href}?hours=${one}`}
      aria-current=${!fixed && one === hours ? 'true' : undefined}>${t('point.last-hours', { n: one })}</a>`)}
    <button type="button" aria-label=${t('point.later')} title=${t('point.later')} disabled=${!fixed} onClick=${() => shift(1)}>${h(Icon, { name: 'right' })}</button>
    ${fixed && html`<span class="num">${stamp(fixed.from)} – ${stamp(fixed.to)}</span>`}
  </div>`;
}

/** A value in the point's way of writing, the unit elsewhere. @param {{ point: PointNow, value: Scalar }} p */
function Value({ point, value }) {
  return h(Quantity, { value, decimals: point.decimals, symbol: '', states: point.states });
}

/** What the numbers stand for, as a manual lists it. @param {{ states: State[] }} p */
function States({ states }) {
  return html`<ul class="states">${states.map((state) => html`<li key=${state.value}><span class="num">${stateOf(state.value, states)?.number}</span> ${h(Named, { of: state.name })}</li>`)}</ul>`;
}

/** @param {{ point: PointNow }} p */
function Identity({ point }) {
  const rows = [
    [t('points.address'), html`<span class="mono">${point.address}</span>`],
    [t('point.kind'), t(`kind.${point.kind}`)],
    [t('points.unit'), point.symbol ? `${unit(point.symbol)}${point.unit === point.symbol ? '' : ` (${point.unit})`}` : t('point.no-unit')],
    [t('point.range'), point.range
      ? t('point.range-of', { low: number(point.range[0], point.decimals), high: quantity(point.range[1], point.decimals, point.symbol) }) : t('point.no-range')],
    [t('point.stale-after'), duration(point.stale_after_ms)],
    [t('point.id'), String(point.id)],
  ];
  if (point.states.length > 0) rows.push([t('point.states'), h(States, { states: point.states })]);
  return html`<dl class="facts">${rows.map(([term, words]) => html`<div key=${term}><dt>${term}</dt><dd>${words}</dd></div>`)}</dl>`;
}

/** @param {{ point: PointNow }} p */
function Now({ point }) {
  useSubscription([point.address]);
  const judged = useJudged(point.address, point.stale_after_ms);
  const { kind, cell, stale, age } = judged;
  return html`<div class=${cls('now', stale && cell !== null && 'hatched')} data-live>
    <div class="kpi num">${kind === 'value' && cell ? h(Value, { point, value: cell.v }) : kind === 'bad' ? '\u2014' : '…'}
      ${kind === 'value' && point.symbol && point.states.length === 0 && html` <span class="kpi-unit">${unit(point.symbol)}</span>`}</div>
    <div>${qualityWords(judged)}</div>
    <div class="quiet num">${cell && `${fullStamp(cell.at)} · ${t('point.ago', { age: duration(age ?? 0) })}`}</div>
  </div>`;
}

/** @param {{ point: PointNow, readings: Reading[] }} p */
function ReadingTable({ point, readings }) {
  const [page, setPage] = useState(0);
  const pages = Math.max(1, Math.ceil(readings.length / ROWS));
  const at = Math.min(page, pages - 1);
  const end = readings.length - at * ROWS;
  const shown = readings.slice(Math.max(0, end - ROWS), end).reverse();
  return html`<section class="panel scroll-x" tabindex="0" aria-label=${t('point.readings')}>
    <table class="table readings-table">
      <caption>${t('point.readings-caption', { name: nameOf(point.name), n: number(readings.length, 0) })}</caption>
      <thead><tr><th scope="col">${t('points.at')}</th><th scope="col" class="num">${t('points.value')}${point.symbol && ` (${unit(point.symbol)})`}</th><th scope="col">${t('points.quality')}</th></tr></thead>
      <tbody>${shown.map((reading, i) => html`<tr key=${`${reading.at}/${i}`}>
        <th scope="row" class="time">${stamp(reading.at)}</th>
        <td class="num">${h(Value, { point, value: reading.value })}</td>
        <td class=${cls(reading.quality === 'good' && 'quiet')}>${t(`quality.${reading.quality}`)}${reading.reason && ` · ${reasonWord(reading.reason)}`}</td>
      </tr>`)}</tbody>
    </table>
    ${pages > 1 && html`<div class="pager">
      <button type="button" disabled=${at === 0} onClick=${() => setPage(at - 1)}>${h(Icon, { name: 'left' })}${t('point.newer')}</button>
      <span class="quiet">${t('point.page', { at: at + 1, of: pages })}</span>
      <button type="button" disabled=${at === pages - 1} onClick=${() => setPage(at + 1)}>${t('point.older')}${h(Icon, { name: 'right' })}</button>
    </div>`}
  </section>`;
}

/** Of what is marked of an asset, what this point raised. @param {string} address @param {Marks} marks @returns {Marks} */
function marksOf(address, marks) {
  const alarms = marks.alarms.filter((alarm) => alarm.point === address);
  const own = new Set(alarms.map((alarm) => alarm.work_order));
  return { ...marks, alarms, orders: marks.orders.filter((order) => order.point === address || own.has(order.id)) };
}

/** @param {{ point: PointNow }} p */
function Past({ point }) {
  const { fixed, hours } = asked();
  const { readings, truncated, error, to, retry } = useReadings(point.address, fixed, hours * HOUR);
  const from = fixed ? fixed.from : to - hours * HOUR;
  const drawn = point.kind !== 'text';
  const marks = marksOf(point.address, useMarks(point.asset, from, fixed ? fixed.to : null));
  return html`<section class="panel pad">
      <div class="section-head"><h2>${t('point.readings')}</h2>${h(Span, { address: point.address })}</div>
      ${error && h(Failure, { error, retry })}
      ${!readings && !error && h(Loading, { rows: 5 })}
      ${truncated && html`<p class="notice">${t('point.truncated', { n: number(KEPT_MAX, 0) })}</p>`}
      ${readings && readings.length === 0 && h(Empty, { why: t('point.no-readings') })}
      ${readings && readings.length > 0 && drawn && h(Series, {
        point, readings, from, to,
        above: (edges) => h(Lanes, { marks, view: { from, to }, ...edges }),
        hairs: (across) => hairsOf(marks, { from, to }, across),
      })}
    </section>
    ${readings && readings.length > 0 && h(ReadingTable, { point, readings })}`;
}

/** The screen. */
export function PointPage() {
  const { asset, quantity: name } = place.value.params;
  const address = `${asset}/${name}`;
  const { data, error, reload } = useGet(`/points/${address}`);
  const point = /** @type {PointNow | null} */ (data);
  const [putting, setPutting] = useState('');
  const byHand = useByHand(address);
  const open = putting === address;
  const close = () => {
    setPutting('');
    /** @type {HTMLElement | null} */ (document.querySelector('[data-put]'))?.focus();
  };
  useKeys((key) => {
    if (key !== 'Escape') return false;
    go('/points');
    return true;
  });
  return html`
    ${h(Crumbs, { system: assetOf(asset ?? '')?.system, building: buildingOf(asset ?? ''), asset: asset ?? '' })}
    <div class="screen-head"><h1>${point ? h(Named, { of: point.name }) : address}</h1>
      ${point && html`<div class="filter"><a class="choice" href=${trendOf([point.address])}>${h(Icon, { name: 'trend' })}${t('point.trend')}</a>
        <a class="choice" href=${`/tester${query({ formula: point.address })}`}>${t('making.try-point')}</a>
        ${byHand.known && (open || !byHand.held) && html`<button type="button" data-put aria-expanded=${open} onClick=${() => setPutting(open ? '' : address)}>${t('hand.put')}</button>`}</div>`}</div>
    ${error && h(Failure, { error, retry: reload })}
    ${!point && !error && h(Loading, { rows: 4 })}
    ${byHand.error && h(Failure, { error: byHand.error, retry: byHand.reload })}
    ${point && byHand.held && h(HandHeld, { point, held: byHand.held, reload: byHand.reload })}
    ${point && open && h(HandForm, { key: address, point, close, reload: byHand.reload })}
    ${point && html`<div class="point-top">
      <section class="panel pad" aria-label=${t('point.now')}>${h(Now, { point })}</section>
      <section class="panel pad" aria-label=${t('point.identity')}>${h(Identity, { point })}</section>
    </div>
    ${h(MakingPart, { key: `making ${point.address}`, point })}
    ${h(Past, { key: point.address, point })}`}
  `;
}
