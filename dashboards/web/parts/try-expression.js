// The tester for expressions: a text, and what it gives now.

import { cls, h, html, useEffect, useId, useRef, useState } from '../lib/ui.js';
import { number, t } from '../lib/i18n.js';
import { go, place, withQuery } from '../lib/nav.js';
import { useAnswer } from '../lib/rest.js';
import { inserted } from '../lib/tester.js';
import { live } from '../lib/live.js';
import { Failure } from './basics.js';
import { FindPoint } from './find-point.js';
import { Outcome, WrongPart } from './expression.js';

/** @typedef {import('../lib/types').TriedExpression} Tried */

const ASK_MS = 2_000;
const OLD_MS = 3 * ASK_MS;
/** Bytes of an expression, and characters of a unit, at most. */
const FORMULA_MAX = 2_048;
const UNIT_MAX = 40;
/** The URL follows a hand that has rested for so long. */
const REST_MS = 500;

/** @param {{ result: NonNullable<Tried['result']> }} p */
function Cost({ result }) {
  return html`<p class="quiet">${t('tester.cost', { n: number(result.cost_parts + result.cost_readings, 0), of: number(result.cost_max, 0) })}
    ${result.moves_with_time && html` · ${t('tester.moves')}`}</p>`;
}

/** @param {{ formula: string, unit: string, tried: Tried }} p */
function Answer({ formula, unit, tried }) {
  const { mistake, result } = tried;
  const old = live.link.value.state === 'lost' || live.now() - tried.now > OLD_MS;
  live.second.value; // ages move
  return html`<div role="status">${mistake && h(WrongPart, { text: mistake.part === 'unit' ? unit : formula, mistake })}</div>
    ${result && h(Outcome, { result, old })}
    ${result && h(Cost, { result })}`;
}

/** Text and unit, as the URL has them and as they are typed. */
function useQuestion() {
  const wanted = place.value.query;
  const [formula, setFormula] = useState(wanted.get('formula') ?? '');
  const [unit, setUnit] = useState(wanted.get('unit') ?? '');
  const said = useRef('');
  useEffect(() => {
    const timer = setTimeout(() => {
      said.current = `${formula}\n${unit}`;
      go(withQuery({ formula, unit }), { replace: true });
    }, REST_MS);
    return () => clearTimeout(timer);
  }, [formula, unit]);
  const inUrl = `${wanted.get('formula') ?? ''}\n${wanted.get('unit') ?? ''}`;
  useEffect(() => {
    // A link or the back button, not what was typed here.
    if (said.current === '' || inUrl === said.current) return;
    setFormula(wanted.get('formula') ?? '');
    setUnit(wanted.get('unit') ?? '');
  }, [inUrl]);
  return { formula, setFormula, unit, setUnit };
}

/** The screen's part. */
export function TryExpression() {
  const id = useId();
  const { formula, setFormula, unit, setUnit } = useQuestion();
  const field = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const body = formula.trim() === '' ? null : { formula, ...(unit.trim() === '' ? {} : { unit: unit.trim() }) };
  const { answer, error, waiting, retry } = useAnswer('/try/expression', body, ASK_MS);
  const take = (/** @type {string} */ address) => {
    const next = inserted(formula, field.current?.selectionStart ?? formula.length, address);
    setFormula(next.text);
    setTimeout(() => {
      field.current?.focus();
      field.current?.setSelectionRange(next.at, next.at);
    });
  };
  return html`<div class="tester">
    <form class="panel pad question" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
      <label for=${`${id}-formula`}>${t('tester.formula')}</label>
      <textarea ref=${field} id=${`${id}-formula`} class="mono" rows="4" maxlength=${FORMULA_MAX} spellcheck="false" autocapitalize="off" autocomplete="off"
        placeholder=${t('tester.formula-example')} value=${formula} onInput=${(/** @type {any} */ event) => setFormula(event.target.value)}></textarea>
      ${h(FindPoint, { label: t('tester.insert-point'), take })}
      <label for=${`${id}-unit`}>${t('tester.unit')}</label>
      <input id=${`${id}-unit`} class="mono unit-field" type="text" maxlength=${UNIT_MAX} spellcheck="false" autocapitalize="off" autocomplete="off" value=${unit}
        onInput=${(/** @type {any} */ event) => setUnit(event.target.value)} />
      <p class="quiet">${t('tester.manual')}</p>
    </form>
    <section class=${cls('panel pad answer', waiting && 'waiting')} aria-label=${t('tester.result')} aria-busy=${waiting}>
      <h2>${t('tester.result')}</h2>
      ${error && h(Failure, { error, retry })}
      ${body === null && html`<p class="quiet">${t('tester.empty')}</p>`}
      ${answer && body !== null && h(Answer, { formula, unit, tried: answer })}
    </section>
  </div>`;
}
