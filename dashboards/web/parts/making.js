// How the value of a point came about: what its source sent, each step to the value, each question
// asked of it, and what to do where an answer is bad.

import { cls, h, html } from '../lib/ui.js';
import { clock, duration, fullStamp, number, quantity, stamp, stateOf, t } from '../lib/i18n.js';
import { query } from '../lib/api.js';
import { useAgain } from '../lib/again.js';
import { live } from '../lib/live.js';
import { checksShown, digitsOf, notAsked, sourceWord, spelled } from '../lib/making.js';
import { useAnswer } from '../lib/rest.js';
import { Failure, Icon, Loading, Quantity, reasonWord } from './basics.js';
import { Badge } from './badge.js';
import { Outcome } from './expression.js';

/** @typedef {import('../lib/types').PointNow} PointNow */
/** @typedef {import('../lib/types').Making} MakingReply */
/** @typedef {import('../lib/types').Check} Check */
/** @typedef {import('../lib/types').Step} Step */
/** @typedef {import('../lib/types').Scalar} Scalar */
/** @typedef {import('../lib/types').MakingSource} Source */

const ASK_MS = 3_000;

/** What it means that a value is not good, and what to do. @param {{ reading: NonNullable<MakingReply['reading']>, making: MakingReply }} p */
function Advice({ reading, making }) {
  const reason = reading.reason ?? 'initial';
  const { source, sample } = making;
  const href = source?.kind === 'device' ? '/buses' : source?.kind === 'broker' ? `/brokers/${source.broker}` : null;
  return html`<div class="refusal advice">${h(Icon, { name: 'warn' })}<div>
    <p><strong>${t('making.verdict-of', { quality: t(`quality.${reading.quality}`), reason: reasonWord(reason) })}</strong> ${t(`means.${reason}`)}</p>
    ${sample?.exception !== null && sample?.exception !== undefined && html`<p>${t('making.exception', { code: sample.exception })}</p>`}
    <p>${t(`do.${reason}`)} ${href !== null && html`<a href=${href}>${source?.kind === 'broker' ? t('making.see-broker') : t('making.see-buses')}</a>`}</p></div></div>`;
}

/** @param {{ source: Source }} p */
function SourceStep({ source }) {
  const word = sourceWord(source);
  if (source.kind === 'formula') return html`<span class="mono">${source.formula}</span>`;
  const badge = word !== null && h(Badge, { word, text: source.kind === 'broker' ? t(`brokers.state-${word}`) : word === 'cut' || word === 'turn' ? t(`buses.bus-${word}`) : t(`buses.device-${word}`) });
  if (source.kind === 'broker') return html`<a class="strong" href=${`/brokers/${source.broker}`}>${source.broker}</a> ${badge}<span class="quiet mono whole-word">${source.address}</span>`;
  return html`<a class="strong" href="/buses">${source.bus} / ${source.device}</a> ${badge}
    <span class="quiet whole-word">${t('making.register', { unit: source.unit, table: t(`table.${source.table}`), address: source.address, type: source.type })} · ${t('making.every', { age: source.interval_ms < 1_000 ? t('buses.ms', { n: number(source.interval_ms, 0) }) : duration(source.interval_ms) })}</span>`;
}

/** A value on its way, with the digits it has. @param {{ value: Scalar, point: PointNow, symbol: string }} p */
function OnTheWay({ value, point, symbol }) {
  if (typeof value === 'string') return html`<span class="mono" data-written>${value}</span>`;
  if (typeof value === 'number' && stateOf(value, point.states) === null) return quantity(value, digitsOf(value), symbol);
  return h(Quantity, { value, decimals: digitsOf(value), symbol, states: point.states });
}

/** What a step does. @param {Step} step */
function stepWords(step) {
  if (step.kind === 'scaled') return t('making.scaled', { by: String(step.by) });
  if (step.kind === 'offset') return t('making.offset', { by: String(step.by) });
  if (step.kind === 'converted') return t('making.converted', { from: step.from ?? '', to: step.to ?? '' });
  if (step.kind === 'clamped') return t('making.clamped', { low: String(step.low), high: String(step.high) });
  if (step.kind === 'counted') return t('making.counted', { modulus: number(step.modulus ?? 0, 0) });
  return t('making.as-number');
}

