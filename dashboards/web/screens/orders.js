// Work orders: the list, and one order with its steps, its cause then and now, and the next act.

import { cls, h, html, useEffect, useRef } from '../lib/ui.js';
import { clock, duration, fullStamp, nameOf, number, stamp, t } from '../lib/i18n.js';
import { post, useGet } from '../lib/api.js';
import { go, place, pointHref, withQuery, useKeys } from '../lib/nav.js';
import { trendOf } from '../lib/trend-link.js';
import { live } from '../lib/live.js';
import { Act } from '../parts/act.js';
import { Chip, Empty, Failure, Grade, Icon, Loading, Named, Response, ValueNow, failureWords, thenAndLimit, useSubscription } from '../parts/basics.js';

/** @typedef {import('../lib/types').WorkOrder} WorkOrder */
/** @typedef {import('../lib/types').WorkOrderFull} WorkOrderFull */
/** @typedef {import('../lib/types').Alarm} Alarm */
/** @typedef {import('../lib/api.js').ApiError} ApiError */

const WHICH = /** @type {const} */ (['open', 'all']);
/** What comes after each state, and the verb of the API that leads there. */
const NEXT = /** @type {const} */ ({ new: 'accept', accepted: 'finish', done: 'close', closed: null });
/** Who opens orders: the stage itself, by the alarm's rule. */
const OPENER = 'work_orders';
const STEPS = /** @type {const} */ (['new', 'accepted', 'done', 'closed']);

/** @param {string} path the query kept */
function withFilters(path) {
  const text = place.value.query.toString();
  return path + (text ? `?${text}` : '');
}

/** @param {{ order: WorkOrder, chosen: boolean }} p */
function Row({ order, chosen }) {
  live.second.value;
  return html`<tr role="row" data-row id=${`order-${order.id}`} class=${cls(chosen && 'chosen')}>
    <td role="cell" class="c-number mono">${order.number}</td>
    <td role="cell" class="c-state"><span class=${cls('state-word', `state-${order.state}`)}>${t(`order-state.${order.state}`)}</span></td>
    <td role="cell" class="c-grade">${h(Grade, { priority: order.priority })}</td>
    <th role="rowheader" scope="row" class="c-message"><a href=${withFilters(`/work-orders/${order.id}`)} data-row-link aria-current=${chosen ? 'true' : undefined}>${h(Named, { of: order.title })}</a></th>
    <td role="cell" class="c-place">${h(Named, { of: order.asset_name })}</td>
    <td role="cell" class="c-age num" title=${stamp(order.opened_at)}>${duration(live.now() - order.opened_at)}</td>
    <td role="cell" class="c-who" data-written>${order.done_by ?? order.accepted_by ?? ''}</td>
  </tr>`;
}

/** @param {{ list: WorkOrder[], chosen: number | null }} p */
function Table({ list, chosen }) {
  return html`<table role="table" class="table orders-table">
    <caption class="unseen">${t('orders.caption')}</caption>
    <thead role="rowgroup"><tr role="row">
      <th role="columnheader" scope="col">${t('orders.number')}</th>
      <th role="columnheader" scope="col">${t('orders.state')}</th>
      <th role="columnheader" scope="col">${t('alarms.priority')}</th>
      <th role="columnheader" scope="col">${t('orders.title')}</th>
      <th role="columnheader" scope="col">${t('alarms.place')}</th>
      <th role="columnheader" scope="col" class="num">${t('orders.opened')}</th>
      <th role="columnheader" scope="col" class="c-who">${t('orders.who')}</th>
    </tr></thead>
    <tbody role="rowgroup">${list.map((order) => h(Row, { key: order.id, order, chosen: order.id === chosen }))}</tbody>
  </table>`;
}

/** When each state was reached, and by whom. @param {WorkOrder} order */
function reached(order) {
  return {
    new: { at: order.opened_at, by: null },
    accepted: { at: order.accepted_at, by: order.accepted_by },
    done: { at: order.done_at, by: order.done_by },
    closed: { at: order.closed_at, by: order.closed_by },
  };
}

/** @param {{ order: WorkOrder }} p */
function Steps({ order }) {
  const when = reached(order);
  return html`<ol class="steps">${STEPS.map((step) => {
    const { at, by } = when[step];
    return html`<li key=${step} class=${cls(at !== null && 'reached')} aria-current=${order.state === step ? 'step' : undefined}>
      <span class="step-word">${at !== null && h(Icon, { name: 'tick' })}${step === 'new' ? t('orders.step-opened') : t(`order-state.${step}`)}</span>
      <span class="quiet num">${at === null ? '\u00a0' : stamp(at)}</span>
      <span class="quiet" data-written>${by ?? '\u00a0'}</span>
    </li>`;
  })}</ol>`;
}

