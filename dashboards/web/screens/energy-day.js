// One day of a meter: its quarter hours, and behind each the register readings it was made from.

import { cls, h, html, useEffect, useState } from '../lib/ui.js';
import { clock, date, minute, money, nameOf, number, offsetMinutes, percent, quantity, scalar, t, weekday } from '../lib/i18n.js';
import { query, useGet } from '../lib/api.js';
import { go, place, pointHref, withQuery, useKeys } from '../lib/nav.js';
import { CELL_MS, completeness, grid, isCivil, isRecounted, shiftDay, total } from '../lib/energy.js';
import { timeTicks } from '../lib/chart.js';
import { live } from '../lib/live.js';
import { Empty, Failure, Icon, Loading, Named, reasonWord } from '../parts/basics.js';
import { useWidth } from '../parts/series.js';
import { Hatch, Legend, MeterPicker, Scale, doubts, roundTop, tone } from '../parts/tariff.js';

/** @typedef {import('../lib/types').Meter} Meter */
/** @typedef {import('../lib/types').Day} Day */
/** @typedef {import('../lib/types').Days} Days */
/** @typedef {import('../lib/types').Cell} Cell */
/** @typedef {import('../lib/types').Readings} Readings */

const HEIGHT = 240;
const LEFT = 64;
const TOP = 34;
const BOTTOM = 30;
const FRESH_MS = 60_000;
const READINGS_MAX = 1_000;

/** @param {Meter} meter @param {Cell} cell */
function className(meter, cell) {
  return nameOf(meter.tariff?.classes.find((one) => one.id === cell.class)?.name);
}

/** @param {Cell} cell @param {number} now */
function qualityOf(cell, now) {
  if (cell.quality === 'missing' && cell.start >= now) return t('energy.not-yet');
  if (cell.end > now) return t('energy.partial');
  return t(`energy.cell-${cell.quality}`);
}

/** @param {{ meter: Meter, cells: Cell[], chosen: number | null, now: number }} p */
function Chart({ meter, cells, chosen, now }) {
  const { ref, width } = useWidth(900);
  const [over, setOver] = useState(/** @type {Cell | null} */ (null));
  const first = cells[0];
  const last = cells[cells.length - 1];
  if (!first || !last) return null;
  const slot = (width - LEFT) / cells.length;
  const top = roundTop(Math.max(0, ...cells.map((cell) => cell.energy ?? 0)));
  const y = (/** @type {number} */ value) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM);
  const x = (/** @type {number} */ at) => LEFT + ((at - first.start) / CELL_MS) * slot;
  const sum = total(cells.map((cell) => cell.energy));
  return html`<figure class="chart" ref=${ref}>
    <svg role="img" aria-label=${t('energy.day-chart', { n: cells.length, sum: sum === null ? '\u2014' : quantity(sum, 2, meter.symbol) })}
      viewBox=${`0 0 ${width} ${HEIGHT}`} width=${width} height=${HEIGHT} onPointerLeave=${() => setOver(null)}>
      ${h(Hatch, { id: 'hatch-cells' })}
      ${h(Scale, { top, left: LEFT, right: width, y, symbol: meter.symbol })}
      ${cells.map((cell) => {
        const left = x(cell.start);
        const wide = Math.max(1, slot - 1);
        const missing = cell.quality === 'missing' && cell.start < now;
        return html`<g key=${cell.start} class=${cls('cell', cell.start === chosen && 'chosen')} onPointerEnter=${() => setOver(cell)} onClick=${() => go(withQuery({ cell: cell.start }))}>
          <rect class="bar-hit" x=${left} y=${TOP} width=${slot} height=${HEIGHT - TOP - BOTTOM} />
          ${cell.energy !== null && html`<rect class=${tone(meter.tariff ? cell.class : null)} x=${left} y=${y(cell.energy)} width=${wide} height=${y(0) - y(cell.energy)} />`}
          ${cell.energy !== null && cell.quality !== 'good' && html`<rect fill="url(#hatch-cells)" x=${left} y=${y(cell.energy)} width=${wide} height=${y(0) - y(cell.energy)} />`}
          ${missing && html`<rect class="missing" x=${left} y=${HEIGHT - BOTTOM - 14} width=${wide} height="14" />`}
        </g>`;
      })}
      ${timeTicks(first.start, last.end, Math.max(3, Math.floor(width / 90)), offsetMinutes(first.start) * 60_000).map((at) => html`<g key=${at} class="grid"><line x1=${x(at)} x2=${x(at)} y1=${HEIGHT - BOTTOM} y2=${HEIGHT - BOTTOM + 5} /><text x=${Math.min(width - 16, x(at))} y=${HEIGHT - 8} text-anchor="middle">${at === last.end ? '24:00' : minute(at)}</text></g>`)}
      <line class="axis" x1=${LEFT} x2=${width} y1=${y(0)} y2=${y(0)} />
    </svg>
    <figcaption class="readout">${over
      ? html`<span class="num">${minute(over.start)} – ${minute(over.end)}</span> ${className(meter, over)} <strong class="num">${over.energy === null ? '\u2014' : quantity(over.energy, 2, meter.symbol)}</strong> ${qualityOf(over, now)}`
      : html`<span class="quiet">${t('energy.open-cell')}</span>`}</figcaption>
  </figure>`;
}

