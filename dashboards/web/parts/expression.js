// What an expression gives now, and what it comes from: for the tester, and for a point that is
// reckoned from others.

import { cls, h, html } from '../lib/ui.js';
import { duration, nameOf, number, percent, stamp, t, unit } from '../lib/i18n.js';
import { pointHref } from '../lib/nav.js';
import { live } from '../lib/live.js';
import { lineAndColumn, marked, resultDecimals } from '../lib/tester.js';
import { Icon, Named, Quantity, reasonWord } from './basics.js';

/** @typedef {import('../lib/types').ExpressionResult} ExpressionResult */
/** @typedef {import('../lib/types').ExpressionInput} Input */
/** @typedef {import('../lib/types').Mistake} Mistake */
/** @typedef {import('../lib/types').QualityWord} QualityWord */

/** Good, or what and why. @param {QualityWord} quality @param {string | null} reason */
function qualityText(quality, reason) {
  return reason === null ? t(`quality.${quality}`) : `${t(`quality.${quality}`)} · ${reasonWord(reason)}`;
}

/**
 * Where the text is wrong, and how.
 * @param {{ text: string, mistake: Mistake }} p
 */
export function WrongPart({ text, mistake }) {
  const { before, wrong, after } = marked(text, mistake);
  const { line, column, lines } = lineAndColumn(text, mistake.start);
  const place = mistake.part === 'unit' ? t('tester.in-unit') : lines > 1 ? t('tester.line-column', { line, column }) : t('tester.column', { column });
  return html`<div class="refusal mistake">${h(Icon, { name: 'warn' })}
    <div><p><strong>${place}${t('tester.colon')}</strong> <span lang="en">${mistake.what}</span></p>
      ${mistake.help !== null && html`<p lang="en">${mistake.help}</p>`}
      <p class="mono wrong-line" aria-hidden="true">${before}<span class="wrong">${wrong === '' ? '\u00a0' : wrong}</span>${after}</p></div></div>`;
}

/** @param {{ result: ExpressionResult }} p */
function Value({ result }) {
  const { value, says, quality, reason } = result;
  const shown = value === null ? t('tester.unknown')
    : says === 'condition' ? (value ? t('tester.true') : t('tester.false'))
      : typeof value === 'number' ? number(value, resultDecimals(result)) : String(value);
  const units = result.symbol !== '' ? unit(result.symbol) : result.unit === '1' ? '' : result.unit ?? '';
  return html`<div><p class="kpi num">${shown}${value !== null && units !== '' && html` <span class="kpi-unit">${units}</span>`}</p>
    <p>${qualityText(quality, reason)}</p></div>`;
}

/** @param {{ input: Input }} p */
function Row({ input }) {
  const age = input.at === null ? null : Math.max(0, live.now() - input.at);
  return html`<tr role="row" data-row>
    <th role="rowheader" scope="row" class="c-name"><a href=${pointHref(input.point)} data-row-link>${h(Named, { of: input.name })}</a> <span class="mono quiet whole-word">${input.point}</span></th>
    <td role="cell" class="num strong">${h(Quantity, { value: input.value, decimals: input.decimals, symbol: input.symbol, states: input.states })}</td>
    <td role="cell" class=${cls('whole', input.quality === 'good' && 'quiet')}>${qualityText(input.quality, input.reason)}</td>
    <td role="cell" class="num quiet" title=${input.at === null ? undefined : stamp(input.at)}>${age === null ? '' : duration(age)}</td>
    <td role="cell" class="c-part">${input.decided && html`<span class="key">${h(Icon, { name: 'tick' })}${t('tester.decided')}</span>`}
      ${input.windows.map((window) => html`<span key=${window.length_ms} class="quiet window">${t('tester.window', { length: duration(window.length_ms), n: number(window.readings, 0), share: percent(window.coverage) })}</span>`)}</td>
  </tr>`;
}

/** @param {{ result: ExpressionResult }} p */
function Inputs({ result }) {
  if (result.inputs.length === 0) return html`<p class="quiet">${t('tester.no-inputs')}</p>`;
  return html`<div class="scroll-x" tabindex="0" role="group" aria-label=${t('tester.inputs')}><table role="table" class="table inputs-table">
    <caption class="unseen">${t('tester.inputs-caption')}</caption>
    <thead role="rowgroup"><tr role="row"><th role="columnheader" scope="col">${t('points.name')}</th><th role="columnheader" scope="col" class="num">${t('points.value')}</th>
      <th role="columnheader" scope="col">${t('points.quality')}</th><th role="columnheader" scope="col" class="num">${t('points.age')}</th><th role="columnheader" scope="col">${t('tester.part')}</th></tr></thead>
    <tbody role="rowgroup">${result.inputs.map((input) => h(Row, { key: input.point, input }))}</tbody>
  </table></div>`;
}

/** The value with what decided it, and what it comes from. @param {{ result: ExpressionResult, old: boolean }} p */
export function Outcome({ result, old }) {
  return html`<div class=${cls(old && 'hatched')} data-live><div class="outcome">${h(Value, { result })}
    ${result.words.length > 0 && html`<div><h3>${result.value === null ? t('tester.why-unknown') : t('tester.why')}</h3>
      <ul class="sentences">${result.words.map((words, i) => html`<li key=${i}>${unit(nameOf(words))}</li>`)}</ul></div>`}</div>
    ${h(Inputs, { result })}</div>`;
}
