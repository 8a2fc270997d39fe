// The way to the trend explorer, for screens that name a point. Not part of the first route.

/** What led to an alarm, and what came of it. */
const TREND_BEFORE_MS = 30 * 60_000;
const TREND_AFTER_MS = 10 * 60_000;

/**
 * Points in the trend explorer, around a moment or up to now.
 * @param {string[]} addresses
 * @param {number} [around]
 */
export function trendOf(addresses, around) {
  const span = around === undefined ? '' : `&from=${around - TREND_BEFORE_MS}&to=${around + TREND_AFTER_MS}`;
  return `/trend?points=${addresses.join()}${span}`;
}
