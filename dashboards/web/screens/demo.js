// The demo: the script of faults, what each should make a person notice, and how far the past is
// filled in. Only where a simulated hospital runs.

import { cls, h, html, useState } from '../lib/ui.js';
import { loadStyles } from '../lib/more.js';
import { date, duration, fullStamp, loadWords, nameOf, number, percent, t } from '../lib/i18n.js';
import { ApiError, post } from '../lib/api.js';
import { useAgain } from '../lib/again.js';
import { live } from '../lib/live.js';
import { equipmentHref } from '../lib/nav.js';
import { assetOf } from '../lib/site.js';
import { TREND_MAX, inOrder, timesOf, trendOf } from '../lib/demo.js';
import { Empty, Failure, Loading, Named, failureWords } from '../parts/basics.js';

/** @typedef {import('../lib/demo.js').DemoReply} DemoReply */
/** @typedef {import('../lib/demo.js').Fault} Fault */

await Promise.all([loadWords('parts'), loadStyles(['css/instruments.css'])]);

const ASK_MS = 2_000;

/** How much of a whole is done; the words beside it say the same. @param {{ share: number }} p */
function Bar({ share }) {
  return html`<svg class="progress" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" focusable="false">
    <rect class="progress-ground" width="100" height="8" /><rect class="progress-done" width=${Math.max(0, Math.min(1, share)) * 100} height="8" /></svg>`;
}

/** @param {{ reply: DemoReply }} p */
function Facts({ reply }) {
  const { share, from, done } = reply.filled;
  const since = from === null ? '…' : date(from);
  return html`<dl class="panel pad demo-facts">
    <div><dt>${t('demo.seed')}</dt><dd class="num mono">${String(reply.seed)}</dd></div>
    <div><dt>${t('demo.speed')}</dt><dd class="num">${t('demo.times', { n: number(reply.speed, Number.isInteger(reply.speed) ? 0 : 1) })}</dd></div>
    <div><dt>${t('demo.genesis')}</dt><dd class="num">${fullStamp(reply.genesis)}</dd></div>
    <div class="demo-fill"><dt>${t('demo.fill')}</dt><dd><span class="num">${done ? t('demo.filled-all', { from: since }) : t('demo.filled', { share: percent(share), from: since })}</span>
      ${h(Bar, { share: done ? 1 : share })}${!done && html`<span class="doubt">${t('demo.filling')}</span>`}</dd></div>
  </dl>`;
}

/** @param {{ fault: Fault, reload: () => void }} p */
function Action({ fault, reload }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {ApiError | null} */ (null));
  const verb = fault.state === 'running' ? 'stop' : 'start';
  const act = async () => {
    setBusy(true);
    setError(null);
    try {
      await post(`/demo/faults/${encodeURIComponent(fault.id)}/${verb}`, {});
      reload();
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      setError(failure);
    }
    setBusy(false);
  };
  return html`<button type="button" disabled=${busy} aria-label=${t(`demo.${verb}-of`, { name: nameOf(fault.name) })} onClick=${act}>${t(`demo.${verb}`)}</button>
    ${error && html`<span class="row-failure" role="alert">${failureWords(error)}</span>`}`;
}

/** What the trend will show, of a fault that shows in so many points. @param {number} of */
function trendWords(of) {
  return of > TREND_MAX ? t('demo.trend-some', { n: TREND_MAX, of }) : t('demo.trend', { n: of });
}

/** @param {{ fault: Fault, old: boolean, reload: () => void }} p */
function Row({ fault, old, reload }) {
  const trend = trendOf(fault);
  const asset = assetOf(fault.asset); // a fault may also befall a line or a device
  const times = timesOf(fault, live.now()).map(({ word, ms }) => t(`demo.${word}`, { age: duration(ms) }));
  return html`<tr role="row" data-row class=${`fault-${fault.state}`}>
    <th role="rowheader" scope="row" class="c-fault"><b>${h(Named, { of: fault.name })}</b>
      ${asset ? html`<a href=${equipmentHref(fault.asset)} data-row-link>${h(Named, { of: asset.name })}</a>` : html`<span class="quiet mono">${fault.asset}</span>`}</th>
    <td role="cell" class="c-notice">${h(Named, { of: fault.notice })}${trend && html` <a class="whole" href=${trend}>${trendWords(fault.points.length)}</a>`}</td>
    <td role="cell" class=${cls('c-state', old && 'hatched')} data-live><span class=${cls('state-word', fault.state === 'running' && 'state-new', fault.state === 'over' && 'state-done')}>${t(`demo.is-${fault.state}`)}</span></td>
    <td role="cell" class=${cls('c-time num', old && 'hatched')} data-live>${times.map((words) => html`<span key=${words}>${words}</span>`)}</td>
    <td role="cell" class="c-do">${h(Action, { fault, reload })}</td>
  </tr>`;
}

/** @param {{ faults: Fault[], old: boolean, reload: () => void }} p */
function Script({ faults, old, reload }) {
  return html`<div class="panel"><table role="table" class="table demo-table">
    <caption class="unseen">${t('demo.caption')}</caption>
    <thead role="rowgroup"><tr role="row">
      ${['fault', 'notice', 'state', 'time', 'do'].map((word) => html`<th key=${word} role="columnheader" scope="col" class=${word === 'time' ? 'num' : undefined}>${t(`demo.${word}`)}</th>`)}
    </tr></thead>
    <tbody role="rowgroup">${inOrder(faults).map((fault) => h(Row, { key: fault.id, fault, old, reload }))}</tbody>
  </table></div>`;
}

/** The screen. */
export function Demo() {
  const { reply: found, error, loading, reload, old } = useAgain('/demo', ASK_MS);
  const reply = /** @type {(DemoReply & { now: number }) | null} */ (found);
  const real = error?.code === 'not_demo' || error?.code === 'not_found';
  return html`
    <div class="screen-head"><h1>${t('demo.title')}</h1></div>
    ${real && h(Empty, { why: t('demo.none'), action: t('demo.to-overview'), href: '/' })}
    ${error && !real && h(Failure, { error, retry: reload })}
    ${!reply && loading && !error && h(Loading, { rows: 8 })}
    ${reply && html`<p class="notice">${t('demo.about')}</p>${h(Facts, { reply })}`}
    ${reply && (reply.faults.length === 0 ? h(Empty, { why: t('demo.no-faults') }) : h(Script, { faults: reply.faults, old, reload }))}
  `;
}