/** @param {{ order: WorkOrderFull }} p */
function Cause({ order }) {
  const { then, limit } = thenAndLimit(order);
  useSubscription([order.point]);
  const name = order.alarms.find((alarm) => alarm.point === order.point)?.point_name;
  return html`<dl class="facts">
    <div><dt>${t('alarms.place')}</dt><dd>${h(Named, { of: order.asset_name })}</dd></div>
    <div><dt>${t('alarms.point')}</dt><dd><a href=${pointHref(order.point)}>${name ? h(Named, { of: name }) : order.point}</a> <a class="whole" href=${trendOf([order.point], order.opened_at)}>${t('alarms.trend')}</a></dd></div>
    <div><dt>${t('alarms.then')}</dt><dd class="num">${then}</dd></div>
    <div><dt>${t('alarms.now')}</dt><dd class="num" data-live>${h(ValueNow, { of: order })}</dd></div>
    <div><dt>${t('alarms.limit')}</dt><dd class="num">${limit ?? t('alarms.no-limit')}</dd></div>
    <div><dt>${t('orders.opened-at')}</dt><dd class="num">${fullStamp(order.opened_at)}</dd></div>
    ${order.note && html`<div><dt>${t('orders.note')}</dt><dd data-written>${order.note}</dd></div>`}
  </dl>`;
}

/** @param {{ alarms: Alarm[] }} p */
function Causes({ alarms }) {
  return html`<ul class="causes">${alarms.map((alarm) => html`<li key=${alarm.id}>
    ${h(Chip, { priority: alarm.priority, state: alarm.state })}
    <a href=${`/alarms/${alarm.id}`}>${h(Named, { of: alarm.message })}</a>
    <span class="quiet num">${stamp(alarm.raised_at)} · ${t(`alarm-state.${alarm.state}`)}</span>
  </li>`)}</ul>`;
}

/** @param {{ order: WorkOrderFull }} p */
function Story({ order }) {
  return html`<div class="scroll-x" tabindex="0" role="group" aria-label=${t('orders.history')}><table class="table story">
    <caption class="unseen">${t('orders.history')}</caption>
    <thead><tr><th scope="col">${t('orders.at')}</th><th scope="col">${t('orders.step')}</th><th scope="col">${t('orders.who')}</th><th scope="col">${t('orders.note')}</th></tr></thead>
    <tbody>${order.history.map((row, i) => html`<tr key=${i}><th scope="row" class="time">${stamp(row.at)}</th><td>${row.from === row.to ? t('orders.again') : t(`order-state.${row.to}`)}</td><td data-written>${row.actor === OPENER ? t('orders.opener') : row.actor}</td><td data-written>${row.note ?? ''}</td></tr>`)}</tbody>
  </table></div>`;
}

/**
 * Why an act was refused: the fact first, then what helps.
 * @param {ApiError} error
 * @param {WorkOrderFull} order
 * @param {() => void} reload
 */
function refused(error, order, reload) {
  if (error.code === 'alarm_active') {
    const active = order.alarms.find((alarm) => alarm.active) ?? order.alarms[0];
    return {
      fact: t('orders.alarm-active', { message: active ? nameOf(active.message) : nameOf(order.title) }),
      action: t('orders.alarm-active-do'),
      ...(active ? { href: `/alarms/${active.id}` } : {}),
    };
  }
  if (error.code === 'conflict' || error.code === 'wrong_state') {
    reload();
    return { fact: t('orders.conflict'), action: t('orders.conflict-do') };
  }
  return { fact: failureWords(error) };
}

/** @param {{ order: WorkOrderFull, reload: () => void }} p */
function Detail({ order, reload }) {
  const heading = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    heading.current?.focus({ preventScroll: window.innerWidth > 1024 });
  }, [order.id]);
  const verb = NEXT[order.state];
  const act = async (/** @type {string} */ by, /** @type {string} */ note) => {
    await post(`/work-orders/${order.id}/${verb}`, { by, version: order.version, ...(note ? { note } : {}) });
    reload();
  };
  const stillActive = order.state === 'done' && order.alarms.some((alarm) => alarm.active);
  return html`<aside class="panel pad detail" aria-label=${t('orders.detail')}>
    <div class="detail-head"><span class="mono">${order.number}</span>${h(Grade, { priority: order.priority })}
      <a class="bare-link" href=${withFilters('/work-orders')} aria-label=${t('orders.back')} title=${t('orders.back')}>${h(Icon, { name: 'close' })}</a></div>
    <h2 tabindex="-1" ref=${heading}>${h(Named, { of: order.title })}</h2>
    ${h(Steps, { order })}
    <div class="halves"><div>${h(Cause, { order })}</div>
    <div><h3>${t('alarms.response')}</h3>
    ${h(Response, { of: order.response })}
    ${stillActive && html`<p class="notice">${t('orders.still-active')}</p>`}
    ${verb && h(Act, { key: order.id, label: t(`orders.${verb}`), noteLabel: verb === 'finish' ? t('orders.note-done') : t('act.note'), act, refused: (error) => refused(error, order, reload) })}</div></div>
    <h3>${t('orders.alarms')}</h3>
    ${h(Causes, { alarms: order.alarms })}
    <h3>${t('orders.history')}</h3>
    ${h(Story, { order })}
  </aside>`;
}

