// Where alarms and work orders stand over a chart: the instant of each, the stretch it held, and which
// are too near each other to stand alone. Pure: no page, no clock, no request.

/** @typedef {import('./types').Alarm} Alarm */
/** @typedef {import('./types').WorkOrder} WorkOrder */
/** @typedef {{ from: number, to: number }} View */
/** @typedef {{ alone: number, joined: number }} Room pixels that a mark takes, and one with a count */
/**
 * What is marked. Without `until` it has no end yet.
 * @template T
 * @typedef {{ at: number, until: number | null, of: T }} Event
 */
/**
 * Events that are marked as one, the earliest first, and where: pixels from the left edge.
 * @template T
 * @typedef {{ x: number, items: T[] }} Group
 */

/** More marks than these nobody tells apart. */
export const MARKS_MAX = 30;

/** The state letters of what holds, seen or not. */
const HOLDS = ['B', 'C', 'L'];
/** Gone, and nobody has seen it. */
const UNSEEN = 'D';

/**
 * How an alarm looks on a chart: in the colour of its priority while it holds, hollow while nobody has seen
 * that it was there, grey once it is over or calls nobody.
 * @param {{ state: string }} alarm
 * @returns {'now' | 'unseen' | 'over'}
 */
export function lookOf({ state }) {
  if (HOLDS.includes(state)) return 'now';
  return state === UNSEEN ? 'unseen' : 'over';
}

const LOOKS = ['now', 'unseen', 'over'];

/**
 * The one that stands for several: what holds before what is over, the most urgent, the newest.
 * @param {Alarm[]} alarms at least one
 */
export function worstOf(alarms) {
  const grade = (/** @type {Alarm} */ alarm) => LOOKS.indexOf(lookOf(alarm)) * 10 + alarm.priority;
  return /** @type {Alarm} */ ([...alarms].sort((a, b) => grade(a) - grade(b) || b.raised_at - a.raised_at)[0]);
}

/** @param {Alarm[]} alarms @returns {Event<Alarm>[]} */
export function alarmEvents(alarms) {
  return alarms.map((alarm) => ({ at: alarm.raised_at, until: alarm.active ? null : alarm.cleared_at ?? alarm.raised_at, of: alarm }));
}

/** An order is marked where it was opened, and nowhere else. @param {WorkOrder[]} orders @returns {Event<WorkOrder>[]} */
export function orderEvents(orders) {
  return orders.map((order) => ({ at: order.opened_at, until: order.opened_at, of: order }));
}

/**
 * The events within a view, the earliest first; what began before it is at its left edge.
 * @template T
 * @param {Event<T>[]} events
 * @param {View} view
 */
function within(events, { from, to }) {
  return events.filter(({ at, until }) => at < to && (until === null || until >= from)).sort((a, b) => a.at - b.at);
}

/** @param {number} at @param {View} view @param {number} width */
function across(at, { from, to }, width) {
  return (Math.min(to, Math.max(from, at)) - from) / (to - from) * width;
}

/**
 * One mark for each event; those that would hide each other are one.
 * @template T
 * @param {Event<T>[]} events the earliest first
 * @param {View} view
 * @param {number} width
 * @param {Room} room
 */
function joined(events, view, width, { alone, joined: wide }) {
  /** @type {Group<T>[]} */
  const groups = [];
  const half = (/** @type {Group<T>} */ group) => (group.items.length > 1 ? wide : alone) / 2;
  for (const { at, of } of events) {
    groups.push({ x: across(at, view, width), items: [of] });
    // What two make together is wider, and may reach the one before.
    for (let [before, last] = groups.slice(-2); before && last && last.x - before.x < half(before) + half(last); [before, last] = groups.slice(-2)) {
      before.items.push(...last.items);
      groups.pop();
    }
  }
  return groups;
}

/**
 * The marks over a chart: neighbours that would hide each other are one, and where there would still be
 * more than `MARKS_MAX` those in reach of each other too.
 * @template T
 * @param {Event<T>[]} events
 * @param {View} view
 * @param {number} width of the plot, pixels
 * @param {Room} room
 * @returns {Group<T>[]}
 */
export function groupsOf(events, view, width, room) {
  if (!(view.to > view.from) || !(width > 0)) return [];
  const seen = within(events, view);
  const groups = joined(seen, view, width, room);
  if (groups.length <= MARKS_MAX) return groups;
  const each = width / (MARKS_MAX - 1);
  return joined(seen, view, width, { alone: Math.max(room.alone, each), joined: Math.max(room.joined, each) });
}

/**
 * The stretches in which alarms held: of what is over (priority 0) and of what holds by priority, each
 * joined where they touch, what is drawn last the most urgent.
 * @param {Alarm[]} alarms
 * @param {View} view
 * @param {number} width
 * @returns {{ x: number, width: number, priority: number }[]}
 */
export function stretchesOf(alarms, view, width) {
  if (!(view.to > view.from) || !(width > 0)) return [];
  const seen = within(alarmEvents(alarms), view);
  return [0, 4, 3, 2, 1].flatMap((priority) => {
    const own = seen.filter(({ of }) => (of.active ? of.priority : 0) === priority);
    /** @type {{ x: number, end: number }[]} */
    const spans = [];
    for (const { at, until } of own) {
      const [x, end] = [across(at, view, width), across(until ?? view.to, view, width)];
      const last = spans[spans.length - 1];
      if (last && x <= last.end) last.end = Math.max(last.end, end);
      else spans.push({ x, end });
    }
    return spans.map(({ x, end }) => ({ x, width: end - x, priority }));
  });
}
