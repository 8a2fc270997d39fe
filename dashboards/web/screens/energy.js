// Energy: a month of days, stacked by time of use, with money; each bar opens its day.

import { cls, h, html, useEffect, useRef, useState } from '../lib/ui.js';
import { date, money, monthName, nameOf, number, percent, t, weekday } from '../lib/i18n.js';
import { query, useGet } from '../lib/api.js';
import { go, place, withQuery } from '../lib/nav.js';
import { completeness, daysOf, isCivil, isRecounted, shiftMonth, stack, total } from '../lib/energy.js';
import { live } from '../lib/live.js';
import { Empty, Failure, Icon, Loading, Named } from '../parts/basics.js';
import { useWidth } from '../parts/series.js';
import { Hatch, Legend, MeterPicker, Scale, doubts, markOf, roundTop, tone } from '../parts/tariff.js';

/** @typedef {import('../lib/types').Meter} Meter */
/** @typedef {import('../lib/types').Day} Day */
/** @typedef {import('../lib/types').Days} Days */

const HEIGHT = 300;
const LEFT = 64;
const TOP = 34;
const BOTTOM = 44;
/** Narrower than this a bar could not be hit (WCAG 2.5.8); the chart scrolls instead. */
const BAR_MIN = 24;
const FRESH_MS = 60_000;

/** @param {Meter} meter @param {string} day */
function dayHref(meter, day) {
  return `/energy/${meter.id}/${day}`;
}

/** A day in one sentence. @param {Day} day @param {Meter} meter @param {string} currency @param {number} now */
function sentence(day, meter, currency, now) {
  const energy = day.energy === null ? t('energy.no-data') : `${number(day.energy, 2)} ${meter.symbol}`;
  const parts = [`${day.date} ${weekday(day.date)}`, energy];
  if (day.cost !== null) parts.push(money(day.cost, currency));
  for (const { id, energy: share } of stack(day, meter.tariff).reverse()) {
    const found = meter.tariff?.classes.find((one) => one.id === id);
    if (found) parts.push(`${nameOf(found.name)} ${number(share, 2)}`);
  }
  return [...parts, ...doubts(completeness(day, now))].join(' · ');
}

/**
 * @param {object} p
 * @param {Day} p.day
 * @param {Meter} p.meter
 * @param {number} p.x
 * @param {number} p.width
 * @param {(value: number) => number} p.y
 * @param {string} p.words
 * @param {number} p.now
 * @param {(words: string | null) => void} p.point
 */
function Bar({ day, meter, x, width, y, words, now, point }) {
  const share = completeness(day, now);
  const inner = Math.max(6, width - 6);
  const left = x + (width - inner) / 2;
  const all = day.energy ?? 0;
  const doubtful = Math.min(1, share.estimated + share.event);
  const height = y(0) - y(all);
  let below = 0;
  const blocks = stack(day, meter.tariff).map(({ id, energy }) => {
    const bottom = y(below);
    below += energy;
    return { id, top: y(below), tall: bottom - y(below) };
  });
  return html`<a class="bar" href=${dayHref(meter, day.date)} aria-label=${words}
    onPointerEnter=${() => point(words)} onPointerLeave=${() => point(null)} onFocus=${() => point(words)} onBlur=${() => point(null)}>
    <rect class="bar-hit" x=${x} y=${TOP} width=${width} height=${HEIGHT - TOP} />
    ${blocks.map(({ id, top, tall }) => html`<rect key=${id} class=${tone(meter.tariff ? id : null)} x=${left} y=${top} width=${inner} height=${Math.max(0, tall - 1)} />`)}
    ${doubtful > 0 && height > 0 && html`<rect fill="url(#hatch-days)" x=${left} y=${y(all)} width=${inner} height=${Math.max(4, height * doubtful)} />`}
    ${blocks.filter(({ tall }) => tall >= 16 && inner >= 14).map(({ id, top, tall }) => html`<text key=${id} class=${`mark ${tone(id)}`} x=${left + inner / 2} y=${top + tall / 2 + 4} text-anchor="middle">${markOf(meter.tariff, id)}</text>`)}
    ${share.missing > 0 && html`<rect class="missing" x=${left + 0.5} y=${Math.max(TOP, y(all) - Math.max(8, height * share.missing))} width=${inner - 1} height=${Math.min(y(all) - TOP, Math.max(8, height * share.missing)) - 1} />`}
    ${share.partial && html`<line class="partial" x1=${left} x2=${left + inner} y1=${y(all) - 3} y2=${y(all) - 3} />`}
  </a>`;
}