/** @param {{ id: number }} p */
function Chosen({ id }) {
  const { data, error, reload } = useGet(`/work-orders/${id}`);
  const order = /** @type {WorkOrderFull | null} */ (data);
  useEffect(() => live.listen((event) => {
    if (event.subject === `work_order:${id}` || event.kind.startsWith('alarm.')) reload();
  }), [id]);
  if (order) return h(Detail, { order, reload });
  if (error) return html`<aside class="panel pad detail">${h(Failure, { error, retry: reload })}<a href=${withFilters('/work-orders')}>${t('orders.back')}</a></aside>`;
  return html`<aside class="panel pad detail">${h(Loading, { rows: 5 })}</aside>`;
}

/** @param {{ state: string }} p */
function Filter({ state }) {
  const asked = place.value.query;
  return html`<form class="filter" role="search" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
    <div class="choices" role="group" aria-label=${t('orders.which')}>
      ${WHICH.map((one) => html`<a key=${one} class="choice" href=${withQuery({ state: one === 'open' ? null : one })}
        aria-current=${state === one ? 'true' : undefined}>${t(`orders.${one}`)}</a>`)}
    </div>
    <label class="field field-search"><span class="unseen">${t('orders.search')}</span>${h(Icon, { name: 'search' })}
      <input type="search" data-search placeholder=${t('orders.search')} value=${asked.get('search') ?? ''} maxlength="100"
        onInput=${(/** @type {any} */ event) => go(withQuery({ search: event.target.value.trim() }), { replace: true })} /></label>
  </form>`;
}

/** @param {WorkOrder} order */
function words(order) {
  return [order.number, order.title.zh, order.title.en, order.asset_name.zh, order.asset_name.en].join(' ').toLowerCase();
}

/** The screen. */
export function Orders() {
  const state = place.value.query.get('state') === 'all' ? 'all' : 'open';
  const { data, error, reload } = useGet(`/work-orders?state=${state}`, { keep: true });
  const list = /** @type {WorkOrder[] | undefined} */ (/** @type {any} */ (data)?.items);
  const id = place.value.params.id === undefined ? null : Number(place.value.params.id);
  const search = (place.value.query.get('search') ?? '').toLowerCase();
  useEffect(() => live.listen((event) => {
    if (event.kind.startsWith('work_order.')) reload();
  }), []);
  useKeys((key) => {
    if (key !== 'Escape' || id === null) return false;
    go(withFilters('/work-orders'));
    requestAnimationFrame(() => /** @type {HTMLElement | null} */ (document.querySelector(`#order-${id} [data-row-link]`))?.focus());
    return true;
  }, [id]);
  const fitting = list?.filter((order) => !search || words(order).includes(search)).sort((a, b) =>
    STEPS.indexOf(a.state) - STEPS.indexOf(b.state) || a.priority - b.priority || a.opened_at - b.opened_at);
  return html`
    <div class=${cls('screen-head', id !== null && 'with-detail')}><h1>${t('nav.orders')}</h1>${h(Filter, { state })}</div>
    ${error && h(Failure, { error, retry: reload })}
    <div class=${cls('split', id !== null && 'split-open')}>
      <div class="split-list">
        ${!fitting && !error && h(Loading, { rows: 6 })}
        ${fitting && fitting.length > 0 && html`<div class="panel">${h(Table, { list: fitting, chosen: id })}</div>
          <p class="quiet pager">${t('orders.count', { n: number(fitting.length, 0) })}</p>`}
        ${fitting && fitting.length === 0 && h(Empty, search
          ? { why: t('orders.none-found'), action: t('orders.show-all'), href: '/work-orders' }
          : { why: t('orders.none', { time: clock(live.now()) }), action: t('orders.see-all'), href: '/work-orders?state=all' })}
      </div>
      ${id !== null && h(Chosen, { key: id, id })}
    </div>
  `;
}
