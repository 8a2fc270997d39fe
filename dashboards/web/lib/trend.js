// What the trend explorer computes: its URL, spans in the site's zone, which cut to ask for, lines
// with their gaps, and the CSV. Pure: nothing here draws or asks.

import { clock, date, minute, offsetMinutes, offsetText } from './i18n.js';
import { stateLevels } from './chart.js';

/** @typedef {import('./types').Point} Point */
/** @typedef {import('./types').Live} Live */
/** @typedef {import('./types').QualityWord} QualityWord */
/** @typedef {import('./series-api.js').Held} Held */
/** @typedef {import('./series-api.js').Track} Track */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export const POINTS_MAX = 24;
/** Lines of one chart; more of the same unit get a chart below. */
const LINES_MAX = 8;
const AXES_MAX = 2;

export const PRESETS = [
  { name: '1h', ms: HOUR }, { name: '24h', ms: DAY }, { name: '7d', ms: 7 * DAY }, { name: '30d', ms: 30 * DAY }, { name: '1y', ms: 365 * DAY },
];
const USUAL = '24h';
export const SHIFTS = ['1d', '7d', '1y'];
export const SPAN_MIN = 10 * SECOND;
export const SPAN_MAX = 5 * 366 * DAY;

// ---- the URL

/**
 * @typedef {object} Asked
 * @property {string[]} points addresses, as they were added
 * @property {{ from: number, to: number } | null} fixed
 * @property {{ name: string, ms: number }} preset back from now, where nothing is fixed
 * @property {string[]} over
 * @property {string[]} hidden
 */

/** @param {URLSearchParams} query @returns {Asked} */
export function askedOf(query) {
  const list = (/** @type {string} */ key) => (query.get(key) ?? '').split(',').filter(Boolean);
  const points = [...new Set(list('points'))].filter((one) => /^[^/]+\/[^/]+$/.test(one)).slice(0, POINTS_MAX);
  const from = Number(query.get('from'));
  const to = Number(query.get('to'));
  const named = PRESETS.find(({ name }) => name === query.get('span')) ?? PRESETS.find(({ name }) => name === USUAL);
  return {
    points,
    fixed: Number.isSafeInteger(from) && Number.isSafeInteger(to) && from > 0 && to > from ? { from, to: Math.min(to, from + SPAN_MAX) } : null,
    preset: /** @type {{ name: string, ms: number }} */ (named),
    over: SHIFTS.filter((one) => list('over').includes(one)),
    hidden: points.filter((one) => list('hide').includes(one)),
  };
}

/** The address of a trend, readable in a message. @param {Partial<Asked>} asked */
export function trendHref({ points = [], fixed = null, preset, over = [], hidden = [] }) {
  const plain = (/** @type {string[]} */ list) => list.map((one) => encodeURIComponent(one).replace('%2F', '/')).join(',');
  const parts = [];
  if (points.length > 0) parts.push(`points=${plain(points)}`);
  if (fixed) parts.push(`from=${Math.round(fixed.from)}&to=${Math.round(fixed.to)}`);
  else if (preset && preset.name !== USUAL) parts.push(`span=${preset.name}`);
  if (over.length > 0) parts.push(`over=${over.join(',')}`);
  const gone = hidden.filter((one) => points.includes(one));
  if (gone.length > 0) parts.push(`hide=${plain(gone)}`);
  return `/trend${parts.length > 0 ? `?${parts.join('&')}` : ''}`;
}

// ---- time in the site's zone

/** `2026-11-15T06:13`, as a calendar field takes it. @param {number} ms */
export function fieldOf(ms) {
  return `${date(ms)}T${minute(ms)}`;
}

/** The moment of civil fields in the site's zone; null for no such text. @param {string} text */
export function momentOf(text) {
  const fields = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d))?$/.exec(text);
  if (!fields) return null;
  const [year = 0, month = 0, day = 0, hour = 0, min = 0, second = 0] = fields.slice(1).map((one) => Number(one ?? 0));
  const utc = Date.UTC(year, month - 1, day, hour, min, second);
  if (!Number.isFinite(utc)) return null;
  const guess = utc - offsetMinutes(utc) * MINUTE;
  return utc - offsetMinutes(guess) * MINUTE; // the offset where it is, not where UTC is
}

