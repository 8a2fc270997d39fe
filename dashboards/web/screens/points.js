// Points: every point of the site in one list. Search and filters work in the page and stand in the
// URL; only the rows on screen are mounted, and only their values are asked for.

import { cls, h, html, useEffect, useRef, useState } from '../lib/ui.js';
import { loadStyles } from '../lib/more.js';
import { duration, has, loadWords, nameOf, number, stamp, t, unit } from '../lib/i18n.js';
import { query } from '../lib/api.js';
import { useAgain } from '../lib/again.js';
import { live } from '../lib/live.js';
import { go, place, pointHref, withQuery, useKeys } from '../lib/nav.js';
import { assetOf, choices } from '../lib/site.js';
import { blocks, choicesOf, found, known, NO_UNIT, QUALITIES, qualitiesOf, readPoints, rowsSignal } from '../lib/points.js';
import { Empty, Failure, Icon, Loading, Named, Quantity, qualityWords, useJudged } from '../parts/basics.js';
import { Virtual } from '../parts/virtual.js';

/** @typedef {import('../lib/types').Value} Value */
/** @typedef {import('../lib/points.js').PointRow} PointRow */
/** @typedef {import('../lib/points.js').PointFilter} PointFilter */
/** @typedef {import('../lib/points.js').QualityChoice} QualityChoice */

await Promise.all([loadWords('parts'), loadStyles(['css/instruments.css'])]);

const CHOICES_MAX = 200;
const TYPING_MS = 120;
/** Values of a block of rows are asked for together; a flick through thousands asks for none of them. */
const BLOCK = 32;
const REST_MS = 120;
const QUALITY_MS = 5_000;
const ROW_HEIGHT = 48;

/** @param {string} system */
const systemWord = (system) => (has(`system.${system}`) ? t(`system.${system}`) : system);
const rowsOf = rowsSignal(systemWord);

/** Keeps what was reckoned while what it came from is the same. @template T @param {() => T} reckon @param {unknown[]} from @returns {T} */
function useKept(reckon, from) {
  const kept = useRef(/** @type {{ from: unknown[], value: T } | null} */ (null));
  if (!kept.current || from.some((one, i) => one !== kept.current?.from[i])) kept.current = { from, value: reckon() };
  return kept.current.value;
}

// ---- rows

/** @param {{ row: PointRow, index: number }} p */
function Row({ row, index }) {
  const { point, path } = row;
  const judged = useJudged(point.address, point.stale_after_ms);
  const { kind, cell, age, stale, doubt } = judged;
  const text = kind === 'value' && cell
    ? h(Quantity, { value: cell.v, decimals: point.decimals, symbol: '', states: point.states }) : kind === 'bad' ? '\u2014' : '…';
  const old = stale && cell !== null;
  const shown = path.length > 1 ? path.slice(1) : path; // the site itself says nothing here
  return html`<tr role="row" aria-rowindex=${index + 2} data-row data-virtual data-quality=${kind === 'bad' ? 'bad' : doubt ? 'uncertain' : 'good'}>
    <th role="rowheader" scope="row" class="c-name">
      <a href=${pointHref(point.address)} data-row-link title=${nameOf(point.name)}>${h(Named, { of: point.name })}</a>
      <span class="c-address mono quiet" title=${point.address}>${point.address}</span>
    </th>
    <td role="cell" class="c-place quiet"><span class="path">${shown.map((id) => html`<span key=${id}>${h(Named, { of: assetOf(id)?.name })}</span>`)}</span></td>
    <td role="cell" class=${cls('c-value num', old && 'hatched')} data-live>${text}</td>
    <td role="cell" class="c-unit quiet">${unit(point.symbol)}</td>
    <td role="cell" class=${cls('c-quality', kind === 'value' && doubt === null && 'quiet')}>${qualityWords(judged)}</td>
    <td role="cell" class="c-at num quiet">${cell === null ? '' : stamp(cell.at)}</td>
    <td role="cell" class=${cls('c-age num', old ? 'strong' : 'quiet')}>${age === null ? '' : duration(age)}</td>
  </tr>`;
}

