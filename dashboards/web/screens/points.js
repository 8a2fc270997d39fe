// Points: a live table by asset, a page of it at a time, so that 5,000 points cost no more than 100.

import { cls, h, html, useEffect, useRef, useState } from '../lib/ui.js';
import { duration, number, stamp, t, unit } from '../lib/i18n.js';
import { query, useGet } from '../lib/api.js';
import { go, onKey, place, pointHref, withQuery } from '../lib/nav.js';
import { assetOf, choices, pathOf } from '../lib/site.js';
import { Empty, Failure, Icon, Loading, Named, Quantity, qualityWords, useJudged, useSubscription } from '../parts/basics.js';

/** @typedef {import('../lib/types').Point} Point */
/** @typedef {import('../lib/types').PointPage} PointPage */

/** Rows of a page; three live cells each stays within the 300 a page may mount. */
const PAGE = 100;
const CHOICES_MAX = 200;
const TYPING_MS = 250;

/** Consecutive points of one asset. @param {Point[]} points */
function byAsset(points) {
  /** @type {{ asset: string, points: Point[] }[]} */
  const groups = [];
  for (const point of points) {
    const last = groups[groups.length - 1];
    if (last && last.asset === point.asset) last.points.push(point);
    else groups.push({ asset: point.asset, points: [point] });
  }
  return groups;
}

/** @param {{ point: Point }} p */
function Row({ point }) {
  const judged = useJudged(point.address, point.stale_after_ms);
  const { kind, cell, age, stale, doubt } = judged;
  const text = kind === 'value' && cell
    ? h(Quantity, { value: cell.v, decimals: point.decimals, symbol: '', states: point.states }) : kind === 'bad' ? '\u2014' : '…';
  const old = stale && cell !== null;
  return html`<tr role="row" data-row data-quality=${kind === 'bad' ? 'bad' : doubt ? 'uncertain' : 'good'}>
    <th role="rowheader" scope="row" class="c-name"><a href=${pointHref(point.address)} data-row-link>${h(Named, { of: point.name })}</a></th>
    <td role="cell" class="c-address mono quiet">${point.address}</td>
    <td role="cell" class=${cls('c-value num', old && 'hatched')} data-live>${text}</td>
    <td role="cell" class="c-unit quiet">${unit(point.symbol)}</td>
    <td role="cell" class=${cls('c-quality', kind === 'value' && doubt === null && 'quiet')}>${qualityWords(judged)}</td>
    <td role="cell" class="c-at num quiet">${cell === null ? '' : stamp(cell.at)}</td>
    <td role="cell" class=${cls('c-age num', old ? 'strong' : 'quiet')}>${age === null ? '' : duration(age)}</td>
  </tr>`;
}

/** Where a group's asset is, outermost first. @param {{ id: string }} p */
function AssetPath({ id }) {
  const path = pathOf(id);
  if (path.length === 0) return id;
  const shown = path.length > 1 ? path.slice(1) : path; // the site itself says nothing here
  return html`<span class="path">${shown.map((asset) => html`<span key=${asset.id}>${h(Named, { of: asset.name })}</span>`)}</span>`;
}

/** @param {{ points: Point[] }} p */
function Table({ points }) {
  useSubscription(points.map((point) => point.address));
  return html`<table role="table" class="table points-table">
    <caption class="unseen">${t('points.caption')}</caption>
    <thead role="rowgroup"><tr role="row">
      <th role="columnheader" scope="col">${t('points.name')}</th>
      <th role="columnheader" scope="col">${t('points.address')}</th>
      <th role="columnheader" scope="col" class="num">${t('points.value')}</th>
      <th role="columnheader" scope="col">${t('points.unit')}</th>
      <th role="columnheader" scope="col">${t('points.quality')}</th>
      <th role="columnheader" scope="col" class="num">${t('points.at')}</th>
      <th role="columnheader" scope="col" class="num">${t('points.age')}</th>
    </tr></thead>
    ${byAsset(points).map((group) => html`<tbody role="rowgroup" key=${group.asset}>
      <tr role="row" class="group"><th role="rowheader" scope="rowgroup" colspan="7">${h(AssetPath, { id: group.asset })}</th></tr>
      ${group.points.map((point) => h(Row, { key: point.address, point }))}
    </tbody>`)}
  </table>`;
}