/** The same civil time so much earlier. @param {number} ms @param {string} shift of SHIFTS */
export function shiftedBack(ms, shift) {
  const day = new Date(`${date(ms)}T00:00:00Z`);
  if (shift === '1y') day.setUTCFullYear(day.getUTCFullYear() - 1);
  else day.setUTCDate(day.getUTCDate() - Number.parseInt(shift, 10));
  const back = momentOf(`${day.toISOString().slice(0, 10)}T${clock(ms)}`);
  return (back ?? ms) + (ms % SECOND);
}

/** `2026-11-15T06:13:20.500+08:00` @param {number} ms */
export function isoOf(ms) {
  const rest = Math.round(ms) % SECOND;
  const part = rest ? (rest / SECOND).toFixed(3).slice(1) : '';
  return `${date(ms)}T${clock(ms)}${part}${offsetText(ms).replace('\u2212', '-')}`;
}

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800].map((n) => n * SECOND);
const MONTH_STEPS = [1, 2, 3, 6, 12];

/**
 * Moments at round civil times, a beginning of months where days are too near each other.
 * @param {number} from
 * @param {number} to
 * @param {number} count about so many at most
 */
export function civilTicks(from, to, count) {
  const rough = (to - from) / Math.max(1, count);
  const step = STEPS.find((one) => one >= rough);
  const ticks = [];
  if (step !== undefined) {
    const offset = offsetMinutes(from) * MINUTE;
    for (let at = Math.ceil((from + offset) / step) * step - offset; at <= to; at += step) {
      // Where the clocks were changed in between, noon of old is not noon.
      ticks.push(step >= HOUR ? at + offset - offsetMinutes(at) * MINUTE : at);
    }
    return { ticks, step };
  }
  const months = MONTH_STEPS.find((one) => one * 30 * DAY >= rough) ?? 12;
  const [year = 0, month = 1] = date(from).split('-').map(Number);
  for (let n = Math.floor((year * 12 + month - 1) / months) * months; ticks.length < 200; n += months) {
    const at = momentOf(`${String(Math.floor(n / 12)).padStart(4, '0')}-${String((n % 12) + 1).padStart(2, '0')}-01T00:00`) ?? to;
    if (at > to) break;
    if (at >= from) ticks.push(at);
  }
  return { ticks, step: months * 30 * DAY };
}

/** What is written at a tick. @param {number} at @param {number} step milliseconds between ticks */
export function tickWords(at, step) {
  const day = date(at);
  if (step >= 28 * DAY) return day.slice(0, 7);
  const time = step < MINUTE ? clock(at) : minute(at);
  return step >= DAY || /^00:00(:00)?$/.test(time) ? day.slice(5) : time;
}

/**
 * A span zoomed around a moment that stays where it is.
 * @param {{ from: number, to: number }} view
 * @param {number} factor below one: nearer
 * @param {number} around
 */
export function zoomed({ from, to }, factor, around) {
  const span = Math.min(SPAN_MAX, Math.max(SPAN_MIN, (to - from) * factor));
  const share = (around - from) / (to - from);
  return { from: Math.round(around - span * share), to: Math.round(around + span * (1 - share)) };
}

// ---- charts

/** A point of named states or a flag is drawn as steps. @param {Point} point */
export function isStepped(point) {
  return point.kind === 'bool' || point.states.length > 0;
}

/** @typedef {{ key: string, units: string[], points: Point[], stepped: boolean }} ChartOf */

/**
 * Which points share a chart: those of a unit an axis, two axes a chart, states one below the other.
 * @param {Point[]} points
 * @param {(one: Point, other: Point) => boolean} together whether two of a unit may share an axis
 * @returns {ChartOf[]}
 */
export function chartsOf(points, together = () => true) {
  /** @type {[Point, ...Point[]][]} */
  const axes = [];
  for (const point of points) {
    if (isStepped(point) || point.kind === 'text') continue;
    const axis = axes.find(([first]) => first.symbol === point.symbol && together(first, point));
    if (axis) axis.push(point);
    else axes.push([point]);
  }
  /** @type {ChartOf[]} */
  const charts = [];
  for (const list of axes) {
    const unit = list[0].symbol;
    for (let i = 0; i < list.length; i += LINES_MAX) {
      const part = list.slice(i, i + LINES_MAX);
      const open = charts.find((one) => one.units.length < AXES_MAX && !one.units.includes(unit) && one.points.length + part.length <= LINES_MAX);
      if (open) {
        open.units.push(unit);
        open.points.push(...part);
      } else charts.push({ key: '', units: [unit], points: part, stepped: false });
    }
  }
  for (const point of points) if (isStepped(point)) charts.push({ key: '', units: [''], points: [point], stepped: true });
  return charts.map((one) => ({ ...one, key: one.points.map((point) => point.address).join() }));
}

