// Geometry of the hand-made charts. Pure: numbers in, numbers and paths out.

/** @typedef {import('./types').Reading} Reading */
/** @typedef {import('./types').State} State */

/**
 * Round numbers that divide [low, high] into about `count` steps.
 * @param {number} low
 * @param {number} high
 * @param {number} count
 */
export function valueTicks(low, high, count) {
  if (!(high > low)) return [low];
  const rough = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough * 0.999) ?? 10) * power;
  const ticks = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n += 1) ticks.push(n * step + 0); // -0 is 0
  return ticks;
}

/** Digits after the point that tell these ticks apart. @param {number[]} ticks */
export function tickDecimals(ticks) {
  const step = ticks.length > 1 ? Math.abs((ticks[1] ?? 0) - (ticks[0] ?? 0)) : Math.abs(ticks[0] ?? 0) || 1; // one alone is told whole
  for (let decimals = 0; decimals < 6; decimals += 1) {
    const scaled = step * 10 ** decimals;
    if (Math.abs(scaled - Math.round(scaled)) < 1e-6 * Math.max(1, scaled)) return decimals;
  }
  return 6;
}

const MINUTE = 60_000;
const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10_080].map((n) => n * MINUTE);

/**
 * Moments at round civil times.
 * @param {number} from
 * @param {number} to
 * @param {number} count at most about so many
 * @param {number} offset milliseconds the site's zone is ahead of UTC
 */
export function timeTicks(from, to, count, offset) {
  const rough = (to - from) / Math.max(1, count);
  const step = TIME_STEPS.find((one) => one >= rough) ?? TIME_STEPS[TIME_STEPS.length - 1] ?? MINUTE;
  const ticks = [];
  for (let at = Math.ceil((from + offset) / step) * step - offset; at <= to; at += step) ticks.push(at);
  return ticks;
}

/** What a number on a chart is; flags are drawn as 0 and 1. @param {Reading} reading */
export function numeric(reading) {
  if (typeof reading.value === 'number') return reading.value;
  if (typeof reading.value === 'boolean') return reading.value ? 1 : 0;
  return null;
}

/** So many named states are all drawn, also those that do not occur. */
const LEVELS_NAMED_MAX = 8;

/**
 * The levels of a chart of states, least first: those that occur, named or not, and where there are
 * few names all of them, so that a machine that stood still shows what else it can do.
 * @param {State[]} states
 * @param {Reading[]} readings
 */
export function stateLevels(states, readings) {
  const levels = new Set(readings.map(numeric).filter((value) => value !== null));
  if (states.length <= LEVELS_NAMED_MAX || levels.size === 0) for (const state of states.slice(0, LEVELS_NAMED_MAX)) levels.add(state.value);
  return [...levels].sort((a, b) => a - b);
}

/**
 * Cuts readings into unbroken runs: a Bad reading or a silence longer than `gap` ends one.
 * @param {Reading[]} readings sorted by time
 * @param {number} gap milliseconds
 */
export function runs(readings, gap) {
  /** @type {{ at: number, value: number }[][]} */
  const out = [];
  /** @type {{ at: number, value: number }[]} */
  let run = [];
  let last = -Infinity;
  for (const reading of readings) {
    const value = numeric(reading);
    if (value === null || reading.at - last > gap) {
      if (run.length > 0) out.push(run);
      run = [];
    }
    if (value !== null) {
      run.push({ at: reading.at, value });
      last = reading.at;
    }
  }
  if (run.length > 0) out.push(run);
  return out;
}

/**
 * At most four of a run's points per pixel: first, least, greatest, last. No spike is lost.
 * @template {{ at: number, value: number }} P
 * @param {P[]} run
 * @param {number} from
 * @param {number} perPixel milliseconds of a pixel
 * @returns {P[]}
 */
export function thin(run, from, perPixel) {
  /** @type {P[]} */
  const out = [];
  for (let i = 0; i < run.length; ) {
    const first = /** @type {P} */ (run[i]);
    const pixel = Math.floor((first.at - from) / perPixel);
    let last = first;
    let least = first;
    let greatest = first;
    for (; i < run.length; i += 1) {
      const next = /** @type {P} */ (run[i]);
      if (Math.floor((next.at - from) / perPixel) !== pixel) break;
      last = next;
      if (next.value < least.value) least = next;
      if (next.value > greatest.value) greatest = next;
    }
    const kept = [...new Set([first, least, greatest, last])];
    out.push(...kept.sort((a, b) => a.at - b.at));
  }
  return out;
}

/**
 * Spans without a usable value: from each Bad reading to the next usable one.
 * @param {Reading[]} readings
 * @param {number} gap milliseconds; a span ends there at the latest
 */
export function badSpans(readings, gap) {
  /** @type {{ from: number, to: number, reason: string | null }[]} */
  const out = [];
  readings.forEach((reading, i) => {
    if (reading.quality !== 'bad') return;
    const to = Math.min(readings[i + 1]?.at ?? reading.at + gap, reading.at + gap);
    const last = out[out.length - 1];
    if (last && last.to >= reading.at && last.reason === reading.reason) last.to = to;
    else out.push({ from: reading.at, to, reason: reading.reason });
  });
  return out;
}

/** The index of the reading nearest to a moment; -1 for none. @param {Reading[]} readings @param {number} at */
export function nearest(readings, at) {
  let low = 0;
  let high = readings.length - 1;
  if (high < 0) return -1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((readings[middle]?.at ?? 0) < at) low = middle + 1;
    else high = middle;
  }
  const before = readings[low - 1];
  const found = readings[low];
  return before && found && at - before.at < found.at - at ? low - 1 : low;
}