/** @param {{ meter: Meter, cells: Cell[], chosen: number | null, now: number }} p */
function Table({ meter, cells, chosen, now }) {
  return html`<div class="panel scroll-x scroll-y" tabindex="0" role="group" aria-label=${t('energy.cells')}>
    <table class="table">
      <caption>${t('energy.cells-caption', { unit: meter.symbol })}</caption>
      <thead><tr><th scope="col">${t('energy.time')}</th>${meter.tariff && html`<th scope="col">${t('energy.class')}</th>`}<th scope="col" class="num">${meter.symbol}</th><th scope="col">${t('energy.quality')}</th></tr></thead>
      <tbody>${cells.filter((cell) => cell.start < now).map((cell) => html`<tr key=${cell.start} data-row class=${cls(cell.start === chosen && 'chosen')}>
        <th scope="row" class="time"><a href=${withQuery({ cell: cell.start })} data-row-link aria-current=${cell.start === chosen ? 'true' : undefined}>${minute(cell.start)} – ${minute(cell.end)}</a></th>
        ${meter.tariff && html`<td>${className(meter, cell)}</td>`}
        <td class="num">${cell.energy === null ? '\u2014' : number(cell.energy, 2)}</td>
        <td class=${cls(cell.quality === 'good' && 'quiet')}>${qualityOf(cell, now)}</td>
      </tr>`)}</tbody>
      <tfoot><tr><th scope="row">${t('energy.total')}</th>${meter.tariff && html`<td></td>`}<td class="num strong">${number(total(cells.map((cell) => cell.energy)) ?? 0, 2)}</td><td></td></tr></tfoot>
    </table>
  </div>`;
}

/** The register through one quarter hour. @param {{ meter: Meter, cell: Cell, now: number }} p */
function Register({ meter, cell, now }) {
  const span = { from: cell.start, to: cell.end };
  const { data, error, reload } = useGet(`/points/${meter.point}/readings${query({ from: span.from, to: span.to + 1, limit: READINGS_MAX })}`);
  const reply = /** @type {Readings | null} */ (data);
  const list = reply?.readings ?? [];
  const numbers = list.map((one) => one.value).filter((value) => typeof value === 'number');
  const first = numbers[0];
  const last = numbers[numbers.length - 1];
  return html`<section class="panel pad" aria-label=${t('energy.register')}>
    <h2>${t('energy.register-of', { from: minute(cell.start), to: minute(cell.end) })}</h2>
    <dl class="facts">
      <div><dt>${t('energy.cell')}</dt><dd class="num strong">${cell.energy === null ? '\u2014' : quantity(cell.energy, 2, meter.symbol)} · ${qualityOf(cell, now)}</dd></div>
      <div><dt>${t('energy.first')}</dt><dd class="num">${first === undefined ? '\u2014' : quantity(first, 2, meter.symbol)}</dd></div>
      <div><dt>${t('energy.last')}</dt><dd class="num">${last === undefined ? '\u2014' : quantity(last, 2, meter.symbol)}</dd></div>
      <div><dt>${t('energy.readings')}</dt><dd><a href=${`${pointHref(meter.point)}${query(span)}`}>${t('energy.all-readings')}</a></dd></div>
    </dl>
    ${error && h(Failure, { error, retry: reload })}
    ${!reply && !error && h(Loading, { rows: 4 })}
    ${reply && list.length === 0 && h(Empty, { why: t('energy.no-readings') })}
    ${list.length > 0 && html`<div class="scroll-x scroll-y" tabindex="0" role="group" aria-label=${t('energy.readings')}><table class="table">
      <caption class="unseen">${t('energy.readings')}</caption>
      <thead><tr><th scope="col">${t('points.at')}</th><th scope="col" class="num">${meter.symbol}</th><th scope="col">${t('points.quality')}</th></tr></thead>
      <tbody>${list.map((one, i) => html`<tr key=${i}><th scope="row" class="time">${clock(one.at)}</th><td class="num">${scalar(one.value, 2)}</td>
        <td class=${cls(one.quality === 'good' && 'quiet')}>${t(`quality.${one.quality}`)}${one.reason && ` · ${reasonWord(one.reason)}`}</td></tr>`)}</tbody>
    </table></div>`}
  </section>`;
}

/** The day's figures. @param {{ meter: Meter, day: Day, currency: string, now: number }} p */
function Totals({ meter, day, currency, now }) {
  const share = completeness(day, now);
  const good = 1 - share.estimated - share.event - share.missing;
  return html`<div class="figures">
    <div><div class="quiet">${t('energy.day-energy')}</div><div class="kpi num">${day.energy === null ? '\u2014' : number(day.energy, 2)} <span class="kpi-unit">${meter.symbol}</span></div></div>
    ${day.cost !== null && html`<div><div class="quiet">${t('energy.day-cost')}</div><div class="kpi num">${money(day.cost, currency)}</div></div>`}
    ${day.classes.map((one) => {
      const found = meter.tariff?.classes.find((each) => each.id === one.id);
      return found && html`<div key=${one.id}><div class="quiet">${h(Named, { of: found.name })}</div><div class="figure-2 num">${quantity(one.energy, 2, meter.symbol)}</div><div class="quiet num">${money(one.cost, currency)}</div></div>`;
    })}
    <div><div class="quiet">${t('energy.completeness')}</div><div class="kpi num">${percent(Math.max(0, good))}</div><div class="quiet">${doubts(share).join(' · ')}</div></div>
  </div>`;
}

