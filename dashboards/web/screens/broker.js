// One MQTT broker: whether it speaks, what was heard on which topic, and what became of it.

import { cls, h, html, useState } from '../lib/ui.js';
import { clock, duration, fullStamp, number, stamp, t } from '../lib/i18n.js';
import { query } from '../lib/api.js';
import { useAgain } from '../lib/again.js';
import { go, place, withQuery, useKeys } from '../lib/nav.js';
import { live } from '../lib/live.js';
import { brokerWord, topicsShown, tryHref } from '../lib/brokers.js';
import { Empty, Failure, Icon, Loading } from '../parts/basics.js';
import { Badge } from '../parts/badge.js';
import { FateBadge, FateWhy, agoOrNever } from '../parts/brokers.js';

/** @typedef {import('../lib/types').Broker} Broker */
/** @typedef {import('../lib/types').Brokers} Brokers */
/** @typedef {import('../lib/types').SeenTopic} SeenTopic */
/** @typedef {import('../lib/types').Topics} Topics */
/** @typedef {import('../lib/types').Messages} Messages */
/** @typedef {import('../lib/types').Message} Message */

const ASK_MS = 3_000;
/** Bytes the server shows of a payload that is no text. */
const HEX_BYTES = 64;
/** Rows that are drawn before somebody asks for more. */
const ROWS = 100;

