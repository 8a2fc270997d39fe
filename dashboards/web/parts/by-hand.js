// A value that a person puts in the place of a device's: the form for it, and what stands on the page while
// it holds. What an act does is said before it is done; who and why stand beside the value as long as it is there.

import { h, html, useEffect, useId, useRef, useState } from '../lib/ui.js';
import { duration, fullStamp, number, quantity, stamp, stateWords, t, unit } from '../lib/i18n.js';
import { ApiError, post, query, remove, useGet } from '../lib/api.js';
import { onKey } from '../lib/nav.js';
import { live } from '../lib/live.js';
import { fieldOf } from '../lib/trend.js';
import { digitsOf } from '../lib/making.js';
import { LASTS, LASTS_MAX_MS, WORD_BYTES_MAX, untilOf, valueOf } from '../lib/by-hand.js';
import { Act, person } from './act.js';
import { Icon, Quantity, failureWords } from './basics.js';

/** @typedef {import('../lib/types').PointNow} PointNow */
/** @typedef {import('../lib/types').Scalar} Scalar */
/** @typedef {import('../lib/types').Substitution} Substitution */

const NAME_MAX = 60;
const WHY_MAX = 1_000;
const ASKED_MAX = 1_000;
const DAY_MS = 86_400_000;

/**
 * The value by hand that a point has now; followed.
 * @param {string} address
 */
export function useByHand(address) {
  const { data, error, reload } = useGet(`/substitutions${query({ state: 'open', limit: ASKED_MAX })}`);
  useEffect(() => live.listen(({ kind, subject }) => {
    if (kind.startsWith('point.substitut') && subject === `point:${address}`) reload();
  }), [address]);
  const items = /** @type {Substitution[]} */ (/** @type {any} */ (data)?.items ?? []);
  const held = items.find((one) => one.point === address) ?? null;
  const before = useRef(/** @type {number | null | undefined} */ (undefined));
  useEffect(() => {
    const lost = before.current !== undefined && document.activeElement === document.body;
    before.current = data === null ? undefined : held?.id ?? null;
    // Who put a value in or ended it stood on what is gone now.
    if (lost) /** @type {HTMLElement | null} */ (document.querySelector(held ? '#held-title' : '[data-put]'))?.focus();
  }, [data === null, held?.id]);
  return { held, known: data !== null, error, reload };
}

/** A value in the point's words: no digit that was typed is dropped. @param {PointNow} point @param {Scalar} value */
function words(point, value) {
  return h(Quantity, { value, decimals: Math.max(point.decimals, digitsOf(value)), symbol: point.symbol, states: point.states });
}

// ---- while it holds

/** @param {{ point: PointNow, held: Substitution, reload: () => void }} p */
export function HandHeld({ point, held, reload }) {
  live.second.value; // what is left of it moves
  const rows = [
    [t('points.value'), html`<strong class="num">${words(point, held.value)}</strong>`],
    [t('hand.by'), html`<span data-written>${held.by}</span>`],
    [t('hand.why'), html`<span data-written>${held.reason}</span>`],
    [t('hand.since'), html`<span class="num">${fullStamp(held.since)}</span>`],
    [t('hand.until'), html`<span class="num">${fullStamp(held.until)}</span> <span class="quiet whole">${t('hand.left', { age: duration(held.until - live.now()) })}</span>`],
  ];
  const act = async (/** @type {string} */ by, /** @type {string} */ reason) => {
    await remove(`/points/${point.address}/substitution${query({ by, reason })}`);
    reload();
  };
  const refused = (/** @type {ApiError} */ error) => {
    if (error.code === 'not_substituted') reload();
    return { fact: failureWords(error) };
  };
  return html`<section class="panel pad by-hand" aria-labelledby="held-title" data-by-hand>
    <div class="section-head"><h2 id="held-title" tabindex="-1">${t('hand.title')}</h2></div>
    <div class="hand-halves"><div><dl class="facts">${rows.map(([term, text]) => html`<div key=${term}><dt>${term}</dt><dd>${text}</dd></div>`)}</dl>
      <p class="quiet">${t('hand.meanwhile')}</p></div>
      ${h(Act, { key: held.id, label: t('hand.end'), noteLabel: t('hand.why-end'), act, refused })}</div>
  </section>`;
}

// ---- the form

/** A value by its kind: chosen where there are few, typed where not. @param {{ id: string, point: PointNow, text: string, wrong: boolean, change: (text: string) => void }} p */
function ValueField({ id, point, text, wrong, change }) {
  const typed = (/** @type {any} */ event) => change(event.target.value);
  const choices = point.kind === 'bool'
    ? [1, 0].map((value) => ({ value: String(value === 1), label: stateLabel(point, value) ?? t(value === 1 ? 'value.true' : 'value.false') }))
    : point.kind !== 'text' && point.states.length > 0 ? point.states.map(({ value }) => ({ value: String(value), label: stateLabel(point, value) ?? String(value) })) : null;
  const shared = { id, required: true, value: text, 'aria-invalid': wrong ? 'true' : undefined, 'aria-describedby': `${id}-hint` };
  if (choices) return h('select', { ...shared, onChange: typed }, html`<option value="">${t('hand.choose')}</option>${choices.map(({ value, label }) => html`<option key=${value} value=${value}>${label}</option>`)}`);
  const input = h('input', { ...shared, type: 'text', autocomplete: 'off', inputmode: point.kind === 'text' ? undefined : 'decimal', maxlength: WORD_BYTES_MAX, onInput: typed });
  return html`<span class="hand-value">${input}${point.symbol && html`<span class="quiet">${unit(point.symbol)}</span>`}</span>`;
}

