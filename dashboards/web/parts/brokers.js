// The MQTT brokers in a table, and what became of a message, in words.

import { cls, h, html } from '../lib/ui.js';
import { duration, number, stamp, t } from '../lib/i18n.js';
import { live } from '../lib/live.js';
import { brokersInTrouble, fateWord } from '../lib/brokers.js';
import { Badge } from './badge.js';

/** @typedef {import('../lib/types').Broker} Broker */
/** @typedef {import('../lib/types').Fate} Fate */
/** @typedef {import('../lib/brokers.js').BrokerWord} BrokerWord */

/** How long ago, or never. @param {number | null} at */
export function agoOrNever(at) {
  return at === null ? t('brokers.never') : t('point.ago', { age: duration(live.now() - at) });
}

/** @param {{ broker: Broker, word: BrokerWord, old: boolean }} p */
function Row({ broker, word, old }) {
  const hatched = old && 'hatched';
  const { unmapped, last_message_at: last } = broker;
  return html`<tr role="row" data-row>
    <td role="cell" class=${cls('c-badge', hatched)} data-live>${h(Badge, { word, text: t(`brokers.state-${word}`) })}</td>
    <th role="rowheader" scope="row" class="c-name"><a href=${`/brokers/${broker.id}`} data-row-link>${broker.id}</a></th>
    <td role="cell" class="c-link mono quiet">${broker.address}</td>
    <td role="cell" class=${cls('c-last num', hatched)} data-live title=${last === null ? undefined : stamp(last)}><span class="cell-label">${t('brokers.last-message')}</span>${agoOrNever(last)}</td>
    <td role="cell" class=${cls('c-count num', hatched)} data-live><span class="cell-label">${t('brokers.messages')}</span>${number(broker.messages, 0)}</td>
    <td role="cell" class=${cls('c-unmapped num', unmapped.length === 0 && 'quiet', hatched)} data-live><span class="cell-label">${t('brokers.unmapped')}</span>${number(unmapped.length, 0)}</td>
  </tr>`;
}

/** @param {{ brokers: Broker[], old: boolean }} p */
export function BrokerTable({ brokers, old }) {
  return html`<table role="table" class="table brokers-table">
    <caption class="unseen">${t('brokers.caption')}</caption>
    <thead role="rowgroup"><tr role="row">
      <th role="columnheader" scope="col">${t('buses.state')}</th>
      <th role="columnheader" scope="col">${t('brokers.broker')}</th>
      <th role="columnheader" scope="col">${t('brokers.address')}</th>
      <th role="columnheader" scope="col" class="num">${t('brokers.last-message')}</th>
      <th role="columnheader" scope="col" class="num">${t('brokers.messages')}</th>
      <th role="columnheader" scope="col" class="num">${t('brokers.unmapped')}</th>
    </tr></thead>
    <tbody role="rowgroup">${brokersInTrouble(brokers).map(({ broker, word }) => h(Row, { key: broker.id, broker, word, old }))}</tbody>
  </table>`;
}

/** What became of a message. @param {Fate} fate */
function fateText(fate) {
  if (fate.kind === 'taken') {
    const n = number(fate.samples, 0);
    return fate.failed > 0 ? t('fate.failed', { n: number(fate.failed, 0), of: n }) : t('fate.taken', { n });
  }
  if (fate.kind === 'unmapped') return fate.address === null ? t('fate.no-pattern') : t('fate.no-point', { address: fate.address });
  return t(`fate.${fate.kind}`);
}

/** @param {{ fate: Fate }} p */
export function FateBadge({ fate }) {
  return h(Badge, { word: fateWord(fate), text: fateText(fate) });
}

/** The reason the server gives, in its own words. @param {{ fate: Fate }} p */
export function FateWhy({ fate }) {
  const why = fate.kind === 'taken' || fate.kind === 'unmapped' ? fate.why : null;
  return why === null ? null : html`<p class="quiet" lang="en">${why}</p>`;
}
