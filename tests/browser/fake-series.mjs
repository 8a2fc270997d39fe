// Answers of GET /series and /series/statistics made from nothing: the same readings for the same
// moments, with a silence, bad and doubtful spans, and a spike of one second.

const INTERVAL_MS = 2_000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** More raw readings of a point are cut off. */
const RAW_MAX = 50_000;

/** A number for a text. @param {string} text */
function seed(text) {
  return [...text].reduce((sum, letter) => (Math.imul(sum, 31) + letter.charCodeAt(0)) >>> 0, 7);
}

/** When the one reading of each day that nobody may miss is. */
export const SPIKE = { hour: 5, value: 999 };

/**
 * What point has at a moment.
 * @param {any} point
 * @param {number} at
 */
function reading(point, at) {
  const own = seed(point.address);
  const phase = (at / DAY) % 1;
  if (phase > 0.30 && phase < 0.34) return null; // silent
  const quality = phase > 0.55 && phase < 0.57 ? 'bad_timeout' : phase > 0.75 && phase < 0.78 ? 'uncertain_clock' : 'good';
  const levels = point.states.length > 0 ? point.states.map((/** @type {any} */ one) => one.value) : [0, 1];
  if (point.kind === 'bool' || point.states.length > 0) return { value: levels[Math.floor(at / (23 * 60_000) + own) % levels.length], quality };
  const base = 5 + (own % 300);
  const slow = Math.sin((at / DAY) * 2 * Math.PI + own) * 0.12 + Math.sin((at / (365 * DAY)) * 2 * Math.PI) * 0.2;
  const day = ((Math.imul(Math.floor(at / DAY), 2_654_435_761) >>> 0) / 2 ** 32 - 0.5) * 0.1 * Math.sin(phase * Math.PI);
  const fast = Math.sin(at / 47_000 + own) * 0.02 + Math.sin(at / 7_100) * 0.01;
  const spike = own % 5 === 0 && Math.floor(at / INTERVAL_MS) % (DAY / INTERVAL_MS) === (SPIKE.hour * HOUR) / INTERVAL_MS;
  return { value: spike ? SPIKE.value : Number((base * (1 + slow + day + fast)).toFixed(2)), quality };
}

/** @param {any} point @param {number} from @param {number} to */
function raw(point, from, to) {
  /** @type {number[]} */
  const at = [];
  const value = [];
  /** @type {[number, string][]} */
  const quality = [];
  let next = null;
  for (let moment = Math.ceil(from / INTERVAL_MS) * INTERVAL_MS; moment < to; moment += INTERVAL_MS) {
    if (at.length >= RAW_MAX) {
      next = moment;
      break;
    }
    const one = reading(point, moment);
    if (!one) continue;
    at.push(moment);
    value.push(one.quality.startsWith('bad') ? null : one.value);
    const last = quality[quality.length - 1];
    if (last && last[1] === one.quality) last[0] += 1;
    else quality.push([1, one.quality]);
  }
  return { point: point.address, unit: point.unit, at, value, quality, next };
}

/** Columns from a few readings each; their count is what there would be. @param {any} point @param {number} from @param {number} to @param {number} count */
function columns(point, from, to, count) {
  const width = (to - from) / count;
  const out = { point: point.address, unit: point.unit, at: /** @type {number[]} */ ([]), min: /** @type {any[]} */ ([]), max: /** @type {any[]} */ ([]),
    mean: /** @type {any[]} */ ([]), first: /** @type {any[]} */ ([]), last: /** @type {any[]} */ ([]), count: /** @type {any[]} */ ([]), worst: /** @type {any[]} */ ([]) };
  for (let i = 0; i < count; i += 1) {
    const start = from + i * width;
    const step = Math.max(INTERVAL_MS, width / 12);
    const seen = [];
    for (let at = Math.ceil(start / INTERVAL_MS) * INTERVAL_MS; at < start + width; at += step) {
      const one = reading(point, at);
      if (one) seen.push(one);
    }
    const words = seen.map((one) => one.quality);
    const values = seen.filter((one) => !one.quality.startsWith('bad')).map((one) => one.value);
    const some = values.length > 0;
    out.at.push(Math.round(start));
    out.min.push(some ? Math.min(...values) : null);
    out.max.push(some ? Math.max(...values) : null);
    out.mean.push(some ? values.reduce((a, b) => a + b, 0) / values.length : null);
    out.first.push(some ? values[0] : null);
    out.last.push(some ? values[values.length - 1] : null);
    out.count.push(seen.length === 0 ? null : Math.max(1, Math.round(width / INTERVAL_MS)));
    out.worst.push(words.some((word) => word.startsWith('bad')) ? 'bad' : words.some((word) => word.startsWith('uncertain')) ? 'uncertain' : words.length > 0 ? 'good' : null);
  }
  return { ...out, worst: out.worst.map((word) => [1, word]) };
}

/** @param {any} point @param {number} from @param {number} to */
function statistics(point, from, to) {
  const { min, max, mean, count, first, last } = columns(point, from, to, 200);
  const numbers = (/** @type {any[]} */ list) => list.filter((one) => one !== null);
  const [low, high] = [Math.min(...numbers(min)), Math.max(...numbers(max))];
  const middle = numbers(mean).reduce((a, b) => a + b, 0) / Math.max(1, numbers(mean).length);
  const ends = [numbers(first)[0] ?? null, numbers(last).pop() ?? null];
  const mark = (/** @type {number} */ at, /** @type {number | null} */ value) => (value === null ? null : { at, value });
  return { point: point.address, count: numbers(count).reduce((a, b) => a + b, 0), good: 953, uncertain: 30, bad: 17, min: mark(from, low), max: mark(to, high),
    mean: middle, weighted: middle * 1.001, first: mark(from, ends[0]), last: mark(to, ends[1]), increase: (ends[1] ?? 0) - (ends[0] ?? 0), deviation: (high - low) / 6 };
}

/**
 * @param {URL} url
 * @param {Map<string, any>} points by address
 * @param {string} zone
 */
export function answer(url, points, zone) {
  const [from, to] = ['from', 'to'].map((key) => Number(url.searchParams.get(key)));
  const cut = url.searchParams.get('cut') ?? 'raw';
  const asked = (url.searchParams.get('points') ?? '').split(',').map((address) => points.get(address)).filter(Boolean);
  if (url.pathname.endsWith('/statistics')) return { items: asked.map((point) => statistics(point, from ?? 0, to ?? 0)) };
  const count = Number(cut.split(':')[1]);
  return { from, to, cut, zone, series: asked.map((point) => (cut === 'raw' ? raw(point, from ?? 0, to ?? 0) : columns(point, from ?? 0, to ?? 0, count))) };
}