/** Search and asset. Typing moves the URL a moment later. */
function Filter() {
  const wanted = place.value.query.get('search') ?? '';
  const asset = place.value.query.get('asset') ?? '';
  const { shown, more } = choices(asset === '' ? null : asset, CHOICES_MAX);
  const [text, setText] = useState(wanted);
  const timer = useRef(/** @type {any} */ (null));
  useEffect(() => {
    setText(wanted); // the back button changes it too
  }, [wanted]);
  const type = (/** @type {any} */ event) => {
    const search = event.target.value;
    setText(search);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => go(withQuery({ search: search.trim(), after: null }), { replace: true }), TYPING_MS);
  };
  useEffect(() => () => clearTimeout(timer.current), []);
  return html`<form class="filter" role="search" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
    <label class="field field-search"><span class="unseen">${t('points.search')}</span>${h(Icon, { name: 'search' })}
      <input type="search" data-search placeholder=${t('points.search')} value=${text} onInput=${type} maxlength="100" /></label>
    <label class="field"><span class="unseen">${t('points.asset')}</span>
      <select value=${asset} onChange=${(/** @type {any} */ event) => go(withQuery({ asset: event.target.value, after: null }))}>
        <option value="">${t('points.all-assets')}</option>
        ${shown.map(({ asset: one, depth }) => html`<option key=${one.id} value=${one.id}>${'\u2003'.repeat(depth)}${h(Named, { of: one.name })}</option>`)}
        ${more > 0 && html`<option disabled>${t('points.more-assets', { n: number(more, 0) })}</option>`}
      </select></label>
    <a class="choice" href="/tester">${t('points.tester')}</a>
  </form>`;
}

/** The pages before this one travel in the history entry; a shared link begins without them. */
function trail() {
  const state = history.state;
  return Array.isArray(state?.trail) ? /** @type {string[]} */ (state.trail) : [];
}

/** @param {{ shown: number, next: string | null }} p */
function Pager({ shown, next }) {
  const after = place.value.query.get('after');
  const before = trail();
  if (!next && !after) return html`<p class="quiet pager">${t('points.shown-all', { n: number(shown, 0) })}</p>`;
  const forward = () => go(withQuery({ after: next }), { state: { trail: [...before, after ?? ''] } });
  const back = () => go(withQuery({ after: before[before.length - 1] || null }), { state: { trail: before.slice(0, -1) } });
  return html`<div class="pager">
    <button type="button" disabled=${!after} onClick=${back}>${h(Icon, { name: 'left' })}${before.length > 0 || !after ? t('points.previous') : t('points.first')}</button>
    <span class="quiet">${t('points.shown', { from: number(before.length * PAGE + 1, 0), to: number(before.length * PAGE + shown, 0) })}</span>
    <button type="button" disabled=${!next} onClick=${forward}>${t('points.next')}${h(Icon, { name: 'right' })}</button>
  </div>`;
}

/** The screen. */
export function Points() {
  const asked = place.value.query;
  const filter = { asset: asked.get('asset'), search: asked.get('search'), after: asked.get('after') };
  const { data, error, loading, reload } = useGet(`/points${query({ ...filter, limit: PAGE })}`, { keep: true });
  const page = /** @type {PointPage | null} */ (data);
  useEffect(() => onKey((key) => {
    if (key !== 'Escape' || !(filter.asset || filter.search)) return false;
    go('/points');
    return true;
  }), [filter.asset, filter.search]);
  const within = filter.asset ? assetOf(filter.asset) : null;
  return html`
    <div class="screen-head"><h1>${t('nav.points')}</h1>${h(Filter, {})}</div>
    ${error && h(Failure, { error, retry: reload })}
    ${!page && loading && h(Loading, { rows: 12 })}
    ${page && page.items.length > 0 && html`<div class="panel">${h(Table, { points: page.items })}</div>`}
    ${page && page.items.length > 0 && h(Pager, { shown: page.items.length, next: page.next })}
    ${page && page.items.length === 0 && h(Empty, filter.search
      ? { why: t('points.none-found', { search: filter.search }), action: t('points.show-all'), href: '/points' }
      : within || filter.asset
        ? { why: t('points.none-in-asset'), action: t('points.show-all'), href: '/points' }
        : { why: t('points.none') })}
  `;
}
