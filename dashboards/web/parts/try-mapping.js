// The tester for mappings: a topic's table of the configuration, a message, and what it would give.

import { cls, h, html, useEffect, useId, useState } from '../lib/ui.js';
import { fullStamp, number, stamp, t } from '../lib/i18n.js';
import { get, query, useGet } from '../lib/api.js';
import { pointHref, place, withQuery, go } from '../lib/nav.js';
import { useAnswer } from '../lib/rest.js';
import { digitsOf } from '../lib/making.js';
import { sampleWord, tableFor } from '../lib/tester.js';
import { Empty, Failure, Icon, Named, Quantity } from './basics.js';
import { Badge } from './badge.js';

/** @typedef {import('../lib/types').TriedMapping} Tried */
/** @typedef {import('../lib/types').TriedSample} Sample */
/** @typedef {import('../lib/types').Brokers} Brokers */
/** @typedef {import('../lib/types').Topics} Topics */
/** @typedef {import('../lib/types').Message} Message */

/** Bytes of a table and of a payload, at most; what is beyond is refused by the server. */
const TABLE_MAX = 16_384;
const PAYLOAD_MAX = 16_384;
const TOPIC_MAX = 1_024;

/** @param {{ problem: Tried['problems'][number] }} p */
function Problem({ problem }) {
  return html`<li class="refusal">${h(Icon, { name: 'warn' })}<div>
    <p><strong>${t('tester.line-column', { line: problem.line, column: problem.column })}</strong>${problem.path !== '' && html` <span class="mono">${problem.path}</span>`}</p>
    <p lang="en">${problem.what}</p>${problem.help !== null && html`<p class="quiet" lang="en">${problem.help}</p>`}</div></li>`;
}

/** The mark beside each word. */
const MARKS = /** @type {const} */ ({ known: 'good', new: 'waiting', unmapped: 'silent', failed: 'failing' });

/** @param {{ sample: Sample }} p */
function Row({ sample }) {
  const word = sampleWord(sample);
  const address = html`<span class="mono quiet whole-word">${sample.point}</span>`;
  return html`<tr role="row" data-row>
    <th role="rowheader" scope="row" class="c-name">${sample.known ? html`<a href=${pointHref(sample.point)} data-row-link>${h(Named, { of: sample.name })}</a>` : h(Named, { of: sample.name })} ${address}</th>
    <td role="cell" class="num strong" data-written>${typeof sample.value === 'string' ? sample.value : h(Quantity, { value: sample.value, decimals: digitsOf(sample.value), symbol: '', states: sample.states })}</td>
    <td role="cell" class="c-unit mono quiet">${sample.unit === '1' ? '' : sample.unit}</td>
    <td role="cell" class="c-badge">${h(Badge, { word: MARKS[word], text: sample.fault === null ? t(`tester.sample-${word}`) : t(`fault.${sample.fault}`) })}
      ${sample.doubted && html` <span class="tag">${t('making.doubted')}</span>`}
      ${sample.why !== null && html`<span class="whole-word">${t(`unreadable.${sample.why}`)}</span>`}</td>
    <td role="cell" class="c-at num quiet" title=${sample.at === null ? undefined : fullStamp(sample.at)}>${sample.at === null ? t('tester.on-arrival') : stamp(sample.at)}</td>
  </tr>`;
}

/** @param {{ tried: Tried }} p */
function Answer({ tried }) {
  const { problems, samples, fits, unknown, unreadable, unlisted } = tried;
  if (problems.length > 0) {
    return html`<p>${t('tester.problems', { n: number(problems.length, 0) })}</p><ul class="problems" role="status">${problems.map((problem, i) => h(Problem, { key: i, problem }))}</ul>`;
  }
  const whole = unreadable === null ? '' : t(`unreadable.${unreadable}`);
  if (!fits) return html`<div role="status">${h(Empty, { why: t('tester.no-fit') })}</div>`;
  return html`<div role="status">${samples.length === 0 && h(Empty, { why: `${t('tester.no-samples')} ${whole}` })}
    ${samples.length > 0 && whole !== '' && html`<p class="notice">${whole}</p>`}</div>
  ${samples.length > 0 && html`<div class="scroll-x" tabindex="0" role="group" aria-label=${t('tester.samples')}><table role="table" class="table inputs-table samples-table">
    <caption class="unseen">${t('tester.samples-caption')}</caption>
    <thead role="rowgroup"><tr role="row"><th role="columnheader" scope="col">${t('points.name')}</th><th role="columnheader" scope="col" class="num">${t('tester.raw')}</th>
      <th role="columnheader" scope="col">${t('points.unit')}</th><th role="columnheader" scope="col">${t('tester.verdict')}</th><th role="columnheader" scope="col" class="num">${t('points.at')}</th></tr></thead>
    <tbody role="rowgroup">${samples.map((sample, i) => h(Row, { key: `${sample.point}/${i}`, sample }))}</tbody>
  </table></div>
  <p class="quiet">${t('tester.raw-note')}${unlisted > 0 && html` ${t('tester.unlisted', { n: number(unlisted, 0) })}`}</p>`}
  ${unknown.length > 0 && html`<h3>${t('tester.no-value-for')}</h3><ul>${unknown.map((address) => html`<li key=${address} class="mono">${address}</li>`)}</ul>`}`;
}

/**
 * What was heard on the brokers, to begin with. The newest message of a chosen topic is taken over.
 * @param {{ broker: string, topic: string, take: (broker: string, topic: string, payload: string | null) => void }} p
 */
