// Every part in every state, for eyes and for tests. Nothing here comes from the plant, but for the
// last section, which follows as many points as `?cells=` asks for.

import { cls, h, html, useRef } from '../lib/ui.js';
import { loadStyles } from '../lib/more.js';
import { loadWords, number, t } from '../lib/i18n.js';
import { query, useGet } from '../lib/api.js';
import { place } from '../lib/nav.js';
import { Chip, Empty, Grade, useSubscription } from '../parts/basics.js';
import { Badge } from '../parts/badge.js';
import { Bullet } from '../parts/bullet.js';
import { Sparkline } from '../parts/sparkline.js';
import { Tile, TileFrame, TileValue } from '../parts/tile.js';

/** @typedef {import('../parts/tile.js').TilePoint} TilePoint */
/** @typedef {import('../parts/tile.js').Shown} Shown */
/** @typedef {import('../parts/tile.js').TileAlarm} TileAlarm */
/** @typedef {import('../parts/sparkline.js').Step} Step */

await Promise.all([loadWords('parts'), loadStyles(['css/making.css', 'css/instruments.css'])]);

const CELLS_MAX = 300;
/** Steps of a sparkline: a quarter of an hour each. */
const DAY = 96;
const PRIORITIES = [1, 2, 3, 4];
/** ISA-18.2 letters a chip tells apart: unacknowledged, acknowledged, returned, shelved, suppressed, latched. */
const LETTERS = ['B', 'C', 'D', 'E', 'F', 'L'];
const GROUNDS = ['canvas', 'surface', 'raised', 'sunken', 'line', 'line-control', 'text-2', 'text', 'accent', 'normal', 'running', 'stopped'];

// ---- samples

/** @param {string} word of the catalogue @param {Partial<TilePoint>} [over] @returns {TilePoint} */
function sample(word, over) {
  const name = t(`gallery.${word}`);
  return { address: `gallery/${word}`, name: { zh: name, en: name }, symbol: '\u2103', decimals: 1, states: [], stale_after_ms: 15_000, normal: [18, 26], range: [-10, 60], ...over };
}

/** @param {string} off @param {string} on */
function states(off, on) {
  return [off, on].map((word, value) => ({ value, name: { zh: t(`gallery.${word}`), en: t(`gallery.${word}`) } }));
}

/** @param {import('../lib/types').Scalar} v @param {Partial<Shown>} [over] @returns {Shown} */
function value(v, over) {
  return { kind: 'value', doubt: null, stale: false, age: '', cell: { v, q: 0, r: null, at: 0 }, ...over };
}

const WAITING = /** @type {Shown} */ ({ kind: 'waiting', doubt: null, stale: false, age: '', cell: null });

/** A calm day around a middle; the same at every look. @param {number} middle @param {number} swing @returns {Step[]} */
function day(middle, swing) {
  return Array.from({ length: DAY }, (_, i) => {
    const mean = middle + swing * Math.sin(i / 9) + swing * 0.2 * Math.sin(i * 1.7);
    return [mean - swing * 0.25, mean, mean + swing * 0.25];
  });
}

const spike = () => day(22, 0.4).map((step, i) => (i === 60 && Array.isArray(step) ? /** @type {Step} */ ([step[0], step[1], 30]) : step));
const gaps = () => day(22, 1).map((step, i) => ((i > 20 && i < 34) || (i > 60 && i < 64) || i === 80 || i === 82 ? null : step));

/**
 * @param {object} p
 * @param {TilePoint} p.point
 * @param {Shown} p.shown
 * @param {Step[] | null} [p.spark]
 * @param {TileAlarm} [p.alarm]
 */
function Sample({ point, shown, spark, alarm }) {
  return h(TileFrame, { point, spark, value: h(TileValue, { point, shown }), chip: alarm && h(Chip, alarm) });
}

/** @param {{ id: string, title: string, children?: any }} p */
function Section({ id, title, children }) {
  return html`<section class="gallery-part" id=${`gallery-${id}`}><h2>${title}</h2>${children}</section>`;
}

/** @param {{ children?: any }} p */
const Tiles = ({ children }) => html`<div class="tiles">${children}</div>`;

// ---- tiles

const power = () => sample('power', { symbol: 'kW', normal: [0, 800], range: null });
const pressure = () => sample('pressure', { symbol: 'kPa', decimals: 0, normal: [380, 520], range: [0, 1_000] });

function Normal() {
  return h(Section, { id: 'normal', title: t('gallery.normal') }, h(Tiles, {},
    h(Sample, { point: sample('temperature'), shown: value(22.4), spark: day(22, 1) }),
    h(Sample, { point: power(), shown: value(412.7), spark: day(420, 90) }),
    h(Sample, { point: pressure(), shown: value(452), spark: day(450, 6) }),
    h(Sample, { point: sample('level', { symbol: '%', normal: null, range: [0, 100] }), shown: value(63.2), spark: day(60, 4) }),
    h(Sample, { point: sample('pump', { symbol: '', normal: null, range: null, states: states('off', 'on') }), shown: value(1) }),
  ));
}

