// A live value: the number, what is in doubt about it, and its age.

import { cls, html, useEffect } from '../lib/ui.js';
import { decimalsOf, duration, quantity, scalar, t } from '../lib/i18n.js';
import { judge, live } from '../lib/live.js';

/** @typedef {import('../lib/types').Live} Live */
/** @typedef {import('../lib/types').Scalar} Scalar */
/** @typedef {ReturnType<typeof judge> & { cell: Live | null, age: number | null }} Judged */

/**
 * Subscribes while mounted.
 * @param {string[]} addresses
 */
export function useSubscription(addresses) {
  const key = addresses.join(',');
  useEffect(() => (key === '' ? undefined : live.subscribe(key.split(','))), [key]);
}

/**
 * The present value of a point, judged. The caller's component follows it.
 * @param {string} address
 * @param {number} staleAfter milliseconds; Infinity where only the server's word counts
 * @returns {Judged}
 */
export function useJudged(address, staleAfter) {
  const cell = live.cell(address).value;
  live.second.value; // ages move
  const now = live.now();
  const judged = judge(cell, staleAfter, now, live.link.value.state === 'lost');
  return { ...judged, cell, age: cell === null ? null : Math.max(0, now - cell.at) };
}

/** @param {string} reason */
export function reasonWord(reason) {
  return t(`reason.${reason}`);
}

/** Good, or what and why. @param {Judged} judged */
export function qualityWords(judged) {
  if (judged.kind === 'waiting') return t('quality.waiting');
  if (judged.kind === 'bad') return `${t('quality.bad')} · ${reasonWord(judged.doubt ?? 'initial')}`;
  if (judged.doubt !== null) return `${t('quality.uncertain')} · ${reasonWord(judged.doubt)}`;
  return t('quality.good');
}

/**
 * The value in one piece: `7.2 ℃`, hatched with its age when old, `— timeout` when bad.
 * @param {object} p
 * @param {string} p.address
 * @param {string} p.symbol
 * @param {number} p.decimals
 * @param {number} p.staleAfter
 */
export function LiveValue({ address, symbol, decimals, staleAfter }) {
  const judged = useJudged(address, staleAfter);
  const { kind, stale, doubt, cell, age } = judged;
  if (kind === 'waiting' || cell === null) return html`<span class=${cls('value', stale && 'hatched')}>…</span>`;
  const mark = kind === 'bad' || (doubt !== null && doubt !== 'stale' && doubt !== 'link');
  return html`<span class=${cls('value', stale && 'hatched')}>
    ${kind === 'bad' ? '\u2014' : quantity(cell.v, decimals, symbol)}
    ${mark && html` <span class="doubt">${reasonWord(doubt ?? 'initial')}</span>`}
    ${stale && age !== null && html` <span class="doubt">${duration(age)}</span>`}
  </span>`;
}

/**
 * The value now of an alarm's point, with the digits its alarm was written with.
 * @param {object} p
 * @param {{ point: string, symbol: string, value: Scalar, limit: Scalar }} p.of
 */
export function ValueNow({ of }) {
  const decimals = Math.max(1, decimalsOf([of.value, of.limit]));
  const cell = live.cell(of.point).value;
  const digits = cell && typeof cell.v === 'number' && of.value === null && of.limit === null ? decimalsOf([cell.v]) : decimals;
  return LiveValue({ address: of.point, symbol: of.symbol, decimals: digits, staleAfter: Infinity });
}

/** @param {{ value: Scalar, limit: Scalar, symbol: string }} of */
export function thenAndLimit(of) {
  const decimals = Math.max(typeof of.limit === 'number' ? 1 : 0, decimalsOf([of.value, of.limit]));
  return {
    then: of.value === null ? scalar(null, 0) : quantity(of.value, decimals, of.symbol),
    limit: of.limit === null ? null : quantity(of.limit, decimalsOf([of.limit]), of.symbol),
  };
}
