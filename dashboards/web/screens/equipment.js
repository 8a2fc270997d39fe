// One machine: what it is, its values now and over the last day, its alarms and orders, and its place
// in the tree and in what feeds it.

import { cls, h, html, useEffect, useRef, useState, signal } from '../lib/ui.js';
import { loadStyles } from '../lib/more.js';
import { duration, nameOf, number, stamp, stateOf, stateWords, t, unit } from '../lib/i18n.js';
import { ApiError, revision, useGet } from '../lib/api.js';
import { equipmentHref, go, place, pointHref, useKeys } from '../lib/nav.js';
import { live } from '../lib/live.js';
import { alarms, assetOf, assets, buildingOf, calling, childrenIn, pathOf } from '../lib/site.js';
import { measures, stable, useFresh } from '../lib/plant.js';
import { alike, aroundOf, doubtsOf, leading } from '../lib/machine.js';
import { readSeries } from '../lib/series-api.js';
import { chartsOf, levelsOf, traceOf } from '../lib/trend.js';
import { trendOf } from '../lib/trend-link.js';
import { Chip, Failure, Grade, Icon, Loading, Mark, Named, qualityWords, useJudged, useSubscription } from '../parts/basics.js';
import { Crumbs } from '../parts/crumbs.js';
import { alarmsByAsset, alarmsWithin, FeedTag, fitness, useFeeds } from '../parts/machine.js';
import { LivePart } from '../parts/tile.js';
import { hairsOf, hear, Lanes, useMarks } from '../parts/marks.js';
import { coloursOf, edgesOf, Plot } from '../parts/plot.js';
import { useWidth } from '../parts/series.js';

/** @typedef {import('../lib/types').PlantPoint} PlantPoint */
/** @typedef {import('../lib/types').Point} Point */
/** @typedef {import('../lib/types').Asset} Asset */
/** @typedef {import('../lib/types').Machine} MachineReply */
/** @typedef {import('../lib/types').WorkOrder} WorkOrder */
/** @typedef {import('../lib/series-api.js').Held} Held */

await loadStyles(['vendor/uplot.css', 'css/trend.css']);

const DAY_MS = 86_400_000;
const TREND_EVERY_MS = 60_000;
/** After something happened to an alarm. */
const HEARD_MS = 1_000;
/** Lines of the day at a time; the explorer has room for more. */
const DRAWN_MAX = 4;
/** A point of states takes a chart of its own. */
const STATES_MAX = 1;
const GUTTER = 56;
const LEVEL = 24;
const CHART = 220;
/** Machines of a class that are compared with, itself among them; as many as the explorer takes. */
const SISTERS_MAX = 24;
const CHILDREN_MAX = 40;

// ---- values

/** @param {{ point: PlantPoint }} p */
function ValueRow({ point }) {
  const judged = useJudged(point.address, point.stale_after_ms);
  const { kind, stale, doubt, age } = judged;
  return html`<tr data-row data-quality=${kind === 'bad' ? 'bad' : doubt ? 'uncertain' : 'good'}>
    <th scope="row"><a href=${pointHref(point.address)} data-row-link>${h(Named, { of: point.name })}</a></th>
    <td class="c-now">${h(LivePart, { point })}</td>
    <td class="c-normal quiet num">${point.normal ? t('machine.normal-of', { low: number(point.normal[0], point.decimals), high: number(point.normal[1], point.decimals) }) : ''}</td>
    <td class=${cls('c-quality', kind === 'value' && doubt === null && 'quiet')}>${qualityWords(judged)}</td>
    <td class=${cls('c-age num', stale ? 'strong' : 'quiet')}>${age === null ? '' : duration(age)}</td>
    <td class="c-why"><a href=${pointHref(point.address)} aria-label=${t('machine.why-of', { name: point.address })}>${t('machine.why')}</a></td>
  </tr>`;
}

