// Alarms and work orders over a chart: a lane each at its top edge, a mark at each instant, a thin bar
// while an alarm held. A mark leads to its alarm or order; one that stands for several unfolds them.

import { cls, h, html, useEffect, useRef, useState } from '../lib/ui.js';
import { loadStyles } from '../lib/more.js';
import { duration, loadWords, number, stamp, t } from '../lib/i18n.js';
import { query, useGet } from '../lib/api.js';
import { onKey } from '../lib/nav.js';
import { live } from '../lib/live.js';
import { alarmEvents, groupsOf, lookOf, orderEvents, stretchesOf, worstOf } from '../lib/marks.js';
import { Chip, Failure, Grade, Icon, Named, Shape } from './basics.js';

/** @typedef {import('../lib/types').Alarm} Alarm */
/** @typedef {import('../lib/types').WorkOrder} WorkOrder */
/** @typedef {import('../lib/marks.js').View} View */
/** @typedef {{ alarms: Alarm[], orders: WorkOrder[], error: import('../lib/api.js').ApiError | null, cut: boolean }} Marks */
/**
 * What is drawn on a lane.
 * @typedef {object} Drawn
 * @property {string} key
 * @property {number} x
 * @property {any} face what is seen
 * @property {any} words what it says
 * @property {string} href where it leads; empty: it stands for several
 * @property {any} list they, where it stands for several
 */

await Promise.all([loadWords('plant'), loadStyles(['css/machine.css'])]);

/** Alarms, and orders, of one span. */
const ASKED_MAX = 500;
/** A span that follows now is asked for again when its beginning has moved so far. */
const MINUTE = 60_000;
/** Under a flood of events they are read at most this often. */
const REREAD_MS = 1_000;
/** Listed of one mark. */
const LISTED_MAX = 50;
const PHONE = 600;
/** What a mark takes of a lane; on a phone it is hit with a finger. CSS pixels. */
const ROOM = { alone: 24, joined: 44 };
const ROOM_PHONE = { alone: 48, joined: 52 };

function roomOf() {
  return window.innerWidth <= PHONE ? ROOM_PHONE : ROOM;
}

/**
 * What is to be marked of an asset, one question each for a span: asked again when the span has moved on, and
 * when something happened to one of them.
 * @param {string} asset
 * @param {number | null} from none: nothing to ask yet
 * @param {number | null} to none: up to now
 * @returns {Marks}
 */
export function useMarks(asset, from, to) {
  const asked = from === null ? null : query({ state: 'all', asset, from: Math.floor(from / MINUTE) * MINUTE, to, limit: ASKED_MAX });
  const alarms = useGet(asked === null ? null : `/alarms${asked}`, { keep: true });
  const orders = useGet(asked === null ? null : `/work-orders${asked}`, { keep: true });
  useEffect(() => {
    /** @type {any} */
    let timer = null;
    const deaf = hear(asset, () => {
      timer ??= setTimeout(() => {
        timer = null;
        alarms.reload();
        orders.reload();
      }, REREAD_MS);
    });
    return () => {
      deaf();
      clearTimeout(timer);
    };
  }, [asset]);
  const items = (/** @type {any} */ reply) => (reply?.items ?? []).filter((/** @type {{ asset: string }} */ one) => one.asset === asset);
  const [raised, opened] = [items(alarms.data), items(orders.data)];
  return { alarms: raised, orders: opened, error: alarms.error ?? orders.error, cut: Math.max(raised.length, opened.length) >= ASKED_MAX };
}

/** Hears when something happens to an alarm or order of an asset. @param {string} asset @param {() => void} heard */
export function hear(asset, heard) {
  return live.listen(({ kind, body }) => {
    const own = /** @type {{ asset?: string } | null} */ (body)?.asset === asset;
    if (own && (kind.startsWith('alarm.') || kind.startsWith('work_order.'))) heard();
  });
}

// ---- words

/** @param {{ alarm: Alarm }} p */
function AlarmWords({ alarm }) {
  const until = alarm.active ? t('marks.still') : alarm.cleared_at === null ? '' : t('marks.returned', { age: duration(alarm.cleared_at - alarm.raised_at) });
  return html`<span>${t('marks.alarm', { priority: t(`priority.${alarm.priority}`), at: stamp(alarm.raised_at), state: t(`alarm-state.${alarm.state}`) })} ${until} </span>${h(Named, { of: alarm.message })}`;
}