function Quality() {
  const old = { stale: true, doubt: 'stale', age: t('age.min', { n: 4 }) };
  return h(Section, { id: 'quality', title: t('gallery.quality') }, h(Tiles, {},
    h(Sample, { point: sample('temperature'), shown: WAITING, spark: null }),
    h(Sample, { point: sample('temperature'), shown: value(22.4), spark: day(22, 1) }),
    h(Sample, { point: sample('temperature'), shown: value(22.4, old), spark: day(22, 1) }),
    h(Sample, { point: sample('temperature'), shown: value(22.4, { stale: true, doubt: 'link', age: t('age.s', { n: 12 }) }), spark: day(22, 1) }),
    h(Sample, { point: sample('temperature'), shown: value(null, { kind: 'bad', doubt: 'timeout' }), spark: gaps() }),
    h(Sample, { point: sample('temperature'), shown: value(null, { kind: 'bad', doubt: 'no_communication', stale: true, age: t('age.h', { n: 7 }) }), spark: gaps() }),
    h(Sample, { point: sample('temperature'), shown: value(61.3, { doubt: 'out_of_range' }), spark: spike() }),
    h(Sample, { point: sample('temperature'), shown: value(22.4, { doubt: 'frozen' }), spark: day(22, 0) }),
    h(Sample, { point: sample('temperature'), shown: value(21, { doubt: 'substituted' }), spark: day(22, 1) }),
  ));
}

function Band() {
  return h(Section, { id: 'band', title: t('gallery.band') }, h(Tiles, {},
    h(Sample, { point: sample('temperature'), shown: value(16.9), spark: day(19, 2) }),
    h(Sample, { point: sample('temperature'), shown: value(27.1), spark: day(25, 2) }),
    h(Sample, { point: power(), shown: value(1_840), spark: day(900, 700) }),
    h(Sample, { point: pressure(), shown: value(12), spark: spike() }),
  ));
}

function States() {
  const flag = (/** @type {string} */ word, /** @type {string} */ off, /** @type {string} */ on) => sample(word, { symbol: '', decimals: 0, normal: null, range: null, states: states(off, on) });
  return h(Section, { id: 'states', title: t('gallery.states') }, h(Tiles, {},
    ...[0, 1].map((v) => h(Sample, { point: flag('pump', 'off', 'on'), shown: value(v) })),
    ...[0, 1].map((v) => h(Sample, { point: flag('valve', 'shut', 'open'), shown: value(v) })),
    h(Sample, { point: flag('valve', 'shut', 'open'), shown: value(7) }),
    h(Sample, { point: flag('pump', 'off', 'on'), shown: value(1, { stale: true, doubt: 'stale', age: t('age.min', { n: 4 }) }) }),
    h(Sample, { point: sample('model', { symbol: '', normal: null, range: null }), shown: value('DDC-4000 V2.3.1') }),
    h(Sample, { point: sample('model', { symbol: '', normal: null, range: null }), shown: value(true) }),
  ));
}

function History() {
  return h(Section, { id: 'history', title: t('gallery.history') }, h(Tiles, {},
    h(Sample, { point: sample('temperature'), shown: value(22.4), spark: [] }),
    h(Sample, { point: sample('temperature'), shown: value(22.4), spark: null }),
    h(Sample, { point: sample('temperature'), shown: value(22.4), spark: gaps() }),
    h(Sample, { point: sample('temperature'), shown: value(22.4), spark: spike() }),
    h(Sample, { point: sample('temperature', { normal: null, range: null }), shown: value(22.4), spark: day(22, 1) }),
    h(Sample, { point: sample('temperature', { normal: null, range: null }), shown: value(22.4) }),
  ));
}

function Long() {
  return h(Section, { id: 'long', title: t('gallery.long') }, h(Tiles, {},
    h(Sample, { point: sample('long-name', { symbol: 'Pa', normal: [-25, -10] }), shown: value(-15.2), spark: day(-15, 3), alarm: { priority: 2, state: 'B' } }),
    h(Sample, { point: sample('long-word'), shown: value(118.4, { doubt: 'out_of_range', stale: true, age: t('age.hm', { h: 3, m: 20 }) }), spark: day(22, 1), alarm: { priority: 1, state: 'C' } }),
    h(Sample, { point: sample('energy', { symbol: 'kWh', decimals: 2, normal: null, range: null }), shown: value(123_456_789.25), spark: day(5, 1) }),
    h(Sample, { point: sample('flow', { symbol: 'm\u00b3/h', decimals: 3, normal: [-20, 20], range: null }), shown: value(-12.345), spark: day(0, 15) }),
  ));
}

function Alarms() {
  return h(Section, { id: 'alarms', title: t('gallery.alarms') }, h(Tiles, {},
    ...PRIORITIES.map((priority) => h(Sample, { point: pressure(), shown: value(340), spark: day(420, 60), alarm: { priority, state: 'B' } })),
    ...PRIORITIES.map((priority) => h(Sample, { point: pressure(), shown: value(340), spark: day(420, 60), alarm: { priority, state: 'C' } })),
    ...PRIORITIES.map((priority) => h(Sample, { point: pressure(), shown: value(430), spark: day(420, 60), alarm: { priority, state: 'D' } })),
  ));
}

