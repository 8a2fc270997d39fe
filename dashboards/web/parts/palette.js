// The command palette: pages, systems, machines and points in one field, by name or address.
//
// Pages and machines are known here; points are asked from the server a moment after typing.

import { cls, h, html, useEffect, useId, useRef, useState } from '../lib/ui.js';
import { loadStyles } from '../lib/more.js';
import { loadWords, nameOf, t } from '../lib/i18n.js';
import { equipmentHref, go, pointHref } from '../lib/nav.js';
import { assets, pathOf, systemHref, systems } from '../lib/site.js';
import { useFound } from '../lib/found.js';
import { Icon, Named } from './basics.js';

/** @typedef {import('../lib/types').Asset} Asset */
/** @typedef {import('../lib/types').Names} Names */
/** @typedef {{ kind: 'page' | 'system' | 'asset' | 'point', href: string, title: string, names: Names | null, path: Asset[], address: string }} Entry */

await Promise.all([loadWords('plant'), loadStyles(['css/machine.css'])]);

const ASSETS_MAX = 8;
const POINTS_MAX = 8;
/** Pages that are not in the navigation. */
const MORE_PAGES = [['/buses', 'nav.buses'], ['/tester', 'points.tester'], ['/gallery', 'palette.gallery']];

/** Whether every word of a search is in a text. @param {string} text @param {string[]} words */
const holds = (text, words) => words.every((word) => text.includes(word));

/** @param {Asset} asset */
const textOf = (asset) => `${asset.id} ${asset.name.zh} ${asset.name.en}`.toLowerCase();

/**
 * Machines by name or id, in either language: those that begin with what is typed before those that hold it.
 * @param {Asset[]} list
 * @param {string} search
 * @param {number} most
 */
export function findAssets(list, search, most) {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return [];
  const first = words[0] ?? '';
  const begins = (/** @type {Asset} */ asset) => [asset.id, asset.name.zh, asset.name.en].some((text) => text.toLowerCase().startsWith(first));
  const found = list.filter((asset) => holds(textOf(asset), words));
  return [...found.filter(begins), ...found.filter((asset) => !begins(asset))].slice(0, most);
}

/** @param {readonly { href: string | null, icon: string }[]} areas @param {string} search @returns {Entry[]} */
function pagesOf(areas, search) {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const page = (/** @type {Entry['kind']} */ kind, /** @type {string} */ href, /** @type {string} */ title) => ({ kind, href, title, names: null, path: [], address: '' });
  const all = [
    ...areas.flatMap((area) => (area.href === null ? [] : [page('page', area.href, t(`nav.${area.icon}`))])),
    ...systems.value.map((system) => page('system', systemHref(system), t(`system.${system}`))),
    ...MORE_PAGES.map(([href = '', key = '']) => page('page', href, t(key))),
  ];
  return all.filter((one) => holds(`${one.title} ${one.href}`.toLowerCase(), words));
}

/** @param {{ entry: Entry }} p */
function Line({ entry }) {
  return html`<span class="palette-kind">${t(`palette.${entry.kind}`)}</span>
    <strong>${entry.names ? h(Named, { of: entry.names }) : entry.title}</strong>
    ${entry.path.length > 0 && html`<span class="quiet path">${entry.path.map((asset) => html`<span key=${asset.id}>${h(Named, { of: asset.name })}</span>`)}</span>`}
    ${entry.address && html`<span class="mono quiet">${entry.address}</span>`}`;
}

/**
 * @param {object} p
 * @param {() => void} p.close
 * @param {readonly { href: string | null, icon: string }[]} p.areas
 * @param {() => string} p.typed what was typed before it was here
 */
export function Palette({ close, areas, typed }) {
  const id = useId();
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const [text, setText] = useState('');
  const [chosen, setChosen] = useState(0);
  const found = useFound(text, POINTS_MAX);
  useEffect(() => {
    dialog.current?.showModal();
    const field = dialog.current?.querySelector('input');
    if (field) field.value = typed(); // at once, for the key that comes before the next drawing
    setText(typed());
  }, []);
  const search = text.trim();
  const machines = findAssets(assets.value, search, ASSETS_MAX);
  /** @type {Entry[]} */
  const entries = [
    ...pagesOf(areas, search),
    ...machines.map((asset) => ({ kind: /** @type {const} */ ('asset'), href: equipmentHref(asset.id), title: nameOf(asset.name), names: asset.name, path: pathOf(asset.id).slice(1, -1), address: '' })),
    ...(found ?? []).map((point) => ({ kind: /** @type {const} */ ('point'), href: pointHref(point.address), title: nameOf(point.name), names: point.name, path: pathOf(point.asset).slice(1), address: point.address })),
  ];
  const at = Math.max(0, Math.min(chosen, entries.length - 1));
  useEffect(() => list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' }), [at, entries.length]);
  const choose = (/** @type {Entry | undefined} */ entry) => {
    if (!entry) return;
    dialog.current?.close();
    go(entry.href);
  };
  const keys = (/** @type {KeyboardEvent} */ event) => {
    if (event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key];
    if (step) setChosen(Math.max(0, Math.min(entries.length - 1, at + step)));
    else if (event.key === 'Enter') choose(entries[at]);
    else if (event.key === 'Escape') dialog.current?.close(); // at once: the field would only empty itself
    else return;
    event.preventDefault();
  };
  const type = (/** @type {any} */ event) => {
    setText(event.target.value);
    setChosen(0);
  };
  return html`<dialog ref=${dialog} class="dialog palette" aria-label=${t('top.palette')} onClose=${close}
      onClick=${(/** @type {any} */ event) => event.target === dialog.current && dialog.current?.close()}>
    <div class="palette-top"><label class="field field-search"><span class="unseen">${t('top.palette')}</span>${h(Icon, { name: 'search' })}
      <input type="search" role="combobox" autocomplete="off" autofocus aria-expanded=${entries.length > 0} aria-controls=${`${id}-list`} aria-autocomplete="list"
        aria-activedescendant=${entries.length > 0 ? `${id}-${at}` : undefined} maxlength="100" placeholder=${t('palette.placeholder')} value=${text} onInput=${type} onKeyDown=${keys} /></label>
      <button type="button" class="bare" aria-label=${t('action.close-dialog')} onClick=${() => dialog.current?.close()}>${h(Icon, { name: 'close' })}</button></div>
    <ul ref=${list} id=${`${id}-list`} role="listbox" aria-label=${t('palette.found')} class="palette-list">
      ${entries.map((entry, i) => html`<li key=${entry.href} id=${`${id}-${i}`} role="option" aria-selected=${i === at} class=${cls(i === at && 'chosen')} onClick=${() => choose(entry)}>${h(Line, { entry })}</li>`)}
    </ul>
    ${search !== '' && found !== null && entries.length === 0 && html`<p class="quiet" role="status">${t('palette.none', { search })}</p>`}
  </dialog>`;
}
