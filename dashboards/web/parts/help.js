// The keys, and the switch that turns the single ones off.

import { h, html, useEffect, useRef } from '../lib/ui.js';
import { t } from '../lib/i18n.js';
import { go, guide } from '../lib/nav.js';
import { Icon } from './basics.js';

/**
 * @param {object} p
 * @param {() => void} p.close
 * @param {Record<string, string>} p.goKeys
 * @param {import('../vendor/core.js').Signal<string>} p.singleKeys
 */
export function Help({ close, goKeys, singleKeys }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  const keys = [
    ...Object.keys(goKeys).map((key) => [`g ${key}`, t(`help.go.${key}`)]),
    ['Ctrl K', t('help.palette')],
    ['/', t('help.search')],
    ['j k', t('help.rows')],
    ['\u2190 \u2192', t('help.trend.pan')],
    ['+ \u2212', t('help.trend.zoom')],
    ['[ ]', t('help.trend.cursor')],
    ['0', t('help.trend.reset')],
    ['l', t('help.trend.live')],
    ['f', t('help.wall')],
    ['Enter', t('help.open')],
    ['a', t('help.acknowledge')],
    ['Esc', t('help.back')],
    ['?', t('help.help')],
  ];
  const show = () => {
    guide.value = 'open';
    dialog.current?.close();
    go('/');
  };
  return html`<dialog ref=${dialog} class="dialog" aria-labelledby="help-title" onClose=${close}>
    <div class="dialog-head"><h2 id="help-title">${t('help.title')}</h2>
      <button type="button" class="bare" aria-label=${t('action.close-dialog')} onClick=${() => dialog.current?.close()}>${h(Icon, { name: 'close' })}</button>
    </div>
    <dl class="keys">${keys.map(([key, words]) => html`<div key=${key}><dt><kbd>${key}</kbd></dt><dd>${words}</dd></div>`)}</dl>
    <label class="check"><input type="checkbox" checked=${singleKeys.value === 'on'}
      onChange=${(/** @type {any} */ event) => { singleKeys.value = event.target.checked ? 'on' : 'off'; }} />
      <span>${t('help.single-keys')}</span></label>
    <p><button type="button" onClick=${show}>${t('help.guide')}</button></p>
    <p><a href="/gallery" onClick=${() => dialog.current?.close()}>${t('help.gallery')}</a></p>
    <p class="quiet">${t('help.assists')}</p>
  </dialog>`;
}
