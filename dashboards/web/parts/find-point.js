// A field that finds a point by name or address and gives its address to who asked.

import { cls, h, html, useId, useState } from '../lib/ui.js';
import { t } from '../lib/i18n.js';
import { useFound } from '../lib/found.js';
import { pathOf } from '../lib/site.js';
import { Icon, Named } from './basics.js';

/** @typedef {import('../lib/types').Point} Point */

const FOUND_MAX = 8;

/** @param {{ label: string, take: (address: string) => void }} p */
export function FindPoint({ label, take }) {
  const id = useId();
  const [text, setText] = useState('');
  const [chosen, setChosen] = useState(0);
  const [open, setOpen] = useState(false);
  const found = useFound(text, FOUND_MAX);
  const list = open && found ? found : [];
  const at = Math.min(chosen, list.length - 1);
  const choose = (/** @type {Point | undefined} */ point) => {
    if (!point) return;
    take(point.address);
    setText('');
    setOpen(false);
  };
  const keys = (/** @type {KeyboardEvent} */ event) => {
    if (event.isComposing) return;
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') setChosen(Math.max(0, Math.min(list.length - 1, at + (event.key === 'ArrowDown' ? 1 : -1))));
    else if (event.key === 'Enter') choose(list[at]);
    else if (event.key === 'Escape' && list.length > 0) setOpen(false);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const type = (/** @type {any} */ event) => {
    setText(event.target.value);
    setChosen(0);
    setOpen(true);
  };
  return html`<div class="finder">
    <label class="field field-search"><span class="unseen">${label}</span>${h(Icon, { name: 'search' })}
      <input type="search" data-search role="combobox" autocomplete="off" aria-expanded=${list.length > 0} aria-controls=${`${id}-list`} aria-autocomplete="list"
        aria-activedescendant=${list.length > 0 ? `${id}-${at}` : undefined} maxlength="100" placeholder=${label} value=${text}
        onInput=${type} onKeyDown=${keys} onFocus=${() => setOpen(true)} onBlur=${() => setOpen(false)} /></label>
    <ul id=${`${id}-list`} role="listbox" aria-label=${t('tester.found')} class=${cls('finder-list', list.length === 0 && 'unseen')}>
      ${list.map((point, i) => html`<li key=${point.address} id=${`${id}-${i}`} role="option" aria-selected=${i === at}
        onPointerDown=${(/** @type {Event} */ event) => event.preventDefault()} onClick=${() => choose(point)}>
        <strong>${h(Named, { of: point.name })}</strong>
        <span class="quiet path">${pathOf(point.asset).slice(1).map((asset) => html`<span key=${asset.id}>${h(Named, { of: asset.name })}</span>`)}</span>
        <span class="mono quiet">${point.address}</span></li>`)}
    </ul>
    ${open && found !== null && found.length === 0 && html`<p class="finder-list quiet" role="status">${t('points.none-found', { search: text })}</p>`}
  </div>`;
}