/** @param {{ order: WorkOrder }} p */
function OrderWords({ order }) {
  return html`<span>${t('marks.order', { number: order.number, at: stamp(order.opened_at), state: t(`order-state.${order.state}`) })} </span>${h(Named, { of: order.title })}`;
}

// ---- marks

/** The mark of an alarm; it does not blink, the list above does. @param {{ alarm: Alarm, count: number }} p */
function AlarmFace({ alarm, count }) {
  const look = { now: 'chip-acked', unseen: 'chip-returned', over: 'chip-grey' }[lookOf(alarm)];
  return html`<span class=${cls('chip mark', `chip-${alarm.priority}`, look)} aria-hidden="true">${h(Shape, { priority: alarm.priority })}${count > 1 && html`<b>${number(count, 0)}</b>`}</span>`;
}

/** @param {{ count: number }} p */
function OrderFace({ count }) {
  return html`<span class="chip mark chip-grey" aria-hidden="true">${h(Icon, { name: 'orders' })}${count > 1 && html`<b>${number(count, 0)}</b>`}</span>`;
}

/** @param {number} count how many a list leaves out */
function rest(count) {
  return count > 0 && html`<li class="quiet">${t('machine.and-more', { n: number(count, 0) })}</li>`;
}

/** @param {import('../lib/marks.js').Group<Alarm>} group @returns {Drawn} */
function alarmMark({ x, items }) {
  const worst = worstOf(items);
  const [first, last] = [items[0] ?? worst, items[items.length - 1] ?? worst];
  const alone = items.length === 1;
  return {
    key: `a${first.id}`, x, href: alone ? `/alarms/${first.id}` : '', face: h(AlarmFace, { alarm: worst, count: items.length }),
    words: alone ? h(AlarmWords, { alarm: first }) : t('marks.alarms', { n: number(items.length, 0), from: stamp(first.raised_at), to: stamp(last.raised_at), priority: t(`priority.${worst.priority}`) }),
    list: alone ? null : html`${items.slice(-LISTED_MAX).reverse().map((alarm) => html`<li key=${alarm.id}>${h(Chip, { priority: alarm.priority, state: alarm.state })}
      <span class="num">${stamp(alarm.raised_at)}</span><a href=${`/alarms/${alarm.id}`}>${h(Named, { of: alarm.message })}</a><span class="quiet">${t(`alarm-state.${alarm.state}`)}</span></li>`)}${rest(items.length - LISTED_MAX)}`,
  };
}

/** @param {import('../lib/marks.js').Group<WorkOrder>} group @returns {Drawn} */
function orderMark({ x, items }) {
  const [first, last] = [items[0], items[items.length - 1]];
  const alone = items.length === 1;
  return {
    key: `w${first?.id}`, x, href: alone ? `/work-orders/${first?.id}` : '', face: h(OrderFace, { count: items.length }),
    words: alone && first ? h(OrderWords, { order: first }) : t('marks.orders', { n: number(items.length, 0), from: stamp(first?.opened_at ?? 0), to: stamp(last?.opened_at ?? 0) }),
    list: alone ? null : html`${items.slice(-LISTED_MAX).reverse().map((order) => html`<li key=${order.id}>${h(Grade, { priority: order.priority })}
      <span class="num">${stamp(order.opened_at)}</span><a href=${`/work-orders/${order.id}`}>${order.number} · ${h(Named, { of: order.title })}</a><span class="state-word">${t(`order-state.${order.state}`)}</span></li>`)}${rest(items.length - LISTED_MAX)}`,
  };
}

/**
 * @param {object} p
 * @param {Drawn} p.mark
 * @param {boolean} p.open
 * @param {(mark: Drawn | null) => void} p.tell
 * @param {(mark: Drawn) => void} p.unfold
 */
function LaneMark({ mark, open, tell, unfold }) {
  const hands = { onPointerEnter: () => tell(mark), onPointerLeave: () => tell(null), onFocus: () => tell(mark), onBlur: () => tell(null) };
  const inside = html`${mark.face}<span class="unseen">${mark.words}</span>`;
  // The place goes through the object model: the page's policy refuses it as an attribute.
  return h('li', { style: { left: `${mark.x.toFixed(1)}px` } }, mark.href
    ? h('a', { class: 'lane-mark', href: mark.href, ...hands }, inside)
    : h('button', { class: 'lane-mark', type: 'button', 'aria-expanded': open, 'data-several': true, onClick: () => unfold(mark), ...hands }, inside));
}