/** @param {{ meter: Meter, days: Day[], month: string, currency: string, now: number }} p */
function Chart({ meter, days, month, currency, now }) {
  const { ref, width: given } = useWidth(900);
  const [words, setWords] = useState(/** @type {string | null} */ (null));
  const all = daysOf(month);
  const width = Math.max(given, LEFT + all.length * BAR_MIN);
  const slot = (width - LEFT) / all.length;
  const top = roundTop(Math.max(0, ...days.map((day) => day.energy ?? 0)));
  const y = (/** @type {number} */ value) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM);
  const today = date(now);
  const scroller = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    // Where it is too wide, the newest day stands at the right edge first.
    scroller.current?.scrollTo(LEFT + slot * (days.length + 1) - given, 0);
  }, [month, width > given]);
  return html`<figure class="chart" ref=${ref}>
    <div class="scroll-x" ref=${scroller} tabindex=${width > given ? 0 : undefined} role="group" aria-label=${t('energy.chart', { month: monthName(month), meter: nameOf(meter.name) })}>
      <svg viewBox=${`0 0 ${width} ${HEIGHT}`} width=${width} height=${HEIGHT}>
        ${h(Hatch, { id: 'hatch-days' })}
        ${h(Scale, { top, left: LEFT, right: width, y, symbol: meter.symbol })}
        ${all.map((day, i) => {
          const found = days.find((one) => one.date === day);
          const weekend = [0, 6].includes(new Date(`${day}T12:00:00Z`).getUTCDay());
          return html`<g key=${day}>
            <text class=${cls('day', weekend && 'weekend', day === today && 'today')} x=${LEFT + slot * (i + 0.5)} y=${HEIGHT - BOTTOM + 18} text-anchor="middle" aria-hidden="true">${i + 1}</text>
            ${day === today && html`<text class="day today" x=${Math.min(width - 30, LEFT + slot * (i + 0.5))} y=${HEIGHT - BOTTOM + 34} text-anchor="middle" aria-hidden="true">${t('energy.today')}</text>`}
            ${found && h(Bar, { day: found, meter, x: LEFT + slot * i, width: slot, y, words: sentence(found, meter, currency, now), now, point: setWords })}
          </g>`;
        })}
        <line class="axis" x1=${LEFT} x2=${width} y1=${y(0)} y2=${y(0)} />
      </svg>
    </div>
    ${width > given && html`<svg class="scale-kept" viewBox=${`0 0 ${LEFT} ${HEIGHT}`} width=${LEFT} height=${HEIGHT} aria-hidden="true">
      <rect class="scale-ground" width=${LEFT} height=${HEIGHT} />${h(Scale, { top, left: LEFT, right: LEFT, y, symbol: meter.symbol })}</svg>`}
    <figcaption class="readout">${words ?? html`<span class="quiet">${t('energy.open-day')}</span>`}</figcaption>
  </figure>`;
}

/** @param {{ meter: Meter, days: Day[], currency: string, now: number }} p */
function Table({ meter, days, currency, now }) {
  const classes = meter.tariff?.classes ?? [];
  const shareOf = (/** @type {Day} */ day, /** @type {string} */ id) => day.classes.find((one) => one.id === id);
  const cell = (/** @type {number | null | undefined} */ value) => (value === null || value === undefined ? '\u2014' : number(value, 2));
  const cost = (/** @type {number | null | undefined} */ value) => (value === null || value === undefined ? '\u2014' : money(value, currency));
  return html`<div class="panel scroll-x" tabindex="0" role="group" aria-label=${t('energy.table')}>
    <table class="table energy-table">
      <caption>${t('energy.table-caption', { meter: nameOf(meter.name), unit: meter.symbol })}</caption>
      <thead><tr><th scope="col">${t('energy.day')}</th>
        ${classes.map((one) => html`<th key=${one.id} scope="col" class="num">${h(Named, { of: one.name })}</th>`)}
        <th scope="col" class="num">${t('energy.sum')}</th>
        ${meter.tariff && html`<th scope="col" class="num">${t('energy.cost')}</th>`}
        <th scope="col">${t('energy.quality')}</th></tr></thead>
      <tbody>${[...days].reverse().map((day) => html`<tr key=${day.date} data-row>
        <th scope="row" class="time"><a href=${dayHref(meter, day.date)} data-row-link>${day.date} ${weekday(day.date)}</a></th>
        ${classes.map((one) => html`<td key=${one.id} class="num">${cell(day.energy === null ? null : shareOf(day, one.id)?.energy)}</td>`)}
        <td class="num strong">${cell(day.energy)}</td>
        ${meter.tariff && html`<td class="num">${cost(day.cost)}</td>`}
        <td>${doubts(completeness(day, now)).join(' · ') || html`<span class="quiet">${t('energy.complete')}</span>`}</td>
      </tr>`)}</tbody>
      <tfoot><tr><th scope="row">${t('energy.total')}</th>
        ${classes.map((one) => html`<td key=${one.id} class="num">${cell(total(days.map((day) => (day.energy === null ? null : shareOf(day, one.id)?.energy))))}</td>`)}
        <td class="num strong">${cell(total(days.map((day) => day.energy)))}</td>
        ${meter.tariff && html`<td class="num strong">${cost(total(days.map((day) => day.cost)))}</td>`}
        <td></td></tr></tfoot>
    </table>
  </div>`;
}

