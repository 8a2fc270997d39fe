// Gateway status: whether the data can be believed. What is wrong stands first; then devices, what is
// forwarded, the history, the clock and the machine.

import { cls, h, html } from '../lib/ui.js';
import { loadStyles } from '../lib/more.js';
import { clock, duration, loadWords, number, percent, stamp, t } from '../lib/i18n.js';
import { useAgain } from '../lib/again.js';
import { live } from '../lib/live.js';
import { amount, devicesInTrouble, loadOf, span, targetsInTrouble, troubles } from '../lib/status.js';
import { Empty, Failure, Icon, Loading } from '../parts/basics.js';
import { Badge } from '../parts/badge.js';
import { Bullet } from '../parts/bullet.js';

/** @typedef {import('../lib/status.js').StatusReply} StatusReply */
/** @typedef {import('../lib/status.js').DeviceRow} DeviceRow */
/** @typedef {import('../lib/status.js').TargetRow} TargetRow */
/** @typedef {import('../lib/status.js').Trouble} Trouble */

await Promise.all([loadWords('parts'), loadStyles(['css/making.css', 'css/instruments.css'])]);

const ASK_MS = 5_000;
const MINUTE = 60_000;
/** The bar of a poll goes on for this much of its period. */
const BEYOND = 1.5;

/** The mark of each state; a target that is refused needs a person. */
const MARKS = /** @type {const} */ ({ good: 'good', waiting: 'waiting', late: 'late', failing: 'failing', silent: 'silent', disconnected: 'cut', stopped: 'turn', held: 'failing' });

/** @param {{ state: keyof typeof MARKS }} p */
function State({ state }) {
  return h(Badge, { word: MARKS[state], text: t(`status.is-${state}`) });
}

/** @param {number} bytes */
function bytesText(bytes) {
  const { value, decimals, unit } = amount(bytes);
  return `${number(value, decimals)}\u00a0${unit}`;
}

/** @param {number} ms */
function spanText(ms) {
  if (ms >= MINUTE) return duration(ms);
  const { value, decimals, unit } = span(ms);
  const n = number(value, decimals);
  return unit === 'ms' ? t('status.ms', { n }) : t('age.s', { n });
}

/** @param {number | null} at */
const agoText = (at) => (at === null ? t('status.never') : t('point.ago', { age: duration(live.now() - at) }));

// ---- what is wrong

/** @param {Trouble} trouble */
function troubleWords(trouble) {
  switch (trouble.what) {
    case 'part': return t('status.wrong-part', { part: trouble.part, why: trouble.why });
    case 'devices': {
      const values = { state: t(`status.is-${trouble.state}`), names: trouble.names.join(', '), more: number(trouble.more, 0) };
      return trouble.more > 0 ? t('status.wrong-many', values) : t('status.wrong-devices', values);
    }
    case 'target': case 'behind': {
      const { target, state, backlog, oldest_ms: oldest } = trouble.row;
      const values = { target, state: t(`status.is-${state}`), rows: number(backlog, 0), age: duration(oldest) };
      return trouble.what === 'target' ? t('status.wrong-target', values) : t('status.wrong-behind', values);
    }
    case 'clock': return t('status.wrong-clock', { age: spanText(trouble.ms) });
    default: return t(`status.wrong-${trouble.what}`, { n: number(trouble.n, 0) });
  }
}

/** @param {{ reply: StatusReply, old: boolean }} p */
function Wrong({ reply, old }) {
  const list = troubles(reply);
  if (list.length === 0) {
    const values = { devices: number(reply.devices.length, 0), targets: number(reply.forward.length, 0) };
    const words = reply.forward.length > 0 ? t('status.well', values) : t('status.well-devices', values);
    return html`<p class=${cls('status-well panel pad', old && 'hatched')} data-live>${h(Icon, { name: 'tick' })}<span>${words}</span></p>`;
  }
  return html`<section class=${cls('status-wrong panel pad', old && 'hatched')} data-live><h2>${t('status.wrong')}</h2>
    <ul>${list.map((trouble, i) => html`<li key=${i}>${h(Icon, { name: 'warn' })}<span>${troubleWords(trouble)}${trouble.what === 'target' && trouble.row.reason && html` <span class="quiet" lang="en">${trouble.row.reason}</span>`}</span></li>`)}</ul></section>`;
}

// ---- figures

/** @param {{ title: string, rows: [string, any][], old: boolean }} p */
function Facts({ title, rows, old }) {
  return html`<section class="panel pad"><h2>${title}</h2><dl class="facts status-facts">${rows.map(([word, value]) =>
    html`<div key=${word}><dt>${word}</dt><dd class=${cls('num', old && 'hatched')} data-live>${value}</dd></div>`)}</dl></section>`;
}