// ---- which cut

/** With fewer readings than this on a pixel each of them can be seen. */
const RAW_PER_PIXEL = 2;
/** A point is taken for stale after about three of its intervals. */
const INTERVALS_STALE = 3;

/**
 * Raw readings of the busiest point in a span: counted where held columns cover it, else guessed.
 * @param {Point[]} points
 * @param {{ from: number, to: number }} view
 * @param {Held | null} held
 */
export function expected(points, { from, to }, held) {
  const covered = held !== null && held.from <= from && held.to >= to && points.every((point) => held.tracks.has(point.address));
  if (!covered) return Math.max(0, ...points.map((point) => (to - from) / (point.stale_after_ms / INTERVALS_STALE)));
  if (held.raw) return 0;
  return Math.max(0, ...points.map((point) => {
    const track = held.tracks.get(point.address);
    let sum = 0;
    track?.at.forEach((at, i) => {
      if (at + held.width > from && at < to) sum += track.count[i] ?? 0;
    });
    return sum;
  }));
}

/**
 * How many columns to ask for; none: raw.
 * @param {number} readings expected
 * @param {number} pixels
 */
export function columnsFor(readings, pixels) {
  return readings <= pixels * RAW_PER_PIXEL ? null : Math.max(50, Math.round(pixels));
}

// ---- lines

/** null ends a line, undefined does not. @typedef {(number | null | undefined)[]} Values */
/** @typedef {{ from: number, to: number, quality: 'uncertain' | 'bad' }} Mark */
/** @typedef {{ at: number[], line: Values, min: Values, max: Values, marks: Mark[] }} Trace */

/**
 * An unbroken span of doubt grows by the next one that touches it.
 * @param {Mark[]} marks
 * @param {Mark} next
 */
function mark(marks, next) {
  const last = marks[marks.length - 1];
  if (last && last.quality === next.quality && next.from <= last.to) last.to = next.to;
  else marks.push(next);
}

/**
 * Columns as a line through their middles. Empty ones end it only where the point was silent for
 * longer than it may be: a slow point beside a fast one has empty columns and no gaps.
 * @param {Track} track
 * @param {number} width of a column, milliseconds
 * @param {number} gap milliseconds
 * @param {boolean} stepped
 * @returns {Trace}
 */
function columnTrace(track, width, gap, stepped) {
  const of = stepped ? track.last : track.mean;
  const at = track.at.map((one) => one + width / 2);
  /** @type {[Values, Values, Values]} */
  const [line, min, max] = [of.slice(), track.min.slice(), track.max.slice()];
  /** @type {Mark[]} */
  const marks = [];
  let full = -1;
  for (let i = 0; i < at.length; i += 1) {
    const quality = track.quality[i];
    const from = track.at[i] ?? 0;
    if (quality === 'bad' || quality === 'uncertain') mark(marks, { from, to: from + width, quality });
    if (line[i] === null) continue;
    if (full >= 0 && i - full > 1 && (i - full - 1) * width <= gap) {
      for (let j = full + 1; j < i; j += 1) if (track.quality[j] !== 'bad') line[j] = min[j] = max[j] = undefined;
    }
    full = i;
  }
  return { at, line, min, max, marks };
}

/**
 * Readings as they are. A bad one, or silence for longer than `gap`, ends the line.
 * @param {Track} track
 * @param {number} gap
 * @returns {Trace}
 */
function rawTrace(track, gap) {
  /** @type {Trace} */
  const trace = { at: [], line: [], min: [], max: [], marks: [] };
  let last = Infinity;
  track.at.forEach((at, i) => {
    if (at - last > gap) {
      trace.at.push(last + gap);
      trace.line.push(null);
    }
    trace.at.push(at);
    trace.line.push(track.last[i] ?? null);
    last = at;
    const quality = track.quality[i];
    if (quality === 'bad' || quality === 'uncertain') mark(trace.marks, { from: at, to: Math.min(track.at[i + 1] ?? at + gap, at + gap), quality });
  });
  return trace;
}

