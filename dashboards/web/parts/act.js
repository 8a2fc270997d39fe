// The form under an alarm or an order: who does it, a note, and the one next step.

import { h, html, remembered, useId, useState } from '../lib/ui.js';
import { t } from '../lib/i18n.js';
import { ApiError } from '../lib/api.js';
import { Icon } from './basics.js';

/** The name written under acknowledgements and work orders. */
export const person = remembered('person', '');

const NAME_MAX = 60;
const NOTE_MAX = 500;

/**
 * What stands in the way of an act, as the person should read it.
 * @typedef {object} Refusal
 * @property {string} fact
 * @property {string} [action]
 * @property {string} [href]
 */

/**
 * @param {object} p
 * @param {string} p.label the word on the button
 * @param {string} p.noteLabel
 * @param {(by: string, note: string) => Promise<void>} p.act
 * @param {(error: ApiError) => Refusal} p.refused
 */
export function Act({ label, noteLabel, act, refused }) {
  const [note, setNote] = useState('');
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState(/** @type {Refusal | null} */ (null));
  const id = useId();
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setRefusal(null);
    try {
      await act(person.value.trim(), note.trim());
      setNote('');
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setRefusal(refused(error)); // what was typed stays
    } finally {
      setBusy(false);
    }
  };
  return html`<form class="act" onSubmit=${submit}>
    <label for=${`${id}-name`}>${t('act.name')}</label>
    <input id=${`${id}-name`} type="text" autocomplete="name" required maxlength=${NAME_MAX} value=${person.value}
      onInput=${(/** @type {any} */ event) => { person.value = event.target.value; }} />
    <label for=${`${id}-note`}>${noteLabel}</label>
    <textarea id=${`${id}-note`} rows="2" maxlength=${NOTE_MAX} value=${note}
      onInput=${(/** @type {any} */ event) => setNote(event.target.value)}></textarea>
    <div role="alert">${refusal && html`<div class="refusal">${h(Icon, { name: 'warn' })}
      <p><strong>${refusal.fact}</strong>${refusal.action && html` ${refusal.action}`}${refusal.href && html` <a href=${refusal.href}>${t('act.see')}</a>`}</p></div>`}</div>
    <button type="submit" class="primary" disabled=${busy} aria-busy=${busy}>${busy ? t('act.busy') : label}</button>
  </form>`;
}