/** @param {{ points: PlantPoint[] }} p */
function Values({ points }) {
  return html`<section class="panel" aria-labelledby="values-title">
    <div class="section-head panel-head"><h2 id="values-title">${t('machine.values')}</h2>
      <a class="choice" href=${trendOf(points.filter((point) => point.kind !== 'text').slice(0, SISTERS_MAX).map((point) => point.address))}>${h(Icon, { name: 'trend' })}${t('machine.trend-all')}</a></div>
    <div class="scroll-x" tabindex="0" role="region" aria-labelledby="values-title"><table class="table values-table">
      <thead><tr><th scope="col">${t('points.name')}</th><th scope="col">${t('points.value')}</th><th scope="col" class="num">${t('machine.normal')}</th>
        <th scope="col">${t('points.quality')}</th><th scope="col" class="num">${t('points.age')}</th><th scope="col"><span class="unseen">${t('machine.why')}</span></th></tr></thead>
      <tbody>${points.map((point) => h(ValueRow, { key: point.address, point }))}</tbody></table></div>
  </section>`;
}

// ---- the last day

/** As the trend's reckoning knows points. @param {PlantPoint} point @returns {Point} */
function drawable(point) {
  return /** @type {Point} */ (/** @type {unknown} */ ({ ...point, hold_ms: point.stale_after_ms }));
}

/**
 * The last 24 h of some points of an asset, read again every minute, and when something happened to one of
 * its alarms: the mark of it must not wait for its minute.
 * @param {string} asset
 * @param {PlantPoint[]} points
 * @param {number} columns
 */
function useDay(asset, points, columns) {
  const [state, setState] = useState(/** @type {{ of: string, held: Held | null, error: ApiError | null }} */ ({ of: '', held: null, error: null }));
  const key = points.map((point) => point.address).join();
  const fresh = revision.value;
  useEffect(() => {
    if (key === '') return undefined;
    const control = new AbortController();
    /** @type {any} */
    let timer = null;
    let again = false; // something happened while it was read
    const read = async () => {
      timer = null;
      again = false;
      const to = live.now();
      try {
        const held = document.hidden ? null : await readSeries(key.split(','), to - DAY_MS, to, columns, control.signal);
        if (held && !control.signal.aborted) setState({ of: key, held, error: null });
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (!control.signal.aborted) setState((old) => ({ of: key, held: old.of === key ? old.held : null, error }));
      }
      if (!control.signal.aborted) timer = setTimeout(read, again ? HEARD_MS : TREND_EVERY_MS);
    };
    read();
    const deaf = hear(asset, () => {
      again = true;
      if (timer === null) return;
      clearTimeout(timer);
      timer = setTimeout(read, HEARD_MS);
    });
    return () => {
      deaf();
      control.abort();
      clearTimeout(timer);
    };
  }, [key, columns, fresh]);
  return state.of === key ? state : { held: null, error: null };
}

/** @param {{ chart: import('../lib/trend.js').ChartOf, held: Held, width: number, slots: Map<string, number>, right: boolean, marks: import('../parts/marks.js').Marks }} p */
function DayChart({ chart, held, width, slots, right, marks }) {
  const view = useRef(signal({ from: held.from, to: held.to })).current;
  view.value = { from: held.from, to: held.to };
  const first = chart.points[0];
  const levels = chart.stepped && first ? levelsOf(first, held) : null;
  const traces = chart.points.map((point) => traceOf(held, point, 0));
  const shape = {
    lines: chart.points.map((point) => ({ slot: slots.get(point.address) ?? 0, axis: /** @type {0 | 1} */ (Math.max(0, chart.units.indexOf(point.symbol)) === 1 ? 1 : 0), past: '', solid: false })),
    units: chart.stepped ? [''] : chart.units.map(unit),
    levels: levels && first ? levels.map((value) => ({ value, name: levelName(first, value) })) : null,
    gutter: GUTTER, right,
  };
  const height = levels ? 56 + Math.max(2, levels.length) * LEVEL : CHART;
  const colours = coloursOf();
  const edges = edgesOf(shape);
  const plot = h(Plot, {
    shape, traces, size: { width, height }, view, theme: colours.surface + colours.text, made: () => {},
    words: t('machine.chart', { names: chart.points.map((point) => point.address).join(', '), from: stamp(held.from), to: stamp(held.to) }),
    // A hand that wants more of the past is taken where there is more of it.
    move: ({ from, to }, how) => { if (how === 'drag') go(`${trendOf(chart.points.map((point) => point.address))}&from=${from}&to=${to}`); },
  });
  return html`<div class="marked">${plot}<svg class="hairs" width=${width} height=${height} aria-hidden="true" focusable="false">
    ${hairsOf(marks, held, width - edges.left - edges.right).map((at) => html`<line key=${at} class="hair" x1=${edges.left + at} x2=${edges.left + at} y1=${edges.top} y2=${height - edges.bottom} />`)}</svg></div>`;
}