/**
 * What is drawn of a point, moved by `by` milliseconds.
 * @param {Held} held
 * @param {Point} point
 * @param {number} by
 * @returns {Trace | null}
 */
export function traceOf(held, point, by) {
  const track = held.tracks.get(point.address);
  if (!track) return null;
  const trace = held.raw ? rawTrace(track, point.hold_ms) : columnTrace(track, held.width, point.hold_ms, isStepped(point));
  if (by === 0) return trace;
  return { ...trace, at: trace.at.map((at) => at + by), marks: trace.marks.map((one) => ({ ...one, from: one.from + by, to: one.to + by })) };
}

/** The levels of a point of states, least first: named ones and those that occur. @param {Point} point @param {Held | null} held */
export function levelsOf(point, held) {
  const track = held?.tracks.get(point.address);
  const seen = new Set([...(track?.last ?? []), ...(track?.min ?? []), ...(track?.max ?? [])].filter((one) => typeof one === 'number'));
  const states = point.states.length > 0 ? point.states : [0, 1].map((value) => ({ value, name: { zh: '', en: '' } }));
  return stateLevels(states, [...seen].map((value) => ({ at: 0, value, quality: 'good', reason: null })));
}

/** Values that stand alone between gaps: a line does not show them. @param {Values} line */
export function lone(line) {
  /** @type {number[]} */
  const out = [];
  let before = false; // whether a value is joined to the one before
  let candidate = -1;
  line.forEach((value, i) => {
    if (value === undefined) return;
    if (value === null) {
      if (candidate >= 0) out.push(candidate);
      candidate = -1;
      before = false;
    } else {
      candidate = before ? -1 : i;
      before = true;
    }
  });
  if (candidate >= 0) out.push(candidate);
  return out;
}

/**
 * What a point had at a moment: the nearest of the two values around it, of states the one that
 * holds. Where the line is broken, one that is near enough or none.
 * @param {Held | null} held
 * @param {Point} point
 * @param {number} at
 * @param {number} reach milliseconds
 */
export function valueAt(held, point, at, reach) {
  const track = held?.tracks.get(point.address);
  if (!held || !track) return null;
  const stepped = isStepped(point);
  const half = held.width / 2;
  const when = (/** @type {number} */ i) => (track.at[i] ?? 0) + half;
  let after = 0;
  for (let high = track.at.length; after < high; ) {
    const between = (after + high) >> 1;
    if (when(between) <= at) after = between + 1;
    else high = between;
  }
  let before = after - 1;
  while (before >= 0 && !track.quality[before]) before -= 1; // empty columns
  while (after < track.at.length && !track.quality[after]) after += 1;
  const [since, until] = [before < 0 ? Infinity : at - when(before), after >= track.at.length ? Infinity : when(after) - at];
  const joined = since + until <= Math.max(point.hold_ms, held.width * 1.5);
  const near = Math.max(reach, half, stepped ? point.hold_ms : 0);
  const i = (stepped && before >= 0) || since <= until ? before : after;
  if (!joined && Math.min(since, stepped ? since : until) > near) return null;
  const value = held.raw || stepped ? track.last[i] : track.mean[i];
  return { at: track.at[i] ?? 0, value: value ?? null, min: track.min[i] ?? null, max: track.max[i] ?? null, quality: track.quality[i] ?? null, reason: track.reason[i] ?? null };
}

// ---- now

/** @type {QualityWord[]} */
const QUALITIES = ['good', 'uncertain', 'bad'];

/**
 * Takes a live value in at the end; true if it was newer. What is not drawn any more goes.
 * @param {Held} held
 * @param {string} address
 * @param {Live} live
 */