/** @param {{ reply: StatusReply, old: boolean }} p */
function Figures({ reply, old }) {
  const { process, historian, readings, clock: wall } = reply;
  const unsealed = historian.committed - historian.sealed_up_to;
  /** @type {[string, any][]} */
  const history = [
    [t('status.committed'), number(historian.committed, 0)], [t('status.unsealed'), number(unsealed, 0)], [t('status.disk'), bytesText(historian.disk_bytes)],
    [t('status.stored'), number(historian.readings, 0)], [t('status.lost'), number(historian.lost + readings.lost, 0)],
  ];
  if (historian.shed_bytes !== null) history.push([t('status.shed'), bytesText(historian.shed_bytes)]);
  return html`<div class="status-figures">
    ${h(Facts, { title: t('status.gateway'), old, rows: [
      [t('status.cpu'), process.cpu_share === null ? '\u2014' : percent(process.cpu_share)], [t('status.memory'), process.rss_bytes === null ? '\u2014' : bytesText(process.rss_bytes)],
      [t('status.uptime'), duration(reply.uptime_ms)], [t('status.version'), html`<span class="mono">${reply.version} · ${reply.build}</span>`]] })}
    ${h(Facts, { title: t('status.history'), old, rows: history })}
    ${h(Facts, { title: t('status.readings'), old, rows: [
      [t('status.made'), number(readings.made, 0)], [t('status.bad'), number(readings.bad, 0)], [t('status.late-ones'), number(readings.late, 0)],
      [t('status.duplicates'), number(readings.duplicates, 0)], [t('status.spool'), number(readings.spool, 0)]] })}
    ${h(Facts, { title: t('status.clock'), old, rows: [
      [t('status.zone'), wall.zone], [t('status.moved'), `${wall.moved_ms < 0 ? '\u2212' : ''}${spanText(Math.abs(wall.moved_ms))}`], [t('status.steps'), number(wall.steps, 0)]] })}
  </div>`;
}

// ---- devices

/** How long reading takes, against how often it is read. @param {{ row: DeviceRow }} p */
function Poll({ row }) {
  const { poll_p50_ms: p50, poll_p95_ms: p95, interval_ms: period, messages } = row;
  if (messages !== null) return html`<span class="quiet">${t('status.sends', { n: number(messages, 0) })}</span>`;
  if (p50 === null || p95 === null || period === null) return html`<span class="quiet">${t('status.unread')}</span>`;
  return html`<span class=${cls('poll', (loadOf(row) ?? 0) > 1 && 'strong')}>${t('status.poll-of', { p50: spanText(p50), p95: spanText(p95), period: spanText(period) })}</span>
    ${h(Bullet, { value: p95, normal: [0, period], range: [0, period * BEYOND] })}`;
}

/** The part of the points of a device that has a good value. @param {{ of: DeviceRow['quality'] }} p */
function Share({ of: { good, uncertain, bad } }) {
  const all = good + uncertain + bad;
  if (all === 0) return html`<span class="quiet">${t('status.none')}</span>`;
  return html`<span class=${cls(good === all && 'quiet')}>${t('status.quality-of', { good: number(good, 0), all: number(all, 0) })}</span>
    <svg class="share" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true" focusable="false">
      <rect class="share-bad" width="100" height="6" /><rect class="share-uncertain" width=${((good + uncertain) / all) * 100} height="6" /><rect class="share-good" width=${(good / all) * 100} height="6" /></svg>`;
}

/** @param {{ row: DeviceRow, old: boolean }} p */
function Device({ row, old }) {
  const hatched = old && 'hatched';
  const { last_good_at: good, timeouts } = row;
  const href = row.device === null ? `/brokers/${row.bus}` : '/buses';
  return html`<tr role="row" data-row>
    <td role="cell" class=${cls('c-badge', hatched)} data-live>${h(State, { state: row.state })}</td>
    <th role="rowheader" scope="row" class="c-device"><a href=${href} data-row-link>${row.device ?? row.bus}</a></th>
    <td role="cell" class="c-bus quiet">${row.device === null ? 'MQTT' : row.bus}</td>
    <td role="cell" class=${cls('c-poll', hatched)} data-live>${h(Poll, { row })}</td>
    <td role="cell" class=${cls('c-timeouts num', (timeouts ?? 0) === 0 && 'quiet', hatched)} data-live><span class="cell-label">${t('status.timeouts')}</span>${timeouts === null ? '' : number(timeouts, 0)}</td>
    <td role="cell" class=${cls('c-good num', hatched)} data-live title=${good === null ? undefined : stamp(good)}><span class="cell-label">${t('status.last-good')}</span>${agoText(good)}</td>
    <td role="cell" class=${cls('c-share num', hatched)} data-live><span class="cell-label">${t('status.quality')}</span>${h(Share, { of: row.quality })}</td>
  </tr>`;
}

