// Alarms: what is open, worst first; beside it one alarm with what to do and the acknowledgement.

import { cls, h, html, useEffect, useRef, useState } from '../lib/ui.js';
import { clock, duration, fullStamp, nameOf, number, stamp, t } from '../lib/i18n.js';
import { ApiError, post, useGet } from '../lib/api.js';
import { go, place, pointHref, withQuery, useKeys } from '../lib/nav.js';
import { trendOf } from '../lib/trend-link.js';
import { live } from '../lib/live.js';
import { alarms as open, readAlarms } from '../lib/site.js';
import { Act, person } from '../parts/act.js';
import { Chip, Empty, Failure, Icon, Loading, Named, Response, ValueNow, digitsOf, failureWords, thenAndLimit, useSubscription } from '../parts/basics.js';

/** @typedef {import('../lib/types').Alarm} Alarm */

const SHOWN = 100;
const STATES = /** @type {const} */ (['open', 'all']);

/** Unacknowledged first, then active, then by priority, newest first. @param {Alarm[]} list */
function inOrder(list) {
  return [...list].sort((a, b) =>
    Number(a.acked) - Number(b.acked) || Number(b.active) - Number(a.active) ||
    a.priority - b.priority || b.raised_at - a.raised_at);
}

/** What a person may type to find an alarm. @param {Alarm} alarm */
function words(alarm) {
  return [alarm.message.zh, alarm.message.en, alarm.asset_name.zh, alarm.asset_name.en, alarm.point].join(' ').toLowerCase();
}

/** Acknowledges without asking, if the name is known. @param {Alarm} alarm */
async function acknowledge(alarm) {
  await post(`/alarms/${alarm.id}/acknowledge`, { by: person.value.trim() });
  await readAlarms();
}

/** @param {{ alarm: Alarm }} p */
function QuickAcknowledge({ alarm }) {
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState(/** @type {ApiError | null} */ (null));
  if (alarm.acked) return null;
  const press = async () => {
    if (person.value.trim() === '') {
      go(hrefOf(alarm)); // the panel asks for the name
      return;
    }
    setBusy(true);
    setFailed(null);
    try {
      await acknowledge(alarm);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setFailed(error);
    } finally {
      setBusy(false);
    }
  };
  return html`<button type="button" data-acknowledge disabled=${busy} aria-busy=${busy} onClick=${press}>${busy ? t('act.busy') : t('alarms.acknowledge')}<span class="unseen"> ${nameOf(alarm.message)}</span></button>
    ${failed && html`<span class="row-failure" role="alert">${failureWords(failed)}</span>`}`;
}

/** An alarm's own URL, the filters kept. @param {Alarm} alarm */
function hrefOf(alarm) {
  const text = place.value.query.toString();
  return `/alarms/${alarm.id}${text ? `?${text}` : ''}`;
}

/** Back to the list, the filters kept. */
function hrefOfList() {
  const text = place.value.query.toString();
  return `/alarms${text ? `?${text}` : ''}`;
}

/** @param {{ alarm: Alarm, chosen: boolean }} p */
function Row({ alarm, chosen }) {
  live.second.value;
  const { then, limit } = thenAndLimit(alarm);
  return html`<tr role="row" data-row id=${`alarm-${alarm.id}`} class=${cls(chosen && 'chosen')}>
    <td role="cell" class="c-chip">${h(Chip, { priority: alarm.priority, state: alarm.state })}</td>
    <td role="cell" class="c-state">${t(`alarm-state.${alarm.state}`)}</td>
    <td role="cell" class="c-age num" title=${stamp(alarm.raised_at)}>${duration(live.now() - alarm.raised_at)}</td>
    <th role="rowheader" scope="row" class="c-message"><a href=${hrefOf(alarm)} data-row-link aria-current=${chosen ? 'true' : undefined}>${h(Named, { of: alarm.message })}</a></th>
    <td role="cell" class="c-place">${h(Named, { of: alarm.asset_name })}</td>
    <td role="cell" class="c-then num"><span class="cell-label">${limit ? t('alarms.then-limit') : t('alarms.then')}</span>${then}${limit && html`<span class="quiet"> / ${limit}</span>`}</td>
    <td role="cell" class="c-now num" data-live><span class="cell-label">${t('alarms.now')}</span>${h(ValueNow, { of: alarm })}</td>
    <td role="cell" class="c-order">${alarm.work_order !== null && html`<a href=${`/work-orders/${alarm.work_order}`}>${t('alarms.order', { id: alarm.work_order })}</a>`}</td>
    <td role="cell" class="c-act">${h(QuickAcknowledge, { alarm })}</td>
  </tr>`;
}

