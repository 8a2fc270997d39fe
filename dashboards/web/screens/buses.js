// Buses: the lines to the devices, whether they stand and who answers on them; the troubled first.

import { cls, h, html, useState } from '../lib/ui.js';
import { clock, duration, number, stamp, t } from '../lib/i18n.js';
import { query } from '../lib/api.js';
import { useAgain } from '../lib/again.js';
import { assetOf } from '../lib/site.js';
import { live } from '../lib/live.js';
import { inTrouble } from '../lib/buses.js';
import { Empty, Failure, Loading, Named } from '../parts/basics.js';
import { Badge } from '../parts/badge.js';
import { BrokerTable } from '../parts/brokers.js';

/** @typedef {import('../lib/types').Buses} BusesReply */
/** @typedef {import('../lib/types').Brokers} BrokersReply */
/** @typedef {import('../lib/types').Device} Device */
/** @typedef {ReturnType<typeof inTrouble>[number]} BusRow */
/** @typedef {import('../lib/buses.js').DeviceWord} DeviceWord */

const ASK_MS = 5_000;

/** Assets of a device that are named at once; a switchgear has twenty. */
const ASSETS = 4;

/** The assets a device feeds, each a link to its points. @param {{ device: Device }} p */
function Assets({ device: { assets } }) {
  const [all, setAll] = useState(assets.length <= ASSETS + 1);
  return html`${(all ? assets : assets.slice(0, ASSETS)).map((id, i) => html`<a key=${id} href=${`/points${query({ asset: id })}`} data-row-link=${i === 0 ? '' : undefined}>${h(Named, { of: assetOf(id)?.name ?? { zh: id, en: id } })}</a>`)}
    ${!all && html`<button type="button" class="bare more-assets" onClick=${() => setAll(true)}>${t('buses.more-assets', { n: number(assets.length - ASSETS, 0) })}</button>`}`;
}

/** @param {{ device: Device, word: DeviceWord, old: boolean }} p */
function Row({ device, word, old }) {
  const { last_good_at: good, consecutive_failures: failures } = device;
  const hatched = old && 'hatched';
  return html`<tr role="row" data-row>
    <td role="cell" class=${cls('c-badge', hatched)} data-live>${h(Badge, { word, text: t(`buses.device-${word}`), ...(word === 'silent' ? { title: t('buses.silent-why') } : {}) })}</td>
    <th role="rowheader" scope="row" class="c-device mono">${device.id}</th>
    <td role="cell" class="c-assets">${h(Assets, { device })}</td>
    <td role="cell" class="c-unit num"><span class="cell-label">${t('buses.unit')}</span>${device.unit}</td>
    <td role="cell" class=${cls('c-good num', hatched)} data-live title=${good === null ? undefined : stamp(good)}><span class="cell-label">${t('buses.last-good')}</span>${good === null ? t('buses.never') : t('point.ago', { age: duration(live.now() - good) })}</td>
    <td role="cell" class=${cls('c-failures num', failures === 0 && 'quiet', hatched)} data-live><span class="cell-label">${t('buses.failures')}</span>${number(failures, 0)}</td>
    <td role="cell" class="c-interval num quiet"><span class="cell-label">${t('buses.interval')}</span>${every(device.interval_ms)}</td>
  </tr>`;
}

/** How often a device is read; below a second a duration would say nothing. @param {number} ms */
function every(ms) {
  return ms < 1_000 ? t('buses.ms', { n: number(ms, 0) }) : duration(ms);
}

/** @param {{ row: BusRow, old: boolean }} p */
function Group({ row, old }) {
  const { bus, word, devices, good } = row;
  return html`<tbody role="rowgroup">
    <tr role="row" class="group"><th role="rowheader" scope="rowgroup" colspan="7"><div class="bus">
      <span class=${cls(old && 'hatched')} data-live>${h(Badge, { word, text: t(`buses.bus-${word}`) })}</span>
      <span class="bus-name">${bus.id}</span><span class="mono quiet bus-link">${bus.link}</span>
      ${word === 'good' && html`<span class=${cls('bus-count', good === devices.length && 'quiet', old && 'hatched')} data-live>${t('buses.answering', { n: number(good, 0), of: number(devices.length, 0) })}</span>`}
    </div></th></tr>
    ${devices.map((one) => h(Row, { key: one.device.id, device: one.device, word: one.word, old }))}
  </tbody>`;
}

/** @param {{ rows: BusRow[], old: boolean }} p */
function Table({ rows, old }) {
  return html`<table role="table" class="table buses-table">
    <caption class="unseen">${t('buses.caption')}</caption>
    <thead role="rowgroup"><tr role="row">
      <th role="columnheader" scope="col">${t('buses.state')}</th>
      <th role="columnheader" scope="col">${t('buses.device')}</th>
      <th role="columnheader" scope="col">${t('points.asset')}</th>
      <th role="columnheader" scope="col" class="num">${t('buses.unit')}</th>
      <th role="columnheader" scope="col" class="num">${t('buses.last-good')}</th>
      <th role="columnheader" scope="col" class="num">${t('buses.failures')}</th>
      <th role="columnheader" scope="col" class="num">${t('buses.interval')}</th>
    </tr></thead>
    ${rows.map((row) => h(Group, { key: row.bus.id, row, old }))}
  </table>`;
}

/** @param {{ reply: BrokersReply, old: boolean }} p */
function Listened({ reply, old }) {
  if (reply.items.length === 0) return null;
  return html`<h2 class="apart">${t('brokers.brokers')}</h2>
    <div class="panel">${h(BrokerTable, { brokers: reply.items, old })}</div>`;
}

/** The screen. */
export function Buses() {
  const buses = useAgain('/buses', ASK_MS);
  const brokers = useAgain('/brokers', ASK_MS);
  const reply = /** @type {BusesReply | null} */ (buses.reply);
  const heard = /** @type {BrokersReply | null} */ (brokers.reply);
  const nothing = reply?.items.length === 0 && heard?.items.length === 0;
  return html`
    <nav class="crumbs" aria-label=${t('point.crumbs')}><a href="/status">${t('nav.gateway')}</a></nav>
    <div class="screen-head"><h1>${t('nav.buses')}</h1>${reply && html`<p class="quiet num">${t('buses.as-of', { time: clock(reply.now) })}</p>`}</div>
    ${buses.error && h(Failure, { error: buses.error, retry: buses.reload })}
    ${!reply && buses.loading && h(Loading, { rows: 6 })}
    ${reply && reply.items.length > 0 && html`<div class="panel">${h(Table, { rows: inTrouble(reply.items, reply.now), old: buses.old })}</div>`}
    ${brokers.error && !buses.error && h(Failure, { error: brokers.error, retry: brokers.reload })}
    ${heard && h(Listened, { reply: heard, old: brokers.old })}
    ${nothing && h(Empty, { why: t('buses.none'), action: t('nav.points'), href: '/points' })}
  `;
}
