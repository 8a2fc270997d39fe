// Overview: a row for each system, a column for each building. Is anything wrong, and where?
//
// What is worst stands first in its cell and names its machine; the numbers beside it keep their
// place, so that an eye that knows the page sees what has moved.

import { cls, h, html, useEffect, useId, useRef, useState } from '../lib/ui.js';
import { clock, duration, nameOf, number, percent, t } from '../lib/i18n.js';
import { go, guide, onKey, place, withQuery, useKeys } from '../lib/nav.js';
import { live } from '../lib/live.js';
import { alarms, alarmsBySystem, assetOf, assets, buildingOf, systemHref, tallies } from '../lib/site.js';
import { shares, stable, useFresh, useSparks } from '../lib/plant.js';
import { Chip, Empty, Failure, Icon, LiveValue, Loading, Mark, Named, digitsOf, useSubscription } from '../parts/basics.js';
import { LivePart } from '../parts/tile.js';
import { Sparkline } from '../parts/sparkline.js';

/** @typedef {import('../lib/types').Overview} OverviewReply */
/** @typedef {import('../lib/types').OverviewRow} OverviewRow */
/** @typedef {import('../lib/types').PlantPoint} PlantPoint */
/** @typedef {import('../lib/types').Alarm} Alarm */
/** @typedef {import('../lib/site.js').Tally} Tally */
/** @typedef {ReturnType<typeof useSparks>} SparkOf */
/** @typedef {{ system: string, cells: OverviewRow[] }} Row */

/** Communication and work orders move slowly; alarms and values come by themselves. */
const REREAD_MS = 30_000;
const NEWEST = 8;
/** With the words for a first visit beside them. */
const NEWEST_GUIDED = 5;
const NEWEST_PHONE = 3;
/** Width of a number with its name and its day, and of what stands before the columns. CSS pixels. */
const SLOT = 116;
const HEAD = 150;
const EDGE = 24;
/** With fewer numbers than this in each, columns would waste the room of what is in one building only. */
const COLUMN_MIN = 2;
/** Below this a row is a card. As in the styles. */
const CARDS = 1024;
/** Alarms told of a cell that is pointed at, and the room below it that they need. CSS pixels. */
const TOLD = 3;
const TOLD_HEIGHT = 170;

/** Rows in the server's order, each with its buildings. @param {OverviewRow[]} items */
function rowsOf(items) {
  /** @type {Map<string, Row>} */
  const rows = new Map();
  for (const item of items) {
    const row = rows.get(item.system) ?? { system: item.system, cells: [] };
    row.cells.push({ ...item, key: item.key.map(stable) });
    rows.set(item.system, row);
  }
  return [...rows.values()];
}

/** Buildings in the order of the tree, what stands outside of all last. @param {OverviewRow[]} items */
function columnsOf(items) {
  const present = new Set(items.map((item) => item.building));
  const order = new Map(assets.value.map((asset, i) => [/** @type {string | null} */ (asset.id), i]));
  return [...present].sort((a, b) => (order.get(a) ?? Infinity) - (order.get(b) ?? Infinity));
}

/** The width of an element, and whether rows are cards. */
function useRoom() {
  const ref = useRef(/** @type {HTMLElement | null} */ (null));
  const [room, setRoom] = useState({ width: 800, cards: window.innerWidth < CARDS });
  useEffect(() => {
    if (!ref.current) return undefined;
    const watch = new ResizeObserver(([entry]) => {
      if (entry) setRoom({ width: entry.contentRect.width, cards: window.innerWidth < CARDS });
    });
    watch.observe(ref.current);
    return () => watch.disconnect();
  }, []);
  return { ref, ...room };
}

/** @param {string | null} building */
function buildingName(building) {
  return building === null ? t('overview.outside') : nameOf(assetOf(building)?.name) || building;
}

// ---- a cell

/** @param {{ point: PlantPoint, twice: boolean, sparkOf: SparkOf }} p */
function Figure({ point, twice, sparkOf }) {
  const machine = assetOf(point.asset);
  const spark = sparkOf(point);
  // The unit says what is measured; only two numbers of one machine need their names.
  return html`<div class="figure" title=${`${nameOf(machine?.name)} · ${nameOf(point.name)}`}>
    <span class="figure-label">${h(Named, { of: machine?.name ?? point.name })}${machine && twice && html` · ${h(Named, { of: point.name })}`}
      ${machine && !twice && html`<span class="unseen"> ${h(Named, { of: point.name })}</span>`}</span>
    ${h(LivePart, { point })}
    ${spark !== undefined && h(Sparkline, { values: spark, normal: point.normal })}
  </div>`;
}