/** @param {{ meter: Meter, day: Day, currency: string, recounted: boolean }} p */
function DayOf({ meter, day, currency, recounted }) {
  live.second.value;
  const now = live.now();
  const { data, error, reload } = useGet(`/energy/meters/${meter.id}/cells${query({ from: day.start, to: day.end })}`);
  const items = /** @type {Cell[] | undefined} */ (/** @type {any} */ (data)?.items);
  useEffect(() => {
    if (day.end < live.now() && !recounted) return undefined;
    const timer = setInterval(reload, FRESH_MS);
    return () => clearInterval(timer);
  }, [day.end, recounted]);
  const asked = Number(place.value.query.get('cell'));
  const cells = items && grid(day.start, day.end, items);
  const chosen = cells?.find((cell) => cell.start === asked);
  return html`<section class="panel pad">
      ${h(Totals, { meter, day, currency, now })}
      ${h(Legend, { tariff: meter.tariff, symbol: meter.symbol })}
      ${error && h(Failure, { error, retry: reload })}
      ${!cells && !error && h(Loading, { rows: 6 })}
      ${cells && h(Chart, { meter, cells, chosen: chosen?.start ?? null, now })}
      ${recounted && html`<p class="quiet">${t('energy.late')}</p>`}
      <p><a href=${`${pointHref(meter.point)}${query({ from: day.start, to: day.end })}`}>${t('energy.day-readings')}</a></p>
    </section>
    ${cells && html`<div class="day-split">
      ${h(Table, { meter, cells, chosen: chosen?.start ?? null, now })}
      ${chosen ? h(Register, { key: chosen.start, meter, cell: chosen, now }) : html`<div class="panel pad">${h(Empty, { why: t('energy.choose-cell') })}</div>`}
    </div>`}`;
}

/** The screen. */
export function EnergyDay() {
  const { meter: id = '', day = '' } = place.value.params;
  const real = isCivil(day, 'day');
  const meters = useGet('/energy/meters');
  const days = useGet(real ? `/energy/meters/${id}/days${query({ from: day, to: day })}` : null);
  const list = /** @type {Meter[]} */ (/** @type {any} */ (meters.data)?.items ?? []);
  const meter = list.find((one) => one.id === id);
  const reply = /** @type {Days | null} */ (days.data);
  const found = reply?.days.find((one) => one.date === day);
  const error = meters.error ?? days.error;
  const month = `/energy/${id}${query({ month: day.slice(0, 7) })}`;
  const recounted = reply !== null && isRecounted(reply);
  useEffect(() => {
    if (!recounted) return undefined;
    const timer = setInterval(days.reload, FRESH_MS);
    return () => clearInterval(timer);
  }, [recounted]);
  useKeys((key) => {
    if (key !== 'Escape') return false;
    go(place.value.query.get('cell') ? withQuery({ cell: null }) : month);
    return true;
  }, [month]);
  if (!real) return html`<h1>${t('nav.energy')}</h1>${h(Empty, { why: t('energy.no-day', { day }), action: t('energy.all-meters'), href: '/energy' })}`;
  return html`
    <nav class="crumbs" aria-label=${t('point.crumbs')}><a href="/energy">${t('nav.energy')}</a><a href=${month}>${meter ? h(Named, { of: meter.name }) : id} ${day.slice(0, 7)}</a></nav>
    <div class="screen-head"><h1 class="num">${day} ${weekday(day)}</h1><div class="filter">
      ${list.length > 0 && h(MeterPicker, { meters: list, chosen: id, href: (one) => `/energy/${one}/${day}`, go })}
      <div class="span-row" role="group" aria-label=${t('energy.day')}>
        <a class="choice" href=${`/energy/${id}/${shiftDay(day, -1)}`} aria-label=${t('energy.day-before')} title=${t('energy.day-before')}>${h(Icon, { name: 'left' })}</a>
        ${day < date(live.now()) && html`<a class="choice" href=${`/energy/${id}/${shiftDay(day, 1)}`} aria-label=${t('energy.day-after')} title=${t('energy.day-after')}>${h(Icon, { name: 'right' })}</a>`}
      </div></div></div>
    ${error && h(Failure, { error, retry: () => { meters.reload(); days.reload(); } })}
    ${!error && !(meter && found) && (days.loading || meters.loading) && h(Loading, { rows: 8 })}
    ${meter && found && h(DayOf, { key: `${id}/${day}`, meter, day: found, currency: reply?.currency ?? 'CNY', recounted })}
    ${!error && reply && !found && h(Empty, { why: t('energy.no-data-day'), action: t('energy.back-month'), href: month })}
  `;
}