/** @param {PointNow} point @param {number} value */
function stateLabel(point, value) {
  const state = point.states.find((one) => one.value === value);
  return state ? stateWords({ number: String(value), name: state.name }) : null;
}

/** What it can be, or what is wrong with it. @param {{ id: string, point: PointNow, wrong: string | null }} p */
function ValueHint({ id, point, wrong }) {
  const range = point.range && { low: quantity(point.range[0], point.decimals, ''), high: quantity(point.range[1], point.decimals, point.symbol) };
  return html`<p id=${`${id}-hint`} class=${wrong ? 'hand-wrong' : 'quiet'}>${wrong === null ? range && t('hand.range', range)
    : wrong === 'range' && range ? t('hand.wrong-range', range) : t(`hand.wrong-${wrong}`, { n: number(WORD_BYTES_MAX, 0) })}</p>`;
}

/** @param {{ id: string, lasts: string, field: string, wrong: string | null, choose: (name: string) => void, change: (text: string) => void }} p */
function Lasts({ id, lasts, field, wrong, choose, change }) {
  const now = live.now();
  return html`<span id=${`${id}-lasts`} class="hand-label">${t('hand.lasts')}</span>
    <div class="hand-lasts"><div class="choices" role="group" aria-labelledby=${`${id}-lasts`}>${LASTS.map(({ name }) => html`<button key=${name} type="button" class="choice" aria-pressed=${name === lasts} onClick=${() => choose(name)}>${t(`hand.lasts-${name}`)}</button>`)}</div>
    ${lasts === 'until' && html`<input type="datetime-local" required aria-label=${t('hand.until')} aria-invalid=${wrong ? 'true' : undefined} value=${field} min=${fieldOf(now)} max=${fieldOf(now + LASTS_MAX_MS)}
      onInput=${(/** @type {any} */ event) => change(event.target.value)} />`}</div>
    ${wrong && html`<p class="hand-wrong">${t(`hand.wrong-${wrong}`)}</p>`}`;
}

/**
 * @param {object} p
 * @param {PointNow} p.point
 * @param {() => void} p.close
 * @param {() => void} p.reload asks what holds
 */
export function HandForm({ point, close, reload }) {
  const id = useId();
  const form = useRef(/** @type {HTMLElement | null} */ (null));
  const [text, setText] = useState('');
  const [lasts, setLasts] = useState('1h');
  const [field, setField] = useState(() => fieldOf(live.now() + DAY_MS));
  const [why, setWhy] = useState('');
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState(/** @type {ApiError | null} */ (null));
  const focus = () => /** @type {HTMLElement | null | undefined} */ (form.current?.querySelector('input, select'))?.focus();
  useEffect(() => {
    focus();
    return onKey((key) => {
      if (key === 'Escape') close();
      return key === 'Escape';
    });
  }, []);
  live.second.value; // the end moves with now
  const value = valueOf(text, point);
  const end = untilOf(lasts, field, live.now());
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const last = untilOf(lasts, field, live.now());
    if (why.trim() === '') setWhy(''); // the field asks for it
    if ('wrong' in value) focus();
    if (busy || 'wrong' in value || 'wrong' in last || why.trim() === '') return;
    setBusy(true);
    setFailed(null);
    try {
      await post(`/points/${point.address}/substitution`, { value: value.value, until: last.until, reason: why.trim(), by: person.value.trim() });
      reload();
      close();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setFailed(error); // what was typed stays
      if (error.code === 'already_substituted') reload();
    } finally {
      setBusy(false);
    }
  };
  // An empty field is not wrong; the browser asks for it.
  const wrongValue = 'wrong' in value && value.wrong !== 'empty' ? value.wrong : null;
  const wrongEnd = 'wrong' in end ? end.wrong : null;
  return html`<section class="panel pad by-hand" aria-labelledby="hand-title" ref=${form}>
    <div class="section-head"><h2 id="hand-title">${t('hand.put')}</h2></div>
    <form class="hand-form" onSubmit=${submit}>
      <label for=${`${id}-value`}>${t('points.value')}</label>
      ${h(ValueField, { id: `${id}-value`, point, text, wrong: wrongValue !== null, change: setText })}
      ${h(ValueHint, { id: `${id}-value`, point, wrong: wrongValue })}
      ${h(Lasts, { id, lasts, field, wrong: wrongEnd, choose: setLasts, change: setField })}
      <label for=${`${id}-why`}>${t('hand.why')}</label>
      <textarea id=${`${id}-why`} rows="2" required maxlength=${WHY_MAX} value=${why}
        onInput=${(/** @type {any} */ event) => setWhy(event.target.value)}></textarea>
      <label for=${`${id}-by`}>${t('act.name')}</label>
      <input id=${`${id}-by`} type="text" autocomplete="name" required maxlength=${NAME_MAX} value=${person.value}
        onInput=${(/** @type {any} */ event) => { person.value = event.target.value; }} />
      ${!('wrong' in end) && html`<p class="hand-will">${t('hand.will', { until: stamp(end.until) })}</p>`}
      <div role="alert">${failed && html`<div class="refusal">${h(Icon, { name: 'warn' })}<p><strong>${failureWords(failed)}</strong></p></div>`}</div>
      <div class="hand-buttons"><button type="submit" class="primary" disabled=${busy} aria-busy=${busy}>${busy ? t('act.busy') : t('hand.submit')}</button>
        <button type="button" onClick=${close}>${t('hand.cancel')}</button></div>
    </form>
  </section>`;
}