/** @param {{ tally: Tally, point: PlantPoint | undefined }} p */
function Trouble({ tally: { worst, open }, point }) {
  const decimals = point?.decimals ?? digitsOf(worst, live.cell(worst.point).value?.v ?? null);
  return html`<div class="figure trouble">
    ${h(Mark, { priority: worst.priority, state: worst.state, count: open })}
    <span class="trouble-value num" data-live>${h(LiveValue, { address: worst.point, symbol: worst.symbol, decimals, states: worst.value_states, staleAfter: point?.stale_after_ms ?? Infinity })}</span>
    <span class="figure-label">${h(Named, { of: worst.asset_name })}</span>
  </div>`;
}

/** The numbers of a cell: what is in trouble takes the first place, and is not said twice. @param {OverviewRow} cell @param {Tally | undefined} tally @param {number} slots */
function shownOf(cell, tally, slots) {
  return cell.key.filter((point) => point.address !== tally?.worst.point).slice(0, tally ? slots - 1 : slots);
}

/** The newest alarms of a cell with time and state: what came is known before the page is left. @param {{ id: string, cell: OverviewRow, above: boolean }} p */
function CellAlarms({ id, cell, above }) {
  live.second.value; // ages move
  const own = (alarms.value.items ?? []).filter(({ asset }) => assetOf(asset)?.system === cell.system && buildingOf(asset) === cell.building);
  const newest = own.sort((a, b) => b.raised_at - a.raised_at).slice(0, TOLD);
  return html`<ol id=${id} class=${cls('cell-alarms', above && 'above')}>${newest.map((alarm) => html`<li key=${alarm.id}>
    <span class="new-head">${h(Chip, { priority: alarm.priority, state: alarm.state })}<span class="num">${clock(alarm.raised_at)} · ${t('point.ago', { age: duration(live.now() - alarm.raised_at) })}</span></span>
    <span>${h(Named, { of: alarm.message })} <span class="quiet">${t(`alarm-state.${alarm.state}`)}</span></span></li>`)}</ol>`;
}

/** Whether a cell is pointed at, and where there is room for what it tells then. @param {boolean} troubled */
function usePointed(troubled) {
  const [pointed, point] = useState(/** @type {'' | 'below' | 'above'} */ (''));
  const on = (/** @type {any} */ event) => {
    if (event.pointerType === 'touch') return; // a finger opens
    const { bottom } = event.currentTarget.getBoundingClientRect();
    point(bottom + TOLD_HEIGHT > window.innerHeight ? 'above' : 'below');
  };
  const off = () => point('');
  useEffect(() => (pointed === '' ? undefined : onKey((key) => {
    if (key === 'Escape') off();
    return key === 'Escape';
  })), [pointed]);
  return { pointed: troubled ? pointed : '', on, off };
}

/** @param {{ cell: OverviewRow, tally: Tally | undefined, slots: number, sparkOf: SparkOf }} p */
function Cell({ cell, tally, slots, sparkOf }) {
  const { pointed, on, off } = usePointed(tally !== undefined);
  const told = useId();
  const shown = shownOf(cell, tally, slots);
  const where = buildingName(cell.building);
  const href = `${systemHref(cell.system)}${cell.building ? `?building=${cell.building}` : ''}`;
  // The style goes through the object model: the page's policy refuses it as an attribute.
  return h('div', { class: 'cell', style: { flexGrow: slots }, onPointerEnter: on, onPointerLeave: off }, html`
    <a class="cell-link" href=${href} aria-label=${t('overview.open', { system: t(`system.${cell.system}`), building: where })} aria-describedby=${pointed ? told : undefined} onFocus=${on} onBlur=${off}></a>
    ${pointed && h(CellAlarms, { id: told, cell, above: pointed === 'above' })}
    <span class="cell-building" title=${where}>${cell.building === null ? where : h(Named, { of: assetOf(cell.building)?.name })}</span>
    <div class="cell-body">
      ${tally && h(Trouble, { tally, point: cell.key.find((point) => point.address === tally.worst.point) })}
      ${shown.map((point) => h(Figure, { key: point.address, point, twice: shown.filter((one) => one.asset === point.asset).length > 1, sparkOf }))}
      ${!tally && shown.length === 0 && html`<span class="figure quiet">${t('overview.points', { n: number(cell.points, 0) })}</span>`}
    </div>`);
}