/** @param {{ making: MakingReply, point: PointNow }} p */
function Way({ making, point }) {
  const { sample, steps, source, reading } = making;
  // The raw number is the sample itself; it stands there once.
  const further = steps.filter((step, i) => !(i === 0 && step.kind === 'raw'));
  const symbol = (/** @type {number} */ i) => (i === further.length - 1 ? point.symbol : '');
  return html`<ol class="way">
    ${source && html`<li><span class="way-name">${source.kind === 'formula' ? t('making.formula') : t('making.source')}</span><div>${h(SourceStep, { source })}</div></li>`}
    ${source?.kind !== 'formula' && html`<li><span class="way-name">${t('making.raw')}</span><div>
      ${sample === null ? html`<strong>${t('making.no-sample')}</strong>`
        : sample.fault !== null ? html`<strong>${t(`fault.${sample.fault}`)}</strong>`
          : html`<strong class="num">${h(OnTheWay, { value: sample.value, point: { ...point, states: [] }, symbol: '' })}</strong>`}
      ${sample?.doubted && html` <span class="tag">${t('making.doubted')}</span>`}
      ${sample && sample.fate !== 'current' && html` <span class="tag">${t(`sample.${sample.fate}`)}</span>`}
      ${sample && html`<span class="quiet num whole-word">${t('making.received', { time: clock(sample.received_at), age: duration(live.now() - sample.received_at) })}</span>`}</div></li>`}
    ${further.map((step, i) => html`<li key=${i}><span class="way-name">${stepWords(step)}</span><div><strong class="num">${h(OnTheWay, { value: step.value, point, symbol: symbol(i) })}</strong></div></li>`)}
    <li><span class="way-name">${t('making.value')}</span><div>
      <strong class="num">${reading === null || reading.value === null ? '\u2014' : h(Quantity, { value: reading.value, decimals: point.decimals, symbol: point.symbol, states: point.states })}</strong>
      <span class="whole-word">${reading === null ? t('quality.waiting') : reading.reason === null ? t(`quality.${reading.quality}`) : `${t(`quality.${reading.quality}`)} · ${reasonWord(reading.reason)}`}</span></div></li>
  </ol>`;
}

/** What was found; of an answer that failed in the words of faults and reasons. @param {Check} check @param {PointNow} point @param {MakingReply} making */
function found(check, point, making) {
  if (check.rule !== 'answer' || check.verdict !== 'failed') return spelledWords(check.saw, check, point);
  return making.sample && making.sample.fault !== null ? t(`fault.${making.sample.fault}`) : reasonWord(making.reading?.reason ?? 'decoding');
}

/** @param {string | null} text @param {Check} check @param {PointNow} point */
function spelledWords(text, check, point) {
  const of = spelled(text);
  const symbol = check.rule === 'range' || check.rule === 'rate' ? point.symbol : '';
  if (of.kind === 'none') return '';
  if (of.kind === 'ms') return duration(of.ms);
  if (of.kind === 'range') return t('point.range-of', { low: number(of.low, digitsOf(of.low)), high: quantity(of.high, digitsOf(of.high), symbol) });
  if (of.kind === 'rate') return t('making.within', { change: quantity(of.change, digitsOf(of.change), symbol), age: of.ms < 1_000 ? t('buses.ms', { n: number(of.ms, 0) }) : duration(of.ms) });
  if (of.kind === 'number') return quantity(of.value, digitsOf(of.value), symbol);
  // The server's own sentence, or the numbers of states.
  return html`<span lang="en">${of.text}</span>`;
}

/** The mark beside each verdict. */
const MARKS = /** @type {const} */ ({ passed: 'good', failed: 'failing', not_reached: 'waiting', not_configured: 'waiting' });