function Heard({ broker, topic, take }) {
  const id = useId();
  const { data } = useGet('/brokers');
  const brokers = /** @type {Brokers | null} */ (data)?.items ?? [];
  const chosen = brokers.find((one) => one.id === broker)?.id ?? brokers[0]?.id ?? '';
  const heard = useGet(chosen === '' ? null : `/brokers/${chosen}/topics`);
  const topics = /** @type {Topics | null} */ (heard.data)?.items ?? [];
  const choose = async (/** @type {string} */ next) => {
    if (next === '') return;
    try {
      const { items } = await get(`/brokers/${chosen}/messages${query({ topic: next })}`);
      const whole = /** @type {Message[]} */ (items).find((one) => one.text !== null && one.text !== '');
      take(chosen, next, whole?.text ?? null);
    } catch {
      take(chosen, next, null); // the topic alone is of use too
    }
  };
  if (brokers.length === 0) return null;
  return html`<div class="heard-from">
    ${brokers.length > 1 && html`<label for=${`${id}-broker`}>${t('brokers.broker')}</label>
      <select id=${`${id}-broker`} value=${chosen} onChange=${(/** @type {any} */ event) => take(event.target.value, topic, null)}>${brokers.map((one) => html`<option key=${one.id} value=${one.id}>${one.id}</option>`)}</select>`}
    <label for=${`${id}-heard`}>${t('tester.take-heard')}</label>
    <select id=${`${id}-heard`} value=${topics.some((one) => one.topic === topic) ? topic : ''} onChange=${(/** @type {any} */ event) => choose(event.target.value)}>
      <option value="">${topics.length === 0 ? t('brokers.nothing-heard') : t('tester.choose-topic', { n: number(topics.length, 0) })}</option>
      ${topics.map((one) => html`<option key=${one.topic} value=${one.topic}>${one.topic}</option>`)}
    </select></div>`;
}

/** The screen's part. */
export function TryMapping() {
  const id = useId();
  const wanted = place.value.query;
  const given = { broker: wanted.get('broker') ?? '', topic: wanted.get('topic') ?? '', payload: wanted.get('payload') };
  const hex = wanted.get('hex') === '1';
  const [topic, setTopic] = useState(given.topic);
  const [payload, setPayload] = useState(given.payload ?? '');
  const [table, setTable] = useState(() => tableFor(given.topic, given.payload ?? ''));
  const [own, setOwn] = useState(false);
  const take = (/** @type {string} */ broker, /** @type {string} */ next, /** @type {string | null} */ text) => {
    go(withQuery({ broker, topic: next, payload: null }), { replace: true });
    setTopic(next);
    if (text !== null) setPayload(text);
    // A table somebody wrote is never written over.
    if (!own) setTable(tableFor(next, text ?? payload));
  };
  useEffect(() => {
    // A link names a topic and no message: the newest one that was heard.
    if (given.topic === '' || given.payload !== null || given.broker === '') return undefined;
    const control = new AbortController();
    get(`/brokers/${given.broker}/messages${query({ topic: given.topic })}`, control.signal).then(({ items }) => {
      const text = /** @type {Message[]} */ (items).find((one) => one.text !== null && one.text !== '')?.text ?? null;
      if (text !== null) take(given.broker, given.topic, text);
    }, () => {});
    return () => control.abort();
  }, []);
  const body = table.trim() === '' || topic === '' ? null : { config: table, topic, payload, hex };
  const { answer, error, waiting, retry } = useAnswer('/try/mapping', body, 0);
  const write = (/** @type {any} */ event) => {
    setOwn(true);
    setTable(event.target.value);
  };
  return html`<div class="tester">
    <form class="panel pad question" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
      ${h(Heard, { broker: given.broker, topic, take })}
      <label for=${`${id}-topic`}>${t('brokers.topic')}</label>
      <input id=${`${id}-topic`} class="mono" type="text" maxlength=${TOPIC_MAX} spellcheck="false" autocapitalize="off" autocomplete="off" value=${topic}
        onInput=${(/** @type {any} */ event) => setTopic(event.target.value)} />
      <label for=${`${id}-payload`}>${t('brokers.payload')}</label>
      <textarea id=${`${id}-payload`} class="mono" rows="4" maxlength=${PAYLOAD_MAX} spellcheck="false" autocapitalize="off" autocomplete="off" value=${payload} data-written
        onInput=${(/** @type {any} */ event) => setPayload(event.target.value)}></textarea>
      <div class="choices" role="group" aria-label=${t('tester.written')}>
        <button type="button" class="choice" aria-pressed=${!hex} onClick=${() => go(withQuery({ hex: null }), { replace: true })}>${t('tester.as-text')}</button>
        <button type="button" class="choice" aria-pressed=${hex} onClick=${() => go(withQuery({ hex: '1' }), { replace: true })}>${t('tester.as-hex')}</button></div>
      <label for=${`${id}-table`}>${t('tester.table')}</label>
      <textarea id=${`${id}-table`} class="mono" rows="9" maxlength=${TABLE_MAX} spellcheck="false" autocapitalize="off" autocomplete="off" value=${table} onInput=${write}></textarea>
      <p class="quiet">${t('tester.table-note')}</p>
    </form>
    <section class=${cls('panel pad answer', waiting && 'waiting')} aria-label=${t('tester.samples')} aria-busy=${waiting}>
      <h2>${t('tester.samples')}</h2>
      ${error && h(Failure, { error, retry })}
      ${body === null && html`<p class="quiet">${t('tester.mapping-empty')}</p>`}
      ${answer && body !== null && h(Answer, { tried: answer })}
    </section>
  </div>`;
}