/** @param {{ list: Alarm[], chosen: number | null }} p */
function Table({ list, chosen }) {
  const [shown, setShown] = useState(SHOWN);
  const rows = list.slice(0, shown);
  for (const alarm of rows) digitsOf(alarm, null); // the first row knows those of the last
  useSubscription([...new Set(rows.map((alarm) => alarm.point))]);
  return html`<table role="table" class="table alarms-table">
    <caption class="unseen">${t('alarms.caption')}</caption>
    <thead role="rowgroup"><tr role="row">
      <th role="columnheader" scope="col">${t('alarms.priority')}</th>
      <th role="columnheader" scope="col">${t('alarms.state')}</th>
      <th role="columnheader" scope="col" class="num">${t('alarms.since')}</th>
      <th role="columnheader" scope="col">${t('alarms.message')}</th>
      <th role="columnheader" scope="col">${t('alarms.place')}</th>
      <th role="columnheader" scope="col" class="num">${t('alarms.then-limit')}</th>
      <th role="columnheader" scope="col" class="num">${t('alarms.now')}</th>
      <th role="columnheader" scope="col" class="c-order">${t('alarms.work-order')}</th>
      <th role="columnheader" scope="col"><span class="unseen">${t('alarms.acknowledge')}</span></th>
    </tr></thead>
    <tbody role="rowgroup">${rows.map((alarm) => h(Row, { key: alarm.id, alarm, chosen: alarm.id === chosen }))}</tbody>
  </table>
  ${list.length > rows.length && html`<div class="pager"><button type="button" onClick=${() => setShown(shown + SHOWN)}>${t('alarms.more', { n: number(list.length - rows.length, 0) })}</button></div>`}`;
}

/** Which alarms, and a search in them; all of it in the URL. */
function Filter() {
  const asked = place.value.query;
  const state = asked.get('state') === 'all' ? 'all' : 'open';
  return html`<form class="filter" role="search" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
    <div class="choices" role="group" aria-label=${t('alarms.which')}>
      ${STATES.map((one) => html`<a key=${one} class="choice" href=${withQuery({ state: one === 'open' ? null : one })}
        aria-current=${state === one ? 'true' : undefined}>${t(`alarms.${one}`)}</a>`)}
    </div>
    <label class="field"><span class="unseen">${t('alarms.priority')}</span>
      <select value=${asked.get('priority') ?? ''} onChange=${(/** @type {any} */ event) => go(withQuery({ priority: event.target.value }), { replace: true })}>
        <option value="">${t('alarms.all-priorities')}</option>
        ${[1, 2, 3, 4].map((priority) => html`<option key=${priority} value=${priority}>${priority} ${t(`priority.${priority}`)}</option>`)}
      </select></label>
    <label class="field field-search"><span class="unseen">${t('alarms.search')}</span>${h(Icon, { name: 'search' })}
      <input type="search" data-search placeholder=${t('alarms.search')} value=${asked.get('search') ?? ''} maxlength="100"
        onInput=${(/** @type {any} */ event) => go(withQuery({ search: event.target.value.trim() }), { replace: true })} /></label>
  </form>`;
}

/** @param {{ alarm: Alarm }} p */
function Facts({ alarm }) {
  live.second.value;
  const { then, limit } = thenAndLimit(alarm);
  /** @type {[string, any][]} */
  const rows = [
    [t('alarms.state'), html`${t(`alarm-state.${alarm.state}`)}`],
    [t('alarms.place'), h(Named, { of: alarm.asset_name })],
    [t('alarms.point'), html`<a href=${pointHref(alarm.point)}>${h(Named, { of: alarm.point_name })}</a> <a class="whole" href=${trendOf([alarm.point], alarm.raised_at)}>${t('alarms.trend')}</a>`],
    [t('alarms.then'), html`<span class="num">${then}</span>`],
    [t('alarms.now'), html`<span class="num" data-live>${h(ValueNow, { of: alarm })}</span>`],
    [t('alarms.limit'), limit === null ? t('alarms.no-limit') : html`<span class="num">${limit}</span>`],
    [t('alarms.raised'), html`<span class="num">${fullStamp(alarm.raised_at)}</span> <span class="quiet whole">${t('point.ago', { age: duration(live.now() - alarm.raised_at) })}</span>`],
  ];
  if (alarm.cleared_at !== null) rows.push([t('alarms.cleared'), html`<span class="num">${fullStamp(alarm.cleared_at)}</span>`]);
  if (alarm.acked_at !== null) rows.push([t('alarms.acked'), html`<span class="num">${fullStamp(alarm.acked_at)}</span> <span data-written>${alarm.acked_by}</span>`]);
  if (alarm.work_order !== null) rows.push([t('alarms.work-order'), html`<a href=${`/work-orders/${alarm.work_order}`}>${t('alarms.order', { id: alarm.work_order })}</a>`]);
  return html`<dl class="facts">${rows.map(([term, text]) => html`<div key=${term}><dt>${term}</dt><dd>${text}</dd></div>`)}</dl>`;
}

/** The words for an acknowledgement that was refused. @param {ApiError} error */
function refused(error) {
  if (error.code !== 'already_acknowledged') return { fact: failureWords(error) };
  readAlarms();
  return { fact: t('alarms.already') };
}