export function follow(held, address, live) {
  const track = held.tracks.get(address);
  const quality = QUALITIES[live.q] ?? 'bad';
  const value = live.q === 2 || typeof live.v === 'string' || live.v === null ? null : Number(live.v);
  if (!track || (!held.raw && live.at < held.to)) return false; // the columns have it already
  const end = track.at.length - 1;
  if (held.raw) {
    if (live.at <= (track.at[end] ?? -Infinity)) return false;
    track.at.push(live.at);
    track.last.push(value);
    track.quality.push(quality);
    track.reason.push(live.r);
    return true;
  }
  if (live.at <= (followed.get(track) ?? -Infinity)) return false;
  followed.set(track, live.at);
  const column = held.from + Math.floor((live.at - held.from) / held.width) * held.width;
  const same = column <= (track.at[end] ?? -Infinity);
  const i = same ? end : end + 1;
  const count = same ? track.count[i] ?? 0 : 0;
  const worst = QUALITIES[Math.max(live.q, same ? QUALITIES.indexOf(track.quality[i] ?? 'good') : 0)] ?? 'bad';
  const kept = (/** @type {(number | null)[]} */ list) => (same ? list[i] ?? null : null);
  track.at[i] = same ? track.at[i] ?? column : column;
  track.quality[i] = worst;
  const [low, high, mean] = [kept(track.min), kept(track.max), kept(track.mean)];
  track.count[i] = count + (value === null ? 0 : 1);
  track.last[i] = value ?? kept(track.last);
  track.min[i] = value === null ? low : Math.min(low ?? value, value);
  track.max[i] = value === null ? high : Math.max(high ?? value, value);
  track.mean[i] = value === null ? mean : ((mean ?? 0) * count + value) / (count + 1);
  return true;
}

/** The newest live value folded into columns. @type {WeakMap<Track, number>} */
const followed = new WeakMap();

/** Forgets what lies before a moment; a window that follows now would grow for ever. @param {Held} held @param {number} from */
export function forget(held, from) {
  for (const track of held.tracks.values()) {
    let gone = 0;
    while (gone < track.at.length && (track.at[gone] ?? 0) + held.width < from) gone += 1;
    if (gone < 200) continue; // a little at a time is dearer than to keep it
    for (const list of [track.at, track.last, track.min, track.max, track.mean, track.count, track.quality, track.reason]) list.splice(0, gone);
  }
}

// ---- CSV

/** @param {string | number | null | undefined} cell */
function cellOf(cell) {
  const text = cell === null || cell === undefined ? '' : String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}

/** @typedef {{ name: string, point: Point, held: Held, by: number }} Shown */
/**
 * What is shown, a row for each moment: where in each point's track it stands, -1 for nowhere.
 * @param {Shown[]} lines
 * @param {{ from: number, to: number }} view
 */
export function rowsOf(lines, { from, to }) {
  /** @type {Map<number, number[]>} */
  const rows = new Map();
  lines.forEach(({ point, held, by }, n) => {
    const track = held.tracks.get(point.address);
    track?.at.forEach((moment, i) => {
      const at = moment + by;
      if ((held.raw ? at < from : at + held.width <= from) || at > to || !track.quality[i]) return;
      const row = rows.get(at) ?? new Array(lines.length).fill(-1);
      row[n] = i;
      rows.set(at, row);
    });
  });
  return [...rows].sort((a, b) => a[0] - b[0]).map(([at, cells]) => ({ at, cells }));
}

/**
 * Raw values with their quality, or a column's figures.
 * @param {Shown[]} lines
 * @param {{ time: string, quality: string, mean: string, min: string, max: string, last: string }} words
 * @param {{ from: number, to: number }} view
 */
export function csvOf(lines, words, view) {
  const figures = lines.map(({ point, held }) => {
    const track = held.tracks.get(point.address);
    if (!track) return [];
    const value = held.raw ? [{ word: '', list: track.last }] : isStepped(point) ? [{ word: words.last, list: track.last }]
      : [{ word: words.mean, list: track.mean }, { word: words.min, list: track.min }, { word: words.max, list: track.max }];
    return [...value, { word: words.quality, list: track.quality }];
  });
  const head = [words.time, ...lines.flatMap(({ name, point }, n) => (figures[n] ?? []).map(({ word }) =>
    [name, word !== words.quality && point.symbol ? `(${point.symbol})` : '', word].filter(Boolean).join(' ')))];
  const rows = rowsOf(lines, view).map(({ at, cells }) => [isoOf(at), ...cells.flatMap((i, n) => (figures[n] ?? []).map(({ list }) => list[i]))]);
  return [head, ...rows].map((row) => row.map(cellOf).join(',')).join('\r\n');
}