/** What one mark stands for. @param {{ mark: Drawn, close: () => void }} p */
function Unfolded({ mark, close }) {
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    list.current?.querySelector('a')?.focus();
    return onKey((key) => {
      if (key === 'Escape') close();
      return key === 'Escape';
    });
  }, [mark.key]);
  return html`<ul class="machine-list lane-list" ref=${list}>${mark.list}</ul>`;
}

/**
 * The lanes over a chart; nothing where there is nothing to mark.
 * @param {object} p
 * @param {Marks} p.marks
 * @param {View} p.view
 * @param {number} p.left what stands beside the plot, pixels
 * @param {number} p.right
 * @param {number} p.width of all of it
 */
export function Lanes({ marks, view, left, right, width }) {
  const [told, tell] = useState(/** @type {Drawn | null} */ (null));
  const [unfolded, unfold] = useState('');
  const root = useRef(/** @type {HTMLElement | null} */ (null));
  const across = width - left - right;
  const room = roomOf();
  const lanes = /** @type {const} */ ([
    ['alarms', groupsOf(alarmEvents(marks.alarms), view, across, room).map(alarmMark)],
    ['orders', groupsOf(orderEvents(marks.orders), view, across, room).map(orderMark)],
  ]);
  if (marks.error) return html`<p class="quiet">${t('marks.failed')}</p>${h(Failure, { error: marks.error })}`;
  const drawn = lanes.flatMap(([, list]) => list);
  if (drawn.length === 0) return null;
  const open = drawn.find(({ key, list }) => key === unfolded && list !== null);
  const close = () => {
    unfold('');
    /** @type {HTMLElement | null | undefined} */ (root.current?.querySelector('[aria-expanded="true"]'))?.focus();
  };
  const inset = { marginLeft: `${left}px`, width: `${Math.max(0, across)}px` };
  return html`<div class="lanes" ref=${root} role="group" aria-label=${t('marks.label')}>
    ${lanes.map(([name, list]) => list.length > 0 && html`<div class="lane-row" key=${name}><span class="lane-name" title=${t(`nav.${name}`)}>${h(Icon, { name })}</span>
      ${h('div', { class: 'lane', style: inset }, html`<ul aria-label=${t(`nav.${name}`)}>${list.map((mark) => h(LaneMark, { key: mark.key, mark, open: mark === open, tell, unfold: ({ key }) => unfold(key === unfolded ? '' : key) }))}</ul>
        ${name === 'alarms' && h(Bars, { alarms: marks.alarms, view, width: across })}`)}</div>`)}
    ${told && h('p', { class: 'lane-told', style: inset, 'aria-hidden': true }, told.words)}
    ${open && h(Unfolded, { mark: open, close })}
    ${marks.cut && html`<p class="quiet">${t('marks.cut', { n: number(ASKED_MAX, 0) })}</p>`}
  </div>`;
}

/** While each alarm held. @param {{ alarms: Alarm[], view: View, width: number }} p */
function Bars({ alarms, view, width }) {
  if (width <= 0) return null;
  return html`<svg class="lane-bars" width=${width} height="3" aria-hidden="true" focusable="false">
    ${stretchesOf(alarms, view, width).map((bar) => html`<rect key=${`${bar.priority} ${bar.x}`} class=${cls('held', bar.priority > 0 && `chip-${bar.priority}`)} x=${bar.x.toFixed(1)} width=${Math.max(2, bar.width).toFixed(1)} height="3" />`)}</svg>`;
}

/**
 * Lines down from the marks of alarms through a chart, one for each mark: more would hide the curves.
 * @param {Marks} marks
 * @param {View} view
 * @param {number} across width of the plot, pixels
 * @returns {number[]} pixels from the plot's left edge
 */
export function hairsOf(marks, view, across) {
  // What began before the view has no instant in it.
  return groupsOf(alarmEvents(marks.alarms), view, across, roomOf()).map(({ x }) => Math.round(x)).filter((x) => x > 0);
}