/** @param {Point} point @param {number} value */
function levelName(point, value) {
  const state = stateOf(value, point.states);
  return state ? stateWords(state) : String(value);
}

/** @param {{ id: string, points: PlantPoint[] }} p */
function Day({ id, points }) {
  const { ref, width } = useWidth(800);
  const drawn = [...leading(points.filter(measures), DRAWN_MAX), ...leading(points.filter((point) => !measures(point) && point.kind !== 'text'), STATES_MAX)];
  const { held, error } = useDay(id, drawn, Math.max(100, Math.min(600, Math.round(width / 2))));
  const charts = chartsOf(drawn.map(drawable), alike);
  const slots = new Map(drawn.map((point, i) => [point.address, i]));
  const right = charts.some(({ units }) => units.length > 1);
  const marks = useMarks(id, held?.from ?? null, null);
  if (drawn.length === 0) return null;
  return html`<section class="panel pad" aria-labelledby="day-title">
    <div class="section-head"><h2 id="day-title">${t('machine.day')}</h2>
      <a class="choice" href=${trendOf(drawn.map((point) => point.address))}>${h(Icon, { name: 'trend' })}${t('machine.trend')}</a></div>
    <ul class="legend">${drawn.map((point) => html`<li key=${point.address}><svg class="swatch" viewBox="0 0 22 18" aria-hidden="true"><path class=${`day-line stroke-${((slots.get(point.address) ?? 0) % 6) + 1}`} d="M1 9h20" /></svg>${h(Named, { of: point.name })}</li>`)}</ul>
    <div ref=${ref}>${error && h(Failure, { error })}
      ${!held && !error && h(Loading, { rows: 4 })}
      ${held && !drawn.some((point) => held.tracks.get(point.address)?.last.some((value) => value !== null)) && html`<p class="quiet">${t('tile.no-history')}</p>`}
      ${held && h(Lanes, { marks, view: held, ...edgesOf({ units: [''], gutter: GUTTER, right }), width })}
      ${held && charts.filter((chart) => chart.points.some((point) => held.tracks.get(point.address)?.last.some((value) => value !== null))).map((chart) => h(DayChart, { key: chart.key, chart, held, width, slots, right, marks }))}</div>
  </section>`;
}

// ---- alarms and orders

/** @param {{ id: string }} p */
function Alarms({ id }) {
  live.second.value; // ages move
  const mine = calling((alarms.value.items ?? []).filter((alarm) => alarm.asset === id));
  return html`<section class="panel pad" aria-labelledby="alarms-title"><div class="section-head"><h2 id="alarms-title">${t('nav.alarms')}</h2></div>
    ${mine.length === 0 && html`<p class="quiet">${t('machine.no-alarms')}</p>`}
    <ul class="machine-list">${mine.map((alarm) => html`<li key=${alarm.id}>${h(Chip, { priority: alarm.priority, state: alarm.state })}
      <a href=${`/alarms/${alarm.id}`}>${h(Named, { of: alarm.message })}</a><span class="num quiet">${duration(live.now() - alarm.raised_at)}</span></li>`)}</ul>
  </section>`;
}