/** @param {{ broker: Broker }} p */
function Facts({ broker }) {
  const word = brokerWord(broker);
  const refused = new Set(broker.refused);
  const rows = [
    [t('buses.state'), h(Badge, { word, text: t(`brokers.state-${word}`) })],
    [broker.connected ? t('brokers.connected-for') : t('brokers.cut-for'), broker.since === null ? t('brokers.never') : html`<span class="num" title=${fullStamp(broker.since)}>${duration(live.now() - broker.since)}</span>`],
    [t('brokers.last-message'), html`<span class="num" title=${broker.last_message_at === null ? undefined : fullStamp(broker.last_message_at)}>${agoOrNever(broker.last_message_at)}</span>`],
    [t('brokers.messages'), html`<span class="num">${number(broker.messages, 0)}</span>`],
    [t('brokers.connections'), html`<span class="num">${number(broker.connections, 0)}</span>`],
    [t('brokers.sessions-lost'), broker.gap === null ? html`<span class="num">${number(broker.sessions_lost, 0)}</span>` : html`<span class="num">${t('brokers.gap', { n: number(broker.sessions_lost, 0), from: stamp(broker.gap.from), to: stamp(broker.gap.to) })}</span>`],
    [t('brokers.silent-after'), html`<span class="num">${duration(broker.silent_after_ms)}</span>`],
    [t('brokers.address'), html`<span class="mono">${broker.address}</span>${broker.tls && ' TLS'}`],
    [t('brokers.client-id'), html`<span class="mono">${broker.client_id}</span>`],
    [t('brokers.topics'), html`<ul>${broker.topics.map((topic) => html`<li key=${topic} class="mono">${topic}</li>`)}</ul>`],
  ];
  if (broker.reason !== null) rows.splice(1, 0, [t('brokers.reason'), html`<span lang="en">${broker.reason}</span>`]);
  if (refused.size > 0) rows.splice(1, 0, [t('brokers.refused'), html`<ul>${[...refused].map((filter) => html`<li key=${filter} class="mono strong">${filter}</li>`)}</ul>`]);
  return html`<dl class="facts facts-wide">${rows.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** @param {{ topic: SeenTopic, chosen: boolean }} p */
function Row({ topic, chosen }) {
  return html`<tr role="row" data-row class=${cls(chosen && 'chosen')}>
    <th role="rowheader" scope="row" class="c-topic mono"><a href=${withQuery({ topic: topic.topic })} data-row-link aria-current=${chosen ? 'true' : undefined}>${topic.topic}</a></th>
    <td role="cell" class="c-badge">${h(FateBadge, { fate: topic.fate })}</td>
    <td role="cell" class="c-count num"><span class="cell-label">${t('brokers.messages')}</span>${number(topic.count, 0)}</td>
    <td role="cell" class="c-last num" title=${stamp(topic.last_at)}><span class="cell-label">${t('brokers.last-message')}</span>${agoOrNever(topic.last_at)}</td>
  </tr>`;
}

/** @param {{ reply: Topics, old: boolean }} p */
function TopicTable({ reply, old }) {
  const wanted = place.value.query;
  const [most, setMost] = useState(ROWS);
  const search = wanted.get('search') ?? '';
  const open = wanted.get('open') === '1';
  const found = topicsShown(reply.items, search, open);
  const chosen = wanted.get('topic');
  const narrow = (/** @type {Record<string, string | null>} */ change) => go(withQuery(change), { replace: true });
  return html`<section class="panel" aria-label=${t('brokers.seen')}>
    <div class="section-head pad"><h2>${t('brokers.seen')}</h2>
      <form class="filter" role="search" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
        <label class="field field-search"><span class="unseen">${t('brokers.search')}</span>${h(Icon, { name: 'search' })}
          <input type="search" data-search placeholder=${t('brokers.search')} value=${search} maxlength="200" onInput=${(/** @type {any} */ event) => narrow({ search: event.target.value })} /></label>
        <button type="button" class="choice" aria-pressed=${open} onClick=${() => narrow({ open: open ? null : '1' })}>${t('brokers.only-open')}</button>
      </form></div>
    ${found.length === 0 && h(Empty, { why: reply.items.length === 0 ? t('brokers.nothing-heard') : t('brokers.none-found') })}
    ${found.length > 0 && html`<div class=${cls(old && 'hatched')} data-live><table role="table" class="table topics-table">
      <caption class="unseen">${t('brokers.seen-caption')}</caption>
      <thead role="rowgroup"><tr role="row"><th role="columnheader" scope="col">${t('brokers.topic')}</th><th role="columnheader" scope="col">${t('brokers.fate')}</th>
        <th role="columnheader" scope="col" class="num">${t('brokers.messages')}</th><th role="columnheader" scope="col" class="num">${t('brokers.last-message')}</th></tr></thead>
      <tbody role="rowgroup">${found.slice(0, most).map(({ topic }) => h(Row, { key: topic.topic, topic, chosen: topic.topic === chosen }))}</tbody>
    </table></div>`}
    ${found.length > most && html`<div class="pager"><button type="button" onClick=${() => setMost(most + ROWS)}>${t('brokers.more', { n: number(found.length - most, 0) })}</button></div>`}
    ${reply.unlisted > 0 && html`<p class="pad quiet">${t('brokers.unlisted', { n: number(reply.unlisted, 0) })}</p>`}
  </section>`;
}

/** @param {{ broker: string, topic: string, message: Message }} p */
function Heard({ broker, topic, message }) {
  const { text, hex, bytes } = message;
  const cut = text === null ? bytes > HEX_BYTES : new TextEncoder().encode(text).length < bytes;
  return html`<li class="heard">
    <div class="heard-head"><span class="num strong" title=${fullStamp(message.received_at)}>${clock(message.received_at)}</span>
      ${h(FateBadge, { fate: message.fate })}
      <span class="quiet num">${t('brokers.bytes', { n: number(bytes, 0) })} · QoS ${message.qos}</span>
      ${message.retained && html`<span class="tag" title=${t('brokers.retained-why')}>${t('brokers.retained')}</span>`}
      ${!cut && html`<a href=${tryHref({ broker, topic, payload: text ?? hex, hex: text === null })}>${t('brokers.try-message')}</a>`}</div>
    ${h(FateWhy, { fate: message.fate })}
    ${text === '' ? html`<p class="quiet">${t('brokers.empty-payload')}</p>` : html`<div class="payload mono scroll-x" tabindex="0" role="group" aria-label=${t('brokers.payload')} data-written>${text ?? hex}</div>`}
    ${cut && html`<p class="quiet">${t('brokers.payload-cut')}</p>`}
    ${hex !== null && html`<p class="quiet">${t('brokers.no-text')}</p>`}
  </li>`;
}

/** @param {{ broker: string, topic: string }} p */
function Heardings({ broker, topic }) {
  const { reply, error, old, reload } = useAgain(`/brokers/${broker}/messages${query({ topic })}`, ASK_MS);
  const messages = /** @type {Messages | null} */ (reply);
  return html`<section class="panel pad detail" aria-label=${t('brokers.last-messages')}>
    <div class="detail-head"><h2>${t('brokers.last-messages')}</h2>
      <a class="bare-link" href=${withQuery({ topic: null })} aria-label=${t('brokers.back')} title=${t('brokers.back')}>${h(Icon, { name: 'close' })}</a></div>
    <p class="mono topic-name">${topic}</p>
    <p class="topic-do"><a class="choice" href=${tryHref({ broker, topic })}>${t('brokers.try-topic')}</a></p>
    ${error && h(Failure, { error, retry: reload })}
    ${!messages && !error && h(Loading, { rows: 3 })}
    ${messages && messages.items.length === 0 && h(Empty, { why: t('brokers.no-messages') })}
    ${messages && messages.items.length > 0 && html`<ul class=${cls('heards', old && 'hatched')} data-live>${messages.items.map((message, i) => h(Heard, { key: `${message.received_at}/${i}`, broker, topic, message }))}</ul>`}
  </section>`;
}

/** The screen. */
export function BrokerPage() {
  const id = place.value.params.id ?? '';
  const brokers = useAgain('/brokers', ASK_MS);
  const topics = useAgain(`/brokers/${id}/topics`, ASK_MS);
  const all = /** @type {Brokers | null} */ (brokers.reply);
  const heard = /** @type {Topics | null} */ (topics.reply);
  const broker = all?.items.find((one) => one.id === id) ?? null;
  const topic = place.value.query.get('topic');
  useKeys((key) => {
    if (key !== 'Escape') return false;
    go(place.value.query.get('topic') === null ? '/buses' : withQuery({ topic: null }));
    return true;
  });
  const error = brokers.error ?? topics.error;
  return html`
    <nav class="crumbs" aria-label=${t('point.crumbs')}><a href="/status">${t('nav.gateway')}</a><a href="/buses">${t('nav.buses')}</a></nav>
    <div class="screen-head"><h1>${t('brokers.title', { id })}</h1>${all && html`<p class="quiet num">${t('buses.as-of', { time: clock(all.now) })}</p>`}</div>
    ${error && h(Failure, { error, retry: () => { brokers.reload(); topics.reload(); } })}
    ${!broker && !error && h(Loading, { rows: 4 })}
    ${broker && all && html`<section class=${cls('panel pad', brokers.old && 'hatched')} data-live aria-label=${t('brokers.broker')}>${h(Facts, { broker })}</section>`}
    ${heard && html`<div class=${cls('split', topic !== null && 'split-open')}>
      <div class="split-list">${h(TopicTable, { reply: heard, old: topics.old })}</div>
      ${topic !== null && h(Heardings, { key: topic, broker: id, topic })}
    </div>`}
  `;
}