/** @param {{ making: MakingReply, point: PointNow }} p */
function Checks({ making, point }) {
  const { checks } = making;
  const left = notAsked(checks);
  return html`<table role="table" class="table checks-table">
    <caption class="unseen">${t('making.checks-caption')}</caption>
    <thead role="rowgroup"><tr role="row"><th role="columnheader" scope="col">${t('making.check')}</th><th role="columnheader" scope="col">${t('making.verdict')}</th>
      <th role="columnheader" scope="col">${t('making.limit')}</th><th role="columnheader" scope="col">${t('making.saw')}</th></tr></thead>
    <tbody role="rowgroup">${checksShown(checks).map((check) => html`<tr role="row" key=${check.rule} data-verdict=${check.verdict}>
      <th role="rowheader" scope="row" class="c-rule">${t(`rule.${check.rule}`)}</th>
      <td role="cell" class="c-badge">${h(Badge, { word: MARKS[check.verdict], text: t(`verdict.${check.verdict}`) })}</td>
      <td role="cell" class="c-limit">${check.limit !== null && html`<span class="cell-label">${t('making.limit')}</span>${spelledWords(check.limit, check, point)}`}</td>
      <td role="cell" class="c-saw">${check.saw !== null && html`<span class="cell-label">${t('making.saw')}</span>${found(check, point, making)}`}</td>
    </tr>`)}</tbody>
  </table>
  ${left.length > 0 && html`<p class="quiet not-asked">${t('making.not-asked', { rules: left.map((rule) => t(`rule.${rule}`)).join(t('making.comma')) })}</p>`}`;
}

/** @param {{ making: MakingReply }} p */
function Times({ making }) {
  const { sample, counts, history } = making;
  const rows = [];
  if (sample) {
    rows.push([t('making.source-time'), sample.source_at === null ? t('making.no-source-time') : html`<span class="num">${fullStamp(sample.source_at)}</span>`]);
    rows.push([t('making.received-time'), html`<span class="num">${fullStamp(sample.received_at)}</span>`]);
    if (sample.source_at === null) rows.push([t('making.error'), sample.at_error_ms === null ? t('making.any-age') : html`<span class="num">± ${number(sample.at_error_ms, 0)} ms</span>`]);
  }
  rows.push([t('making.history'), history.kind === 'held_back' && history.kept !== null ? t('making.held-back', { time: stamp(history.kept.at) }) : t(`history.${history.kind}`)]);
  if (counts) rows.push([t('making.counts'), t('making.counts-of', { readings: number(counts.readings, 0), bad: number(counts.bad, 0), duplicates: number(counts.duplicates, 0), late: number(counts.late, 0) })]);
  return html`<dl class="facts facts-wide">${rows.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** What a formula gives now. @param {{ formula: string, point: PointNow }} p */
function Reckoned({ formula, point }) {
  // A condition or a word has no unit to be wanted in.
  const asked = point.kind === 'decimal' || point.kind === 'float' ? { formula, unit: point.unit } : { formula };
  const { answer, error, retry } = useAnswer('/try/expression', asked, ASK_MS);
  const tried = /** @type {import('../lib/types').TriedExpression | null} */ (answer);
  const result = tried?.result ?? null;
  const old = live.link.value.state === 'lost' || (tried !== null && live.now() - tried.now > 3 * ASK_MS);
  return html`${error && h(Failure, { error, retry })}
    ${result && h(Outcome, { result, old })}
    <p><a href=${`/tester${query(asked)}`}>${t('making.try-formula')}</a></p>`;
}

/** The part of a point's page. @param {{ point: PointNow }} p */
export function MakingPart({ point }) {
  const { reply, error, old, reload } = useAgain(`/points/${point.address}/making`, ASK_MS);
  const making = /** @type {MakingReply | null} */ (reply);
  const reading = making?.reading ?? null;
  return html`<section class="panel pad making" aria-label=${t('making.title')}>
    <div class="section-head"><h2>${t('making.title')}</h2>${making && html`<p class="quiet num">${t('buses.as-of', { time: clock(making.now) })}</p>`}</div>
    ${error && h(Failure, { error, retry: reload })}
    ${!making && !error && h(Loading, { rows: 4 })}
    ${making && html`<div class=${cls(old && 'hatched')} data-live>
      ${reading && reading.quality !== 'good' && h(Advice, { reading, making })}
      <div class="making-halves"><div>${h(Way, { making, point })}</div>${making.checks.length > 0 && html`<div>${h(Checks, { making, point })}</div>`}</div>
      ${making.source?.kind === 'formula' && h(Reckoned, { formula: making.source.formula, point })}
      ${h(Times, { making })}</div>`}
  </section>`;
}