/** @param {{ id: string }} p */
function Orders({ id }) {
  const { data, error, reload } = useFresh(`/work-orders?state=open&asset=${id}`, 60_000, ['work_order.']);
  const mine = /** @type {WorkOrder[]} */ (/** @type {any} */ (data)?.items ?? []).filter((order) => order.asset === id);
  return html`<section class="panel pad" aria-labelledby="orders-title"><div class="section-head"><h2 id="orders-title">${t('nav.orders')}</h2></div>
    ${error && h(Failure, { error, retry: reload })}
    ${data && mine.length === 0 && html`<p class="quiet">${t('machine.no-orders')}</p>`}
    <ul class="machine-list">${mine.map((order) => html`<li key=${order.id}>${h(Grade, { priority: order.priority })}
      <a href=${`/work-orders/${order.id}`}>${order.number} · ${h(Named, { of: order.title })}</a><span class="state-word">${t(`order-state.${order.state}`)}</span></li>`)}</ul>
  </section>`;
}

// ---- its place

/** @param {{ id: string }} p */
function AssetLink({ id }) {
  const asset = assetOf(id);
  const tally = alarmsWithin.value.get(id);
  const where = pathOf(id).slice(0, -1).map(({ name }) => nameOf(name)).join(' \u203a ');
  return html`<span class="asset-link"><a href=${equipmentHref(id)} title=${where || undefined}>${asset ? h(Named, { of: asset.name }) : id}</a>
    ${tally && h(Mark, { priority: tally.worst.priority, state: tally.worst.state, count: tally.open })}</span>`;
}

/** @param {{ ids: string[] }} p */
function AssetLinks({ ids }) {
  return html`<span class="asset-links">${ids.slice(0, CHILDREN_MAX).map((id) => h(AssetLink, { key: id, id }))}
    ${ids.length > CHILDREN_MAX && html`<span class="quiet">${t('machine.and-more', { n: number(ids.length - CHILDREN_MAX, 0) })}</span>`}</span>`;
}

/** @param {{ machine: MachineReply }} p */
function Place({ machine }) {
  const { id } = machine;
  const path = pathOf(id).slice(0, -1);
  const children = childrenIn(id).map((asset) => asset.id);
  const siblings = machine.parent === null ? [] : childrenIn(machine.parent).map((asset) => asset.id).filter((other) => other !== id);
  const rows = [
    [t('machine.within'), path.length > 0 && html`<span class="path">${path.map((asset) => html`<span key=${asset.id}><a href=${equipmentHref(asset.id)}>${h(Named, { of: asset.name })}</a></span>`)}</span>`],
    [t('machine.beside'), siblings.length > 0 && h(AssetLinks, { ids: siblings })],
    [t('machine.below'), machine.points.length > 0 && children.length > 0 && h(AssetLinks, { ids: children })],
  ];
  return html`<section class="panel pad" aria-labelledby="place-title"><div class="section-head"><h2 id="place-title">${t('machine.place')}</h2></div>
    <dl class="facts">${rows.filter(([, words]) => words).map(([term, words]) => html`<div key=${term}><dt>${term}</dt><dd>${words}</dd></div>`)}</dl></section>`;
}

/** What is in a place that says nothing itself. @param {{ id: string }} p */
function Within({ id }) {
  const children = childrenIn(id).map((asset) => asset.id);
  return html`<section class="panel pad" aria-labelledby="within-title"><div class="section-head"><h2 id="within-title">${t('machine.below')}</h2></div>
    ${children.length > 0 ? h(AssetLinks, { ids: children }) : html`<p class="quiet">${t('machine.no-points')}</p>`}</section>`;
}

/** What feeds it, how many of these it needs, and what it feeds. @param {{ id: string }} p */
function Supply({ id }) {
  const feeds = useFeeds();
  const { into, out } = aroundOf(feeds, id);
  const doubts = doubtsOf(feeds, id, fitness());
  if (into.length === 0 && out.size === 0) return null;
  return html`<section class="panel pad" aria-labelledby="supply-title"><div class="section-head"><h2 id="supply-title">${t('machine.supply')}</h2></div>
    <dl class="facts">
      ${into.map((feed, i) => html`<div key=${i}><dt>${t('machine.fed-by', { medium: t(`medium.${feed.medium}`) })}</dt><dd>${h(AssetLinks, { ids: feed.from })}
        <span class="quiet needs">${feed.from.length > 1 ? t('machine.needs', { k: number(feed.needs, 0), n: number(feed.from.length, 0) }) : t('machine.needs-one')}</span>
        ${doubts.filter((doubt) => doubt.from === feed.from).map((doubt) => h(FeedTag, { key: doubt.medium, doubt }))}</dd></div>`)}
      ${[...out].map(([medium, ids]) => html`<div key=${medium}><dt>${t('machine.feeds', { medium: t(`medium.${medium}`) })}</dt><dd>${h(AssetLinks, { ids: [...ids] })}</dd></div>`)}
    </dl></section>`;
}

