// What stands over the charts of the trend explorer: which points, which span, which overlays.

import { cls, h, html, useId, useRef, useState } from '../lib/ui.js';
import { t } from '../lib/i18n.js';
import { useFound } from '../lib/found.js';
import { go } from '../lib/nav.js';
import { pathOf } from '../lib/site.js';
import { POINTS_MAX, PRESETS, SHIFTS, fieldOf, momentOf, trendHref } from '../lib/trend.js';
import { Icon, Named } from './basics.js';
import { TrendIcon } from './trend-icons.js';

/** @typedef {import('../lib/types').Point} Point */
/** @typedef {import('../lib/trend.js').Asked} Asked */
/** @typedef {import('./plot.js').View} View */

const FOUND_MAX = 12;

/** Search and add. @param {{ asked: Asked }} p */
export function Picker({ asked }) {
  const id = useId();
  const [text, setText] = useState('');
  const [chosen, setChosen] = useState(0);
  const [open, setOpen] = useState(false);
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  const found = useFound(text, FOUND_MAX);
  const full = asked.points.length >= POINTS_MAX;
  const list = open && found ? found.filter((point) => !asked.points.includes(point.address)) : [];
  const at = Math.min(chosen, list.length - 1);
  const add = (/** @type {Point | undefined} */ point) => {
    if (!point) return;
    go(trendHref({ ...asked, points: [...asked.points, point.address] }));
    setText('');
    setOpen(false);
    field.current?.focus();
  };
  const keys = (/** @type {KeyboardEvent} */ event) => {
    if (event.isComposing) return;
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') setChosen(Math.max(0, Math.min(list.length - 1, at + (event.key === 'ArrowDown' ? 1 : -1))));
    else if (event.key === 'Enter') add(list[at]);
    else if (event.key === 'Escape' && open) setOpen(false);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const type = (/** @type {any} */ event) => {
    setText(event.target.value);
    setChosen(0);
    setOpen(true);
  };
  const nothing = open && found !== null && list.length === 0;
  return html`<div class="picker">
    <label class="field field-search"><span class="unseen">${t('trend.add')}</span>${h(Icon, { name: 'search' })}
      <input ref=${field} type="search" data-search role="combobox" autocomplete="off" aria-expanded=${list.length > 0} aria-controls=${`${id}-list`}
        aria-autocomplete="list" aria-activedescendant=${list.length > 0 ? `${id}-${at}` : undefined} disabled=${full} maxlength="100"
        placeholder=${full ? t('trend.full', { n: POINTS_MAX }) : t('trend.add')} value=${text} onInput=${type} onKeyDown=${keys}
        onFocus=${() => setOpen(true)} onBlur=${() => setOpen(false)} /></label>
    <ul id=${`${id}-list`} role="listbox" aria-label=${t('trend.found')} class=${cls('picker-list', list.length === 0 && 'unseen')}>
      ${list.map((point, i) => html`<li key=${point.address} id=${`${id}-${i}`} role="option" aria-selected=${i === at}
        onPointerDown=${(/** @type {Event} */ event) => event.preventDefault()} onClick=${() => add(point)}>
        <strong>${h(Named, { of: point.name })}</strong>
        <span class="quiet path">${pathOf(point.asset).slice(1).map((asset) => html`<span key=${asset.id}>${h(Named, { of: asset.name })}</span>`)}</span>
        <span class="mono quiet">${point.address}</span></li>`)}
    </ul>
    ${nothing && html`<p class="picker-list quiet" role="status">${found.length > 0 ? t('trend.all-added') : t('points.none-found', { search: text })}</p>`}
  </div>`;
}

/**
 * A calendar field in the site's zone, taken when it is left or entered.
 * @param {{ label: string, at: number, take: (ms: number) => void }} p
 */
function Moment({ label, at, take }) {
  const [text, setText] = useState(/** @type {string | null} */ (null));
  const done = () => {
    const ms = text === null ? null : momentOf(text);
    setText(null);
    if (ms !== null && text !== fieldOf(at)) take(ms);
  };
  return html`<label class="field moment"><span class="field-label">${label}</span>
    <input type="datetime-local" value=${text ?? fieldOf(at)} onInput=${(/** @type {any} */ event) => setText(event.target.value)} onBlur=${done}
      onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === 'Enter' && done()} /></label>`;
}

/**
 * @param {object} p
 * @param {Asked} p.asked
 * @param {View} p.view
 * @param {(share: number) => void} p.pan
 * @param {(factor: number) => void} p.zoom
 */
export function Span({ asked, view, pan, zoom }) {
  const fix = (/** @type {View} */ fixed) => go(trendHref({ ...asked, fixed: fixed.to > fixed.from ? fixed : { from: fixed.from, to: fixed.from + view.to - view.from } }));
  const toggle = (/** @type {string} */ shift) => SHIFTS.filter((one) => (one === shift) !== asked.over.includes(one));
  const button = (/** @type {string} */ words, /** @type {unknown} */ icon, /** @type {() => void} */ press) =>
    html`<button type="button" aria-label=${words} title=${words} onClick=${press}>${icon}</button>`;
  return html`<div class="trend-tools">
    <div class="choices" role="group" aria-label=${t('point.span')}>
      ${PRESETS.map((preset) => html`<a key=${preset.name} class="choice" href=${trendHref({ ...asked, fixed: null, preset })}
        aria-current=${!asked.fixed && preset.name === asked.preset.name ? 'true' : undefined}>${t(`trend.preset-${preset.name}`)}</a>`)}
    </div>
    <div class="span-row">
      ${button(t('point.earlier'), h(Icon, { name: 'left' }), () => pan(-0.5))}${button(t('point.later'), h(Icon, { name: 'right' }), () => pan(0.5))}
      ${button(t('trend.zoom-in'), h(TrendIcon, { name: 'plus' }), () => zoom(0.5))}${button(t('trend.zoom-out'), h(TrendIcon, { name: 'minus' }), () => zoom(2))}
    </div>
    <details class="trend-more" open=${matchMedia('(min-width: 601px)').matches}><summary>${t('trend.more')}</summary><div>
    <div class="moments">${h(Moment, { label: t('trend.from'), at: view.from, take: (from) => fix({ from, to: view.to }) })}
    ${h(Moment, { label: t('trend.to'), at: view.to, take: (to) => fix({ from: to > view.from ? view.from : to - (view.to - view.from), to }) })}</div>
    <div class="over-row" role="group" aria-label=${t('trend.over')}><span class="field-label" aria-hidden="true">${t('trend.over')}</span>
      <span class="choices">${SHIFTS.map((shift) => html`<button key=${shift} type="button" class="choice" aria-pressed=${asked.over.includes(shift)}
        onClick=${() => go(trendHref({ ...asked, over: toggle(shift) }))}>${t(`trend.over-${shift}`)}</button>`)}</span>
    </div></div></details>
  </div>`;
}