/** @param {{ name: string, caption: string, columns: [string, boolean?][], children?: any }} p */
function Table({ name, caption, columns, children }) {
  return html`<div class="panel"><table role="table" class=${`table ${name}`}><caption class="unseen">${caption}</caption>
    <thead role="rowgroup"><tr role="row">${columns.map(([word, figure]) => html`<th key=${word} role="columnheader" scope="col" class=${figure ? 'num' : undefined}>${word}</th>`)}</tr></thead>
    <tbody role="rowgroup">${children}</tbody></table></div>`;
}

/** @param {{ devices: DeviceRow[], old: boolean }} p */
function Devices({ devices, old }) {
  return html`<div class="section-head status-head"><h2>${t('status.devices')}</h2><a href="/buses">${t('status.see-buses')}</a></div>
    ${devices.length === 0 ? h(Empty, { why: t('status.no-devices') }) : h(Table, {
      name: 'status-table', caption: t('status.devices-caption'),
      columns: [[t('status.state')], [t('status.device')], [t('status.bus')], [t('status.poll')], [t('status.timeouts'), true], [t('status.last-good'), true], [t('status.quality'), true]],
    }, devicesInTrouble(devices).map((row) => h(Device, { key: `${row.bus}/${row.device}`, row, old })))}`;
}

// ---- forwarding

/** @param {{ row: TargetRow, old: boolean }} p */
function Target({ row, old }) {
  const hatched = old && 'hatched';
  const drain = row.backlog === 0 ? t('status.drained') : row.drain_ms === null ? t('status.growing') : duration(row.drain_ms);
  return html`<tr role="row" data-row>
    <td role="cell" class=${cls('c-badge', hatched)} data-live>${h(State, { state: row.state })}</td>
    <th role="rowheader" scope="row" class="c-device">${row.target}<span class="quiet mono c-host">${row.host}</span></th>
    <td role="cell" class=${cls('c-backlog num', hatched)} data-live><span class="cell-label">${t('status.backlog')}</span>${number(row.backlog, 0)}</td>
    <td role="cell" class=${cls('c-oldest num', hatched)} data-live><span class="cell-label">${t('status.oldest')}</span>${row.backlog === 0 ? '\u2014' : duration(row.oldest_ms)}</td>
    <td role="cell" class=${cls('c-drain num', hatched)} data-live><span class="cell-label">${t('status.drain')}</span>${drain}</td>
    <td role="cell" class=${cls('c-sent num quiet', hatched)} data-live><span class="cell-label">${t('status.sent')}</span>${number(row.lines_sent, 0)}</td>
    <td role="cell" class=${cls('c-rejected num', row.lines_rejected === 0 && 'quiet', hatched)} data-live><span class="cell-label">${t('status.rejected')}</span>${number(row.lines_rejected, 0)}</td>
    <td role="cell" class=${cls('c-good num', hatched)} data-live><span class="cell-label">${t('status.success')}</span>${agoText(row.last_success_at)}</td>
  </tr>`;
}

/** @param {{ targets: TargetRow[], old: boolean }} p */
function Forward({ targets, old }) {
  return html`<h2 class="status-head">${t('status.forward')}</h2>
    ${targets.length === 0 ? html`<p class="quiet">${t('status.no-targets')}</p>` : h(Table, {
      name: 'status-table forward-table', caption: t('status.forward-caption'),
      columns: [[t('status.state')], [t('status.target')], [t('status.backlog'), true], [t('status.oldest'), true], [t('status.drain'), true], [t('status.sent'), true], [t('status.rejected'), true], [t('status.success'), true]],
    }, targetsInTrouble(targets).map((row) => h(Target, { key: row.target, row, old })))}`;
}

/** The screen. */
export function Status() {
  const { reply: found, error, loading, reload, old } = useAgain('/status', ASK_MS);
  const reply = /** @type {StatusReply | null} */ (found);
  return html`
    <div class="screen-head"><h1>${t('status.title')}</h1>${reply && html`<p class="quiet num">${t('status.as-of', { time: clock(reply.now) })}</p>`}</div>
    ${error && h(Failure, { error, retry: reload })}
    ${!reply && loading && !error && h(Loading, { rows: 10 })}
    ${reply && html`${h(Wrong, { reply, old })}${h(Figures, { reply, old })}${h(Devices, { devices: reply.devices, old })}${h(Forward, { targets: reply.forward, old })}`}
  `;
}