/** The same quantity of every machine of this class. @param {{ machine: MachineReply, points: PlantPoint[] }} p */
function Sisters({ machine, points }) {
  const sisters = assets.value.filter((asset) => asset.class === machine.class && asset.points > 0 && asset.id !== machine.id).slice(0, SISTERS_MAX - 1);
  const compared = leading(points, 3).filter(measures);
  if (sisters.length === 0 || compared.length === 0) return null;
  return html`<section class="panel pad" aria-labelledby="sisters-title"><div class="section-head"><h2 id="sisters-title">${t('machine.sisters')}</h2></div>
    <p class="compare">${compared.map((point) => html`<a key=${point.address} class="choice" href=${trendOf([machine, ...sisters].map((asset) => `${asset.id}/${point.quantity}`))}>
      ${h(Icon, { name: 'trend' })}<span>${t('machine.compare', { n: number(sisters.length + 1, 0) })} · ${h(Named, { of: point.name })}</span></a>`)}</p>
    ${h(AssetLinks, { ids: sisters.map((asset) => asset.id) })}</section>`;
}

/** @param {{ machine: MachineReply }} p */
function Identity({ machine }) {
  const sources = [...new Set(machine.sources.map((source) => source.device ?? source.bus))].filter(Boolean);
  const building = buildingOf(machine.id);
  const rows = [
    [t('machine.id'), html`<span class="mono">${machine.id}</span>`],
    [t('machine.class'), html`<span class="mono">${machine.class}</span>`],
    [t('systems.building'), building && building !== machine.id ? h(Named, { of: assetOf(building)?.name }) : null],
    [t('machine.sources'), sources.length > 0 ? html`<a href="/buses" class="mono">${sources.join(', ')}</a>` : null],
  ];
  return html`<dl class="facts identity">${rows.filter(([, words]) => words).map(([term, words]) => html`<div key=${term}><dt>${term}</dt><dd>${words}</dd></div>`)}</dl>`;
}

/** The screen. */
export function Equipment() {
  const id = place.value.params.asset ?? '';
  const { data, error, reload } = useGet(`/assets/${id}`);
  const machine = /** @type {MachineReply | null} */ (data);
  const points = (machine?.points ?? []).map(stable);
  useSubscription(points.map((point) => point.address));
  // The tree is known before the machine is: the way back does not wait for it.
  const system = machine?.system ?? assetOf(id)?.system;
  useKeys((key) => {
    if (key !== 'Escape') return false;
    go(system ? `/systems/${system}` : '/');
    return true;
  }, [system]);
  const tally = alarmsByAsset.value.get(id);
  return html`
    ${h(Crumbs, { system: machine?.system, building: machine ? buildingOf(id) : null })}
    <div class="screen-head"><h1>${machine ? h(Named, { of: machine.name }) : id}</h1>
      ${tally && h(Chip, { priority: tally.worst.priority, state: tally.worst.state, count: tally.open })}</div>
    ${error && h(Failure, { error, retry: reload })}
    ${!machine && !error && h(Loading, { rows: 6 })}
    ${machine && html`<div class="machine-page">
      <div class="machine-main">${tally && h(Alarms, { id })}${points.length > 0 ? html`${h(Values, { points })}${h(Day, { key: id, id, points })}` : h(Within, { id })}</div>
      <div class="machine-side">
        ${!tally && h(Alarms, { id })}${h(Orders, { id })}${h(Supply, { id })}
        <section class="panel pad" aria-label=${t('machine.identity')}>${h(Identity, { machine })}</section>
        ${h(Place, { machine })}${h(Sisters, { machine, points })}
      </div></div>`}
  `;
}