/** Name, communication and orders of a system. @param {{ row: Row, tally: Tally | undefined }} p */
function RowHead({ row, tally }) {
  const good = row.cells.reduce((sum, cell) => sum + cell.comms.good, 0);
  const total = row.cells.reduce((sum, cell) => sum + cell.comms.total, 0);
  const orders = row.cells.reduce((sum, cell) => sum + cell.work_orders_open, 0);
  return html`<th role="rowheader" scope="row" class="row-head">
    <a href=${systemHref(row.system)} data-row-link>${t(`system.${row.system}`)}</a>
    ${tally && h(Chip, { priority: tally.worst.priority, state: tally.worst.state, count: tally.open })}
    <span class="row-facts">${total > 0 && html`<span class=${cls(good === total ? 'quiet' : 'strong')} title=${t('overview.comms-of', { good: number(good, 0), total: number(total, 0) })}>${t('overview.comms', { share: percent(good / total) })}</span>`}
    ${orders > 0 && html`<a class="orders-open" href="/work-orders">${t('overview.orders', { n: number(orders, 0) })}</a>`}</span>
  </th>`;
}

/**
 * How the cells lie: in columns where each has room for two numbers, in a row of their own where not,
 * below each other as cards.
 * @param {Row} row
 * @param {(string | null)[]} columns
 * @param {number} width
 * @param {boolean} cards
 * @param {(cell: OverviewRow) => Tally | undefined} tallyOf
 */
function placesOf(row, columns, width, cards, tallyOf) {
  const across = Math.max(1, Math.floor((width - (cards ? EDGE : HEAD)) / SLOT));
  const each = Math.floor(across / Math.max(1, columns.length));
  const slots = cards ? row.cells.map(() => across) : each >= COLUMN_MIN ? row.cells.map(() => each) : shares(row.cells.map((cell) => cell.key.length + (tallyOf(cell) ? 1 : 0)), across);
  return row.cells.map((cell, i) => ({ cell, slots: slots[i] ?? 1 }));
}

/** @param {{ items: OverviewRow[] }} p */
function Matrix({ items }) {
  const { ref, width, cards } = useRoom();
  const columns = columnsOf(items);
  const bySystem = alarmsBySystem.value;
  const byCell = tallies((id) => `${assetOf(id)?.system} ${buildingOf(id)}`);
  for (const { worst } of byCell.values()) digitsOf(worst, null);
  const tallyOf = (/** @type {OverviewRow} */ cell) => byCell.get(`${cell.system} ${cell.building}`);
  const flowing = !cards && (width - HEAD) / Math.max(1, columns.length) < COLUMN_MIN * SLOT;
  const rows = rowsOf(items).map((row) => ({ row, places: placesOf(row, columns, width, cards, tallyOf) }));
  const points = rows.flatMap(({ places }) => places.flatMap(({ cell, slots }) => shownOf(cell, tallyOf(cell), slots)));
  useSubscription([...new Set([...points.map((point) => point.address), ...[...byCell.values()].map(({ worst }) => worst.point)])]);
  const sparkOf = useSparks(points);
  const place = (/** @type {{ cell: OverviewRow, slots: number }} */ { cell, slots }) => h(Cell, { key: cell.building, cell, tally: tallyOf(cell), slots, sparkOf });
  return html`<div class="panel plant-panel" ref=${ref}><table role="table" class=${cls('plant-table', flowing && 'flowing')}>
    <caption class="unseen">${t('overview.caption')}</caption>
    <thead role="rowgroup"><tr role="row"><th role="columnheader" scope="col" class="row-head"><span class=${cls(flowing && 'unseen')}>${t('overview.system')}</span></th>
      ${flowing ? html`<th role="columnheader" scope="col"><span class="unseen">${t('systems.building')}</span></th>`
        : columns.map((building) => html`<th role="columnheader" scope="col" key=${building}>${building === null ? t('overview.outside') : h(Named, { of: assetOf(building)?.name })}</th>`)}</tr></thead>
    <tbody role="rowgroup">${rows.map(({ row, places }) => html`<tr role="row" key=${row.system} data-row data-system=${row.system}>
      ${h(RowHead, { row, tally: bySystem.get(row.system) })}
      ${flowing ? html`<td role="cell"><div class="cells">${places.map(place)}</div></td>`
        : columns.map((building) => html`<td role="cell" key=${building}>${places.filter(({ cell }) => cell.building === building).map(place)}</td>`)}
    </tr>`)}</tbody>
  </table></div>`;
}