/** @param {{ count: number, drawn: any[] }} p */
function Frame({ count, drawn }) {
  return html`<table role="table" class="table points-table" aria-rowcount=${count + 1}>
    <caption class="unseen">${t('points.caption')}</caption>
    <thead role="rowgroup"><tr role="row" aria-rowindex="1">
      <th role="columnheader" scope="col">${t('points.name')}</th>
      <th role="columnheader" scope="col">${t('points.place')}</th>
      <th role="columnheader" scope="col" class="num">${t('points.value')}</th>
      <th role="columnheader" scope="col">${t('points.unit')}</th>
      <th role="columnheader" scope="col">${t('points.quality')}</th>
      <th role="columnheader" scope="col" class="c-at num">${t('points.at')}</th>
      <th role="columnheader" scope="col" class="num">${t('points.age')}</th>
    </tr></thead>
    <tbody role="rowgroup">${drawn}</tbody>
  </table>`;
}

/** @param {{ rows: PointRow[] }} p */
function List({ rows }) {
  const followed = useRef(blocks(live.subscribe, BLOCK)).current;
  const timer = useRef(/** @type {any} */ (null));
  const shown = (/** @type {number} */ from, /** @type {number} */ to) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => followed.show(rows, from, to), timer.current === null ? 0 : REST_MS);
  };
  useEffect(() => () => {
    clearTimeout(timer.current);
    followed.stop();
  }, []);
  return html`<div class="panel">${h(Virtual, {
    rows, rowHeight: ROW_HEIGHT, shown,
    render: (/** @type {PointRow} */ row, index) => h(Row, { key: row.point.address, row, index }),
    frame: (drawn) => h(Frame, { count: rows.length, drawn }),
  })}</div>`;
}

// ---- filter

/** @returns {PointFilter} */
function asked() {
  const from = place.value.query;
  const word = (/** @type {string} */ key) => from.get(key) ?? '';
  return { search: word('search'), system: word('system'), asset: word('asset'), unit: word('unit'), quality: word('quality') };
}

/**
 * @param {object} p
 * @param {string} p.name of the query
 * @param {string} p.label
 * @param {string} p.all what no choice means
 * @param {string} p.value
 * @param {{ value: string, text: any }[]} p.options
 */
function Choose({ name, label, all, value, options }) {
  return html`<label class="field"><span class="unseen">${label}</span>
    <select name=${name} value=${value} onChange=${(/** @type {any} */ event) => go(withQuery({ [name]: event.target.value }))}>
      <option value="">${all}</option>
      ${options.map((option) => html`<option key=${option.value} value=${option.value}>${option.text}</option>`)}
    </select></label>`;
}

/** @param {{ filter: PointFilter, rows: PointRow[] }} p */
function Choices({ filter, rows }) {
  const { systems, units } = useKept(() => choicesOf(rows), [rows]);
  const { shown, more } = choices(filter.asset === '' ? null : filter.asset, CHOICES_MAX);
  const places = shown.map(({ asset, depth }) => ({ value: asset.id, text: html`${'\u2003'.repeat(depth)}${nameOf(asset.name)}` }));
  return html`
    ${systems.length > 0 && h(Choose, { name: 'system', label: t('points.system'), all: t('points.all-systems'), value: filter.system, options: systems.map((value) => ({ value, text: systemWord(value) })) })}
    <label class="field"><span class="unseen">${t('points.asset')}</span>
      <select name="asset" value=${filter.asset} onChange=${(/** @type {any} */ event) => go(withQuery({ asset: event.target.value }))}>
        <option value="">${t('points.all-assets')}</option>
        ${places.map((option) => html`<option key=${option.value} value=${option.value}>${option.text}</option>`)}
        ${more > 0 && html`<option disabled>${t('points.more-assets', { n: number(more, 0) })}</option>`}
      </select></label>
    ${h(Choose, { name: 'quality', label: t('points.quality'), all: t('points.all-qualities'), value: filter.quality, options: QUALITIES.map((value) => ({ value, text: t(`quality.${value}`) })) })}
    ${h(Choose, { name: 'unit', label: t('points.unit'), all: t('points.all-units'), value: filter.unit, options: units.map((value) => ({ value, text: value === NO_UNIT ? t('points.no-unit') : unit(value) })) })}`;
}

