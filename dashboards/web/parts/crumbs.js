// The way back: overview, system, machine.

import { html } from '../lib/ui.js';
import { nameOf, t } from '../lib/i18n.js';
import { assetOf, systemHref } from '../lib/site.js';
import { equipmentHref } from '../lib/nav.js';

/**
 * @param {object} p
 * @param {string | null | undefined} p.system
 * @param {string | null} [p.building] of that system
 * @param {string} [p.asset] where the page is below the machine
 */
export function Crumbs({ system, building, asset }) {
  const machine = asset ? assetOf(asset) : null;
  return html`<nav class="crumbs" aria-label=${t('point.crumbs')}>
    <a href="/">${t('nav.overview')}</a>
    ${system && html`<a href=${systemHref(system)}>${t(`system.${system}`)}</a>`}
    ${system && building && html`<a href=${`${systemHref(system)}?building=${building}`}>${nameOf(assetOf(building)?.name) || building}</a>`}
    ${machine && html`<a href=${equipmentHref(machine.id)}>${nameOf(machine.name)}</a>`}
  </nav>`;
}
