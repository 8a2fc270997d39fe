// Words, numbers and times for a person: the language's catalogue, Intl, and the site's zone.

import { remembered, signal } from './ui.js';

/** @typedef {import('./types').Names} Names */
/** @typedef {import('./types').Scalar} Scalar */
/** @typedef {import('./types').State} State */

const LANGUAGES = ['zh-CN', 'en'];
const NBSP = '\u00a0';
const MINUS = '\u2212';

/** `zh-CN`, `en`, or empty: as the browser says. */
export const language = remembered('language', '');

/** The language shown; changes together with its catalogue. */
export const lang = signal('zh-CN');

/** The site's IANA zone. Every time on the page is in it, whatever the PC says. */
export const zone = signal('UTC');

/** @type {import('../vendor/core.js').Signal<Record<string, string>>} */
const catalogue = signal({});

/** What the person chose, the URL asks for, or the browser prefers. */
export function preferredLanguage() {
  const asked = new URLSearchParams(location.search).get('lang');
  for (const code of [language.value, asked, ...navigator.languages]) {
    if (!code) continue;
    if (LANGUAGES.includes(code)) return code;
    if (/^zh\b/i.test(code)) return 'zh-CN';
    if (/^en\b/i.test(code)) return 'en';
  }
  return navigator.languages.length > 0 ? 'en' : 'zh-CN';
}

/** Parts of the catalogue that came with a screen, beside what every screen needs. @type {Set<string>} */
const parts = new Set();

/** @param {string} file @returns {Promise<Record<string, string>>} */
async function fetchWords(file) {
  const reply = await fetch(new URL(`../i18n/${file}.json`, import.meta.url));
  if (!reply.ok) throw new Error(`catalogue ${file}: ${reply.status}`);
  return reply.json();
}

/**
 * Loads a catalogue and shows the page in it.
 * @param {string} code
 */
export async function showLanguage(code) {
  const files = [code, ...[...parts].map((part) => `${part}/${code}`)];
  const words = await Promise.all(files.map(fetchWords));
  catalogue.value = Object.assign({}, ...words);
  lang.value = code;
  document.documentElement.lang = code;
}

/**
 * Loads the words that only some screens need. From then on they change with the language.
 * @param {string} part a folder of i18n
 */
export async function loadWords(part) {
  if (parts.has(part)) return;
  const code = lang.value;
  const words = await fetchWords(`${part}/${code}`);
  parts.add(part);
  if (code === lang.value) catalogue.value = { ...catalogue.value, ...words };
  else await showLanguage(lang.value); // it was changed meanwhile
}

/**
 * The words of a key, `{name}` replaced.
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 */
export function t(key, values) {
  const text = catalogue.value[key] ?? key;
  return values ? text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole)) : text;
}

/** @param {string} key whether the catalogue has words for it */
export function has(key) {
  return key in catalogue.value;
}

/**
 * A thing's own name, or what is written of it; the other language's where it has none in this one.
 * @param {Names | null | undefined} names
 */
export function nameOf(names) {
  if (!names) return '';
  return unit(lang.value === 'en' ? names.en || names.zh : names.zh || names.en);
}

/**
 * The `lang` attribute for a name that had to fall back, so that it is read out rightly.
 * @param {Names | null | undefined} names
 */
export function langOf(names) {
  if (!names) return undefined;
  if (lang.value === 'en') return names.en ? undefined : 'zh-CN';
  return names.zh ? undefined : 'en';
}

/** @type {Map<string, Intl.NumberFormat>} */
const numberFormats = new Map();

/**
 * A number with fixed decimals and a true minus.
 * @param {number} value
 * @param {number} decimals
 */
export function number(value, decimals) {
  const key = `${lang.value}/${decimals}`;
  let format = numberFormats.get(key);
  if (!format) {
    format = new Intl.NumberFormat(lang.value, {
      minimumFractionDigits: decimals,
      maximumFractionDigits: decimals,
    });
    numberFormats.set(key, format);
  }
  const text = format.format(value);
  return /^-[0.]+$/.test(text) ? text.slice(1) : text.replace('-', MINUS); // -0.04 at one digit is 0.0
}

/**
 * Digits after the point that a value already has, at most `most`.
 * @param {Scalar[]} values
 * @param {number} most
 */
export function decimalsOf(values, most = 3) {
  let found = 0;
  for (const value of values) {
    if (typeof value !== 'number' || !Number.isFinite(value)) continue;
    const fraction = /\.(\d+)/.exec(String(value));
    if (fraction?.[1]) found = Math.max(found, Math.min(most, fraction[1].length));
  }
  return found;
}

/**
 * A point's value without its unit.
 * @param {Scalar} value
 * @param {number} decimals
 */
export function scalar(value, decimals) {
  if (value === null) return '\u2014';
  if (typeof value === 'number') return number(value, decimals);
  if (typeof value === 'boolean') return value ? t('value.true') : t('value.false');
  return value;
}

/**
 * A unit as it is drawn. WenQuanYi Micro Hei, the usual Chinese font of a Linux kiosk, has an empty
 * glyph for U+2103, and a temperature without its unit is worse than one in two letters.
 * @param {string} symbol
 */