/** @param {{ alarm: Alarm, changed: () => void }} p */
function Detail({ alarm, changed }) {
  const heading = useRef(/** @type {HTMLElement | null} */ (null));
  useSubscription([alarm.point]);
  useEffect(() => {
    heading.current?.focus({ preventScroll: window.innerWidth > 1024 });
  }, [alarm.id]);
  const act = async (/** @type {string} */ by, /** @type {string} */ note) => {
    await post(`/alarms/${alarm.id}/acknowledge`, note ? { by, note } : { by });
    changed();
    await readAlarms();
  };
  return html`<aside class="panel pad detail" aria-label=${t('alarms.detail')}>
    <div class="detail-head">${h(Chip, { priority: alarm.priority, state: alarm.state })}
      <a class="bare-link" href=${hrefOfList()} aria-label=${t('alarms.back')} title=${t('alarms.back')}>${h(Icon, { name: 'close' })}</a></div>
    <h2 tabindex="-1" ref=${heading}>${h(Named, { of: alarm.message })}</h2>
    <div class="halves"><div>${h(Facts, { alarm })}</div>
    <div><h3>${t('alarms.response')}</h3>
    ${h(Response, { of: alarm.response })}
    ${!alarm.acked && h(Act, { key: alarm.id, label: t('alarms.acknowledge'), noteLabel: t('act.note'), act, refused })}</div></div>
  </aside>`;
}

/** One alarm, also one that is no longer in the list. @param {{ id: number, listed: Alarm | undefined }} p */
function Chosen({ id, listed }) {
  const { data, error, reload } = useGet(`/alarms/${id}`);
  const alarm = listed ?? /** @type {Alarm | null} */ (data);
  useEffect(() => live.listen((event) => {
    if (event.subject === `alarm:${id}`) reload();
  }), [id]);
  if (alarm) return h(Detail, { alarm, changed: reload });
  if (error) return html`<aside class="panel pad detail">${h(Failure, { error, retry: reload })}<a href=${hrefOfList()}>${t('alarms.back')}</a></aside>`;
  return html`<aside class="panel pad detail">${h(Loading, { rows: 5 })}</aside>`;
}

/** The list the URL asks for: the open alarms every screen knows, or the history. */
function useList() {
  const all = place.value.query.get('state') === 'all';
  const past = useGet(all ? '/alarms?state=all&limit=500' : null, { keep: true });
  useEffect(() => (all ? live.listen((event) => {
    if (event.kind.startsWith('alarm.')) past.reload();
  }) : undefined), [all]);
  if (!all) return { list: open.value.items, error: open.value.error, retry: readAlarms };
  const reply = /** @type {import('../lib/types').Alarms | null} */ (past.data);
  return { list: reply?.items ?? null, error: past.error, retry: past.reload };
}

/** The screen. */
export function Alarms() {
  const { list, error, retry } = useList();
  const asked = place.value.query;
  const id = place.value.params.id === undefined ? null : Number(place.value.params.id);
  const search = (asked.get('search') ?? '').toLowerCase();
  const priority = asked.get('priority');
  const fitting = list && inOrder(list).filter((alarm) =>
    (!priority || String(alarm.priority) === priority) && (!search || words(alarm).includes(search)));
  useKeys((key) => {
    if (key === 'Escape' && id !== null) {
      go(hrefOfList());
      requestAnimationFrame(() => /** @type {HTMLElement | null} */ (document.querySelector(`#alarm-${id} [data-row-link]`))?.focus());
      return true;
    }
    if (key !== 'a') return false;
    const row = document.activeElement?.closest('[data-row]') ?? document.querySelector('[data-row].chosen');
    const button = /** @type {HTMLElement | null} */ (row?.querySelector('[data-acknowledge]') ?? null);
    button?.click();
    return button !== null;
  }, [id]);
  const filtered = search !== '' || Boolean(priority);
  return html`
    <div class=${cls('screen-head', id !== null && 'with-detail')}><h1>${t('nav.alarms')}</h1>${h(Filter, {})}</div>
    <p class="notice">${t('alarms.supplementary')}</p>
    ${error && h(Failure, { error, retry })}
    <div class=${cls('split', id !== null && 'split-open')}>
      <div class="split-list">
        ${!fitting && !error && h(Loading, { rows: 6 })}
        ${fitting && fitting.length > 0 && html`<div class="panel">${h(Table, { list: fitting, chosen: id })}</div>`}
        ${fitting && fitting.length === 0 && h(Empty, filtered
          ? { why: t('alarms.none-found'), action: t('alarms.show-all'), href: '/alarms' }
          : { why: t('alarms.none', { time: clock(live.now()) }), action: t('alarms.see-all'), href: '/alarms?state=all' })}
      </div>
      ${id !== null && h(Chosen, { key: id, id, listed: list?.find((alarm) => alarm.id === id) })}
    </div>
  `;
}