/** Typing moves the URL a moment later. @param {{ filter: PointFilter, rows: PointRow[] }} p */
function Filter({ filter, rows }) {
  const [text, setText] = useState(filter.search);
  const [open, setOpen] = useState(false);
  const timer = useRef(/** @type {any} */ (null));
  useEffect(() => {
    setText(filter.search); // the back button changes it too
  }, [filter.search]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const type = (/** @type {any} */ event) => {
    const search = event.target.value;
    setText(search);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => go(withQuery({ search: search.trim() }), { replace: true }), TYPING_MS);
  };
  const chosen = [filter.system, filter.asset, filter.unit, filter.quality].filter(Boolean).length;
  return html`<form class="filter points-filter" role="search" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
    <label class="field field-search"><span class="unseen">${t('points.search')}</span>${h(Icon, { name: 'search' })}
      <input type="search" data-search placeholder=${t('points.search')} value=${text} onInput=${type} maxlength="100" /></label>
    <button type="button" class="filter-more" aria-expanded=${open} onClick=${() => setOpen(!open)}>${chosen > 0 ? t('points.filters-set', { n: chosen }) : t('points.filters')}</button>
    <div class=${cls('filter-choices', open && 'filter-open')}>
      ${h(Choices, { filter, rows })}
      <a class="choice" href="/tester">${t('points.tester')}</a>
    </div>
  </form>`;
}

/** The qualities of all points, asked for while a filter needs them. @param {{ set: (of: Map<string, QualityChoice> | null) => void }} p */
function Qualities({ set }) {
  const { reply, error, reload } = useAgain('/values', QUALITY_MS);
  const values = /** @type {{ now: number, items: Value[] } | null} */ (reply);
  useEffect(() => {
    if (!values) return;
    const staleAfter = new Map(known.value.points.map((point) => [point.address, point.stale_after_ms]));
    set(qualitiesOf(values.items, staleAfter, values.now));
  }, [values]);
  return error && !values ? h(Failure, { error, retry: reload }) : null;
}

/** How many there are, and how many of them are shown. @param {{ shown: number }} p */
function Count({ shown }) {
  const { points, whole } = known.value;
  const of = number(points.length, 0);
  if (!whole) return html`<p class="quiet num" role="status">${t('points.reading', { n: of })}</p>`;
  return html`<p class="quiet num" role="status">${shown === points.length ? t('points.shown-all', { n: of }) : t('points.shown', { n: number(shown, 0), of })}</p>`;
}

/** The screen. */
export function Points() {
  const filter = asked();
  const { points, whole, error } = known.value;
  const all = rowsOf.value;
  const [qualities, setQualities] = useState(/** @type {Map<string, QualityChoice> | null} */ (null));
  const rows = useKept(() => found(all, filter, qualities), [all, qualities, ...Object.values(filter)]);
  useEffect(() => {
    readPoints();
  }, []);
  const filtered = Object.values(filter).some(Boolean);
  useKeys((key) => {
    if (key !== 'Escape' || !filtered) return false;
    go('/points');
    return true;
  }, [filtered]);
  return html`
    <div class="screen-head points-head"><div class="points-title"><h1>${t('nav.points')}</h1>${points.length > 0 && h(Count, { shown: rows.length })}</div>${h(Filter, { filter, rows: all })}</div>
    ${filter.quality !== '' && h(Qualities, { set: setQualities })}
    ${error && h(Failure, { error, retry: readPoints })}
    ${points.length === 0 && !whole && !error && h(Loading, { rows: 12 })}
    ${rows.length > 0 && h(List, { rows })}
    ${whole && rows.length === 0 && h(Empty, points.length === 0 ? { why: t('points.none') }
      : { why: filter.search ? t('points.none-found', { search: filter.search }) : t('points.none-fit'), action: t('points.show-all'), href: `/points${query({})}` })}
  `;
}