// ---- smaller parts

function Chips() {
  return h(Section, { id: 'chips', title: t('gallery.chips') }, html`<dl class="gallery-rows panel pad">${LETTERS.map((state) =>
    html`<div key=${state}><dt>${t(`alarm-state.${state}`)}</dt><dd class="gallery-line">${PRIORITIES.map((priority) =>
      html`${h(Chip, { priority, state })}${state === 'B' && h(Chip, { priority, state, count: 128 })}`)}</dd></div>`)}</dl>`);
}

function Bars() {
  const bars = /** @type {const} */ ([['waiting', null, [18, 26]], ['within', 22, [18, 26]], ['below', 16, [18, 26]], ['above', 28, [18, 26]], ['far', 400, [18, 26]], ['range', 22, null]]);
  return h(Section, { id: 'bullets', title: t('gallery.bullets') }, html`<dl class="gallery-rows panel pad">${bars.map(([word, v, normal]) =>
    html`<div key=${word}><dt>${t(`gallery.is-${word}`)}</dt><dd>${h(Bullet, { value: v, normal: normal ? [...normal] : null, range: [-10, 60] })}</dd></div>`)}</dl>`);
}

function Sparks() {
  const lines = /** @type {[string, Step[] | null][]} */ ([['band', day(22, 2)], ['flat', day(22, 0)], ['gaps', gaps()], ['spike', spike()], ['none', []], ['waiting', null]]);
  return h(Section, { id: 'sparks', title: t('gallery.sparks') }, html`<dl class="gallery-rows panel pad">${lines.map(([word, values]) =>
    html`<div key=${word}><dt>${t(`gallery.is-${word}`)}</dt><dd>${h(Sparkline, { values, normal: [18, 26] })}</dd></div>`)}</dl>`);
}

function Marks() {
  const words = /** @type {const} */ ([['good', 'good'], ['waiting', 'waiting'], ['late', 'late'], ['failing', 'failing'], ['silent', 'silent'], ['cut', 'disconnected'], ['turn', 'stopped']]);
  return html`
    ${h(Section, { id: 'badges', title: t('gallery.badges') }, html`<p class="gallery-line panel pad">${words.map(([word, state]) => h(Badge, { key: word, word, text: t(`status.is-${state}`) }))}</p>`)}
    ${h(Section, { id: 'grades', title: t('gallery.grades') }, html`<p class="gallery-line panel pad">${PRIORITIES.map((priority) => h(Grade, { key: priority, priority }))}</p>`)}
    ${h(Section, { id: 'controls', title: t('gallery.controls') }, html`<p class="gallery-line panel pad">
      <button type="button">${t('gallery.button')}</button><button type="button" class="primary">${t('gallery.primary')}</button>
      <button type="button" disabled>${t('gallery.disabled')}</button><label class="field"><span class="field-label">${t('gallery.field')}</span><input type="text" value="22.5" /></label></p>`)}
    ${h(Section, { id: 'types', title: t('gallery.types') }, html`<div class="panel pad"><p class="kpi num">2,480.5 <span class="kpi-unit">kW</span></p><p class="figure-2">16/24</p>
      <p>${t('gallery.body')}</p><p class="doubt">${t('gallery.caption')}</p></div>`)}
    ${h(Section, { id: 'colours', title: t('gallery.colours') }, html`<ul class="gallery-colours">${GROUNDS.map((name) => html`<li key=${name}><span class=${cls('gallery-ground', `ground-${name}`)}></span><span class="mono">${name}</span></li>`)}</ul>`)}`;
}

// ---- live

/** @param {{ count: number }} p */
function LiveTiles({ count }) {
  const { data } = useGet(`/points${query({ limit: count })}`);
  const points = /** @type {import('../lib/types').PointPage | null} */ (data)?.items ?? null;
  const sparks = useRef(day(22, 1)).current;
  useSubscription((points ?? []).map((point) => point.address));
  if (points?.length === 0) return h(Empty, { why: t('gallery.none') });
  return h(Section, { id: 'live', title: t('gallery.live', { n: number(points?.length ?? 0, 0) }) },
    html`<div class="tiles">${(points ?? []).map((point) => h(Tile, { key: point.address, point, spark: sparks }))}</div>`);
}

/** The screen. */
export function Gallery() {
  const cells = Math.min(CELLS_MAX, Number(place.value.query.get('cells') ?? 0) || 0);
  return html`
    <div class="screen-head"><h1>${t('gallery.title')}</h1></div>
    <p class="notice">${t('gallery.about')}</p>
    ${cells > 0 ? h(LiveTiles, { count: cells }) : html`
      ${h(Normal, {})}${h(Quality, {})}${h(Band, {})}${h(States, {})}${h(Alarms, {})}${h(History, {})}${h(Long, {})}
      ${h(Chips, {})}<div class="halves">${h(Bars, {})}${h(Sparks, {})}</div>${h(Marks, {})}`}
  `;
}