/** The month's figures, and how much of it rests on data. @param {{ meter: Meter, days: Day[], currency: string, now: number }} p */
function Totals({ meter, days, currency, now }) {
  const energy = total(days.map((day) => day.energy));
  const cost = total(days.map((day) => day.cost));
  let due = 0;
  let present = 0;
  for (const day of days) {
    const here = day.good + day.estimated + day.event;
    const elapsed = Math.max(0, Math.min(day.cells, Math.floor((Math.min(now, day.end) - day.start) / 900_000)));
    due += Math.max(elapsed, here);
    present += day.good;
  }
  return html`<div class="figures">
    <div><div class="quiet">${t('energy.month-energy')}</div><div class="kpi num">${energy === null ? '\u2014' : number(energy, 2)} <span class="kpi-unit">${meter.symbol}</span></div></div>
    ${meter.tariff && html`<div><div class="quiet">${t('energy.month-cost')}</div><div class="kpi num">${cost === null ? '\u2014' : money(cost, currency)}</div></div>`}
    <div><div class="quiet">${t('energy.completeness')}</div><div class="kpi num">${due === 0 ? '\u2014' : percent(present / due)}</div></div>
  </div>`;
}

/** @param {{ meter: Meter, meters: Meter[] }} p */
function Month({ meter, meters }) {
  live.second.value;
  const now = live.now();
  const today = date(now);
  const wanted = place.value.query.get('month') ?? '';
  const month = isCivil(wanted, 'month') ? wanted : today.slice(0, 7);
  const all = daysOf(month);
  const last = all[all.length - 1] ?? '';
  const to = last < today ? last : today;
  const future = (all[0] ?? '') > today;
  const { data, error, reload } = useGet(future ? null : `/energy/meters/${meter.id}/days${query({ from: all[0], to })}`);
  const reply = /** @type {Days | null} */ (data);
  useEffect(() => {
    const timer = setInterval(reload, FRESH_MS);
    return () => clearInterval(timer);
  }, []);
  const step = (/** @type {number} */ by) => withQuery({ month: shiftMonth(month, by) });
  return html`
    <div class="screen-head"><h1>${t('nav.energy')}</h1><div class="filter">
      ${h(MeterPicker, { meters, chosen: meter.id, href: (id) => `/energy/${id}${query({ month: wanted })}`, go })}
      <div class="span-row" role="group" aria-label=${t('energy.month')}>
        <a class="choice" href=${step(-1)} aria-label=${t('energy.month-before')} title=${t('energy.month-before')}>${h(Icon, { name: 'left' })}</a>
        <strong class="month-name">${monthName(month)}</strong>
        <a class="choice" href=${step(1)} aria-label=${t('energy.month-after')} title=${t('energy.month-after')}>${h(Icon, { name: 'right' })}</a>
      </div></div></div>
    ${error && h(Failure, { error, retry: reload })}
    ${!reply && !error && !future && h(Loading, { rows: 8 })}
    ${future && h(Empty, { why: t('energy.future'), action: t('energy.this-month'), href: `/energy/${meter.id}` })}
    ${reply && html`
      <section class="panel pad">
        <h2 class="print-only">${h(Named, { of: meter.name })} · ${monthName(month)}</h2>
        ${h(Totals, { meter, days: reply.days, currency: reply.currency, now })}
        ${h(Legend, { tariff: meter.tariff, symbol: meter.symbol })}
        ${h(Chart, { meter, days: reply.days, month, currency: reply.currency, now })}
        ${!meter.tariff && html`<p class="quiet">${t('energy.no-tariff')}</p>`}
        ${isRecounted(reply) && html`<p class="quiet">${t('energy.late')}</p>`}
      </section>
      ${h(Table, { meter, days: reply.days, currency: reply.currency, now })}`}
  `;
}

/** The screen. */
export function Energy() {
  const { data, error, reload } = useGet('/energy/meters');
  const meters = /** @type {Meter[] | undefined} */ (/** @type {any} */ (data)?.items);
  const asked = place.value.params.meter;
  if (error && !meters) return html`<h1>${t('nav.energy')}</h1>${h(Failure, { error, retry: reload })}`;
  if (!meters) return html`<h1>${t('nav.energy')}</h1>${h(Loading, { rows: 6 })}`;
  const meter = asked === undefined ? meters[0] : meters.find((one) => one.id === asked);
  if (meters.length === 0) return html`<h1>${t('nav.energy')}</h1>${h(Empty, { why: t('energy.no-meters') })}`;
  if (!meter) return html`<h1>${t('nav.energy')}</h1>${h(Empty, { why: t('energy.no-meter', { id: asked ?? '' }), action: t('energy.all-meters'), href: '/energy' })}`;
  return h(Month, { key: meter.id, meter, meters });
}
