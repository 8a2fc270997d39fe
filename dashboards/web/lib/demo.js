// What the demo plays and how far it is. Pure: the API's reply in, what to show out.

/** @typedef {import('./types').Names} Names */
/**
 * A fault of the script. `onset` and `end` are moments, or null where a hand begins or ends it.
 * @typedef {object} Fault
 * @property {string} id
 * @property {string} kind
 * @property {string} asset
 * @property {Names} name
 * @property {Names} notice what a person should see of it
 * @property {'waiting' | 'running' | 'over'} state
 * @property {number | null} onset
 * @property {number | null} end
 * @property {string[]} points where it shows
 */
/**
 * @typedef {object} DemoReply
 * @property {number} seed
 * @property {number} speed
 * @property {number} genesis
 * @property {{ share: number, from: number | null, done: boolean }} filled
 * @property {Fault[]} faults
 */

/** A trend shows no more points than this. */
export const TREND_MAX = 8;

/** The running first, then those to come by their time, then the past, the newest first. @param {Fault[]} faults */
export function inOrder(faults) {
  const rank = { running: 0, waiting: 1, over: 2 };
  const when = (/** @type {Fault} */ one) => (one.state === 'over' ? -(one.end ?? one.onset ?? 0) : one.onset ?? Infinity);
  // Two by hand have no time to compare: the script's order stands.
  return [...faults].sort((a, b) => rank[a.state] - rank[b.state] || (when(a) === when(b) ? 0 : when(a) - when(b)));
}

/**
 * When it begins, how long it has been there, or when it ended.
 * @param {Fault} fault
 * @param {number} now
 * @returns {{ word: 'begins' | 'since' | 'ends' | 'ended' | 'no-time', ms: number }[]}
 */
export function timesOf({ state, onset, end }, now) {
  if (state === 'over') return end === null ? [] : [{ word: 'ended', ms: Math.max(0, now - end) }];
  if (state === 'waiting') return onset === null || onset <= now ? [{ word: 'no-time', ms: 0 }] : [{ word: 'begins', ms: onset - now }];
  /** @type {ReturnType<typeof timesOf>} */
  const times = onset === null ? [] : [{ word: 'since', ms: Math.max(0, now - onset) }];
  if (end !== null && end > now) times.push({ word: 'ends', ms: end - now });
  return times;
}

/** The trend of where a fault shows; none without a point. @param {Fault} fault */
export function trendOf({ points }) {
  return points.length === 0 ? null : `/trend?${new URLSearchParams({ points: points.slice(0, TREND_MAX).join(), span: '1h' })}`;
}