// ---- beside it

/** @param {{ alarm: Alarm }} p */
function NewAlarm({ alarm }) {
  live.second.value; // its age moves
  return html`<li data-row><span class="new-head">${h(Chip, { priority: alarm.priority, state: alarm.state })}
    <span class="num quiet">${duration(live.now() - alarm.raised_at)}</span></span>
    <a href=${`/alarms/${alarm.id}`} data-row-link>${h(Named, { of: alarm.message })}</a></li>`;
}

/** What is raised within a minute is one burst, and of a burst the worst is told first. @param {Alarm} alarm */
function burst(alarm) {
  return Math.floor(alarm.raised_at / 60_000);
}

/** @param {{ most: number }} p */
function Newest({ most }) {
  const { items, error } = alarms.value;
  const newest = [...(items ?? [])].sort((a, b) => burst(b) - burst(a) || a.priority - b.priority || b.raised_at - a.raised_at).slice(0, most);
  return html`<section class="panel newest" aria-labelledby="newest-title">
    <div class="section-head"><h2 id="newest-title">${t('overview.newest')}</h2><a href="/alarms">${t('overview.all-alarms')}</a></div>
    ${items === null && (error ? h(Failure, { error }) : h(Loading, { rows: 4 }))}
    ${items !== null && newest.length === 0 && html`<p class="quiet">${t('alarms.none', { time: clock(live.now()) })}</p>`}
    <ol>${newest.map((alarm) => h(NewAlarm, { key: alarm.id, alarm }))}</ol>
  </section>`;
}

/** What a first look needs to know. */
function Guide() {
  return html`<section class="panel guide" aria-labelledby="guide-title">
    <div class="section-head"><h2 id="guide-title">${t('guide.title')}</h2>
      <button type="button" onClick=${() => { guide.value = 'seen'; }}>${t('guide.close')}</button></div>
    <ul><li>${t('guide.grey')}</li><li>${t('guide.alarm')}</li><li>${t('guide.hatched')}</li></ul>
  </section>`;
}

/** Whether all is well, in one line. @param {{ items: OverviewRow[] }} p */
function Summary({ items }) {
  const all = new Set(items.map((item) => item.system)).size;
  const troubled = alarmsBySystem.value.size;
  if (alarms.value.items === null) return null;
  return html`<p class=${cls('summary', troubled === 0 && 'quiet')}>${troubled === 0 ? t('overview.calm', { n: all }) : t('overview.troubled', { n: troubled, of: all })}</p>`;
}

/** For a screen on the wall: nothing but the plant. */
function wall() {
  const on = place.value.query.has('wall');
  go(withQuery({ wall: on ? null : 1 }), { replace: true });
  if (on) document.exitFullscreen?.().catch(() => {});
  else document.documentElement.requestFullscreen?.().catch(() => {}); // without it the page itself is the wall
}

/** The screen. */
export function Overview() {
  const { data, error, reload } = useFresh('/overview', REREAD_MS, ['work_order.']);
  const items = /** @type {OverviewReply | null} */ (data)?.items ?? null;
  const walled = place.value.query.has('wall');
  useKeys((key) => {
    if (key === 'f') wall();
    else if (key === 'Escape' && place.value.query.has('wall')) wall();
    else return false;
    return true;
  });
  const guided = guide.value === 'open' && !walled;
  const most = window.innerWidth <= 600 ? NEWEST_PHONE : guided ? NEWEST_GUIDED : NEWEST;
  const ready = items !== null && assets.value.length > 0;
  return html`<div class="overview-split">
    <div class="screen-head overview-head"><h1>${t('nav.overview')}</h1>
      <button type="button" class="wall-button" aria-pressed=${walled} onClick=${wall}>${h(Icon, { name: 'wall' })}${walled ? t('overview.wall-off') : t('overview.wall')}</button>
      ${ready && h(Summary, { items })}</div>
    <div class="overview-main">${error && h(Failure, { error, retry: reload })}
      ${!ready && !error && h(Loading, { rows: 8 })}
      ${ready && items.length > 0 && h(Matrix, { items })}
      ${ready && items.length === 0 && h(Empty, { why: t('overview.none'), action: t('nav.points'), href: '/points' })}</div>
    <aside aria-label=${t('overview.newest')}>${guided && h(Guide, {})}${h(Newest, { most })}</aside>
  </div>`;
}
