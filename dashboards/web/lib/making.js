// What the page says of how a value was made. Pure: the server's words in, a person's out of the
// screen's own parts.

/** @typedef {import('./types').Making} Making */
/** @typedef {import('./types').Check} Check */
/** @typedef {import('./types').MakingSource} Source */

/**
 * What a limit or a find of a check says, taken apart; as it is where it is none of these.
 * @param {string | null} text as the server spells it
 * @returns {{ kind: 'none' } | { kind: 'ms', ms: number } | { kind: 'range', low: number, high: number } | { kind: 'rate', change: number, ms: number } | { kind: 'number', value: number } | { kind: 'text', text: string }}
 */
export function spelled(text) {
  if (text === null) return { kind: 'none' };
  const number = '(-?[\\d.]+(?:e[+-]?\\d+)?)';
  const found = (/** @type {string} */ pattern) => new RegExp(`^${pattern}$`).exec(text);
  const ms = found(`${number} ms`);
  if (ms) return { kind: 'ms', ms: Number(ms[1]) };
  const range = found(`${number} \\.\\. ${number}`);
  if (range) return { kind: 'range', low: Number(range[1]), high: Number(range[2]) };
  const rate = found(`${number} / ${number} ms`);
  if (rate) return { kind: 'rate', change: Number(rate[1]), ms: Number(rate[2]) };
  const plain = found(number);
  return plain ? { kind: 'number', value: Number(plain[1]) } : { kind: 'text', text };
}

/** The failed first, then what was passed, then what could not be asked; what nobody asks for is left out. */
const ORDER = ['failed', 'passed', 'not_reached'];

/** @param {Check[]} checks */
export function checksShown(checks) {
  const asked = checks.filter((check) => check.verdict !== 'not_configured');
  return asked.sort((a, b) => ORDER.indexOf(a.verdict) - ORDER.indexOf(b.verdict));
}

/** @param {Check[]} checks */
export function notAsked(checks) {
  return checks.filter((check) => check.verdict === 'not_configured').map((check) => check.rule);
}

/**
 * How the source of a value is doing, in the words of buses and brokers.
 * @param {Source} source
 * @returns {'good' | 'failing' | 'silent' | 'turn' | 'cut' | null}
 */
export function sourceWord(source) {
  if (source.kind === 'formula') return null;
  if (!source.running) return 'turn';
  if (!source.connected) return 'cut';
  if (source.kind === 'broker') return 'good';
  if (source.demoted) return 'silent';
  return source.consecutive_failures > 0 ? 'failing' : 'good';
}

/** Digits of a number as it was written, at most nine: a step is exact or it explains nothing. @param {import('./types').Scalar} value */
export function digitsOf(value) {
  if (typeof value !== 'number') return 0;
  return Math.min(9, /\.(\d+)(?:e|$)/.exec(String(value))?.[1]?.length ?? 0);
}