export function unit(symbol) {
  return symbol.replaceAll('\u2103', '\u00b0C');
}

/**
 * A value with its unit, kept on one line.
 * @param {Scalar} value
 * @param {number} decimals
 * @param {string} symbol
 */
export function quantity(value, decimals, symbol) {
  const text = scalar(value, decimals);
  return symbol && typeof value === 'number' ? text + NBSP + unit(symbol) : text;
}

/**
 * What a value stands for where its point has states: the name, and the number it has in a manual.
 * None for a measurement, and for what is no number.
 * @param {Scalar} value
 * @param {State[]} states
 * @returns {{ number: string, name: Names | null } | null}
 */
export function stateOf(value, states) {
  if (states.length === 0 || value === null || typeof value === 'string') return null;
  const found = Number(value);
  const name = states.find((state) => state.value === found)?.name ?? null;
  return { number: String(found).replace('-', MINUS), name };
}

/**
 * A state in one text, its number behind it.
 * @param {{ number: string, name: Names | null }} state
 */
export function stateWords(state) {
  return state.name ? `${nameOf(state.name)} ${state.number}` : t('value.unknown-state', { n: state.number });
}

/**
 * @param {number} value
 * @param {string} currency
 */
export function money(value, currency) {
  const key = `${lang.value}/${currency}`;
  let format = numberFormats.get(key);
  if (!format) {
    format = new Intl.NumberFormat(lang.value, { style: 'currency', currency });
    numberFormats.set(key, format);
  }
  return format.format(value).replace('-', MINUS);
}

/**
 * A share of one as a percentage: never "0 %" for something, never "100 %" for not all.
 * @param {number} share
 */
export function percent(share) {
  const rounded = Math.round(share * 100);
  if (share > 0 && rounded === 0) return `<1${NBSP}%`;
  if (share < 1 && rounded === 100) return `>99${NBSP}%`;
  return `${rounded}${NBSP}%`;
}

/** @type {Map<string, Intl.DateTimeFormat>} */
const timeFormats = new Map();

/**
 * Civil fields of a moment in the site's zone.
 * @param {number} ms
 */
function civil(ms) {
  let format = timeFormats.get(zone.value);
  if (!format) {
    format = new Intl.DateTimeFormat('en-GB', {
      timeZone: zone.value, hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit',
      hour: '2-digit', minute: '2-digit', second: '2-digit',
    });
    timeFormats.set(zone.value, format);
  }
  /** @type {Record<string, string>} */
  const fields = {};
  for (const part of format.formatToParts(ms)) fields[part.type] = part.value;
  return fields;
}

/** `06:13:20` @param {number} ms */
export function clock(ms) {
  const f = civil(ms);
  return `${f.hour}:${f.minute}:${f.second}`;
}

/** `06:13` @param {number} ms */
export function minute(ms) {
  const f = civil(ms);
  return `${f.hour}:${f.minute}`;
}

/** `2026-11-15` @param {number} ms */
export function date(ms) {
  const f = civil(ms);
  return `${f.year}-${f.month}-${f.day}`;
}

/** `11-15 06:13:20` @param {number} ms */
export function stamp(ms) {
  const f = civil(ms);
  return `${f.month}-${f.day} ${f.hour}:${f.minute}:${f.second}`;
}

/** `2026-11-15 06:13:20 +08:00` @param {number} ms */
export function fullStamp(ms) {
  return `${date(ms)} ${clock(ms)} ${offsetText(ms)}`;
}

/** Minutes the site's zone is ahead of UTC. @param {number} ms */
export function offsetMinutes(ms) {
  const f = civil(ms);
  const asUtc = Date.UTC(
    Number(f.year), Number(f.month) - 1, Number(f.day), Number(f.hour), Number(f.minute), Number(f.second),
  );
  return Math.round((asUtc - ms) / 60_000);
}

/** `+08:00` @param {number} ms */
export function offsetText(ms) {
  const minutes = offsetMinutes(ms);
  const pad = (/** @type {number} */ n) => String(Math.floor(n)).padStart(2, '0');
  return `${minutes < 0 ? MINUS : '+'}${pad(Math.abs(minutes) / 60)}:${pad(Math.abs(minutes) % 60)}`;
}

/**
 * How long ago or how long: `3 s`, `12 min`, `1 h 20 min`, `3 d`.
 * @param {number} ms
 */
export function duration(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return t('age.s', { n: seconds });
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return t('age.min', { n: minutes });
  const hours = Math.floor(minutes / 60);
  if (hours < 6) return t('age.hm', { h: hours, m: minutes % 60 });
  if (hours < 48) return t('age.h', { n: hours });
  return t('age.d', { n: Math.floor(hours / 24) });
}

/** `Sun` @param {string} day `2026-11-22` */
export function weekday(day) {
  return new Intl.DateTimeFormat(lang.value, { weekday: 'short', timeZone: 'UTC' }).format(
    new Date(`${day}T12:00:00Z`),
  );
}

/** `November 2026` @param {string} month `2026-11` */
export function monthName(month) {
  return new Intl.DateTimeFormat(lang.value, { month: 'long', year: 'numeric', timeZone: 'UTC' }).format(
    new Date(`${month}-15T12:00:00Z`),
  );
}
