// One system: its machines as cards made from the asset model, or as a table where they are many.
//
// The URL holds building, order, form and filter. All its points are subscribed to, so that what
// deviates is known although it is not on screen; only what is near the screen is mounted.

import { cls, computed, h, html, useEffect, useRef, useState } from '../lib/ui.js';
import { nameOf, number, t } from '../lib/i18n.js';
import { useGet } from '../lib/api.js';
import { go, place, withQuery, equipmentHref, useKeys } from '../lib/nav.js';
import { live } from '../lib/live.js';
import { alarmsBySystem, assetOf, assets, pathOf } from '../lib/site.js';
import { measures, stable, useSparks } from '../lib/plant.js';
import { columnsOf, deviationOf, doubtsOf, NONE } from '../lib/machine.js';
import { Chip, Empty, Failure, Icon, LiveValue, Loading, Named, useSubscription } from '../parts/basics.js';
import { Crumbs } from '../parts/crumbs.js';
import { alarmsByAsset, fitness, MachineCard, seen, useFeeds, useNear } from '../parts/machine.js';
import { Virtual } from '../parts/virtual.js';

/** @typedef {import('../lib/types').SystemAsset} SystemAsset */
/** @typedef {import('../lib/types').PlantPoint} PlantPoint */
/** @typedef {import('../lib/types').Asset} Asset */
/** @typedef {import('../parts/machine.js').Machine} Machine */
/** @typedef {Machine & { building: string | null, grade: number }} Graded */
/** @typedef {{ key: string, title: any, machines: Graded[] }} Group */

/** Cards that are mounted together: four numbers each, so that a large screen stays within 300. */
const BLOCK = 12;
const COLUMNS_MAX = 5;
const ROW = 36;
const TYPING_MS = 250;
/** Machines are judged anew so often; between, only an alarm moves them. */
const JUDGE_S = 5;
const judging = computed(() => Math.floor(live.second.value / JUDGE_S));
/** The first values come at once; they are looked for so often, and waited for no longer than this. */
const FIRST_MS = 100;
const FIRST_TRIES = 15;

/** @param {SystemAsset[]} items */
function machinesOf(items) {
  return items
    .map((item) => ({ asset: { ...item, system: null, points: item.points.length }, building: item.building, points: item.points.map(stable) }))
    .filter((machine) => machine.points.length > 0);
}

/**
 * The machines with how far they deviate now.
 * @param {ReturnType<typeof machinesOf>} machines
 * @returns {Graded[] | null} none: the first values are on their way, and the order with them
 */
function useGraded(machines) {
  const feeds = useFeeds();
  const [tries, setTries] = useState(0);
  const waiting = machines.every(({ points }) => points.every((point) => seen(point).kind === 'waiting'));
  useEffect(() => {
    if (!waiting || tries >= FIRST_TRIES) return undefined;
    const timer = setTimeout(() => setTries(tries + 1), FIRST_MS);
    return () => clearTimeout(timer);
  }, [waiting, tries]);
  if (waiting && tries < FIRST_TRIES && machines.length > 0) return null;
  judging.value; // machines are judged anew, and what deviates moves up
  const byAsset = alarmsByAsset.value;
  const fit = fitness();
  return machines.map((machine) => ({
    ...machine,
    doubts: doubtsOf(feeds, machine.asset.id, fit),
    grade: deviationOf(byAsset.get(machine.asset.id)?.worst ?? null, machine.points, seen),
  }));
}

/** Where a machine stands, without the site, itself, and a building that the floor's name names already. @param {string} id */
function placeOf(id) {
  const path = pathOf(id).slice(0, -1);
  const inside = path.length > 1 && path[0]?.class !== 'Building' ? path.slice(1) : path;
  const [first, second] = inside;
  return first && second && nameOf(second.name).startsWith(nameOf(first.name)) ? inside.slice(1) : inside;
}

/** @param {Asset[]} path */
function whereWords(path) {
  return html`<span class="path">${path.map((asset) => html`<span key=${asset.id}>${h(Named, { of: asset.name })}</span>`)}</span>`;
}

/** In tree order, those of one place together; what deviates before all. @param {Graded[]} list @param {boolean} first @returns {Group[]} */
function groupsOf(list, first) {
  /** @type {Map<string, Group>} */
  const groups = new Map();
  const deviating = first ? list.filter((machine) => machine.grade < NONE || machine.doubts.length > 0).sort((a, b) => a.grade - b.grade) : [];
  const early = new Set(deviating);
  for (const machine of list) {
    if (early.has(machine)) continue;
    const path = placeOf(machine.asset.id);
    const key = path.map((asset) => asset.id).join('/');
    const group = groups.get(key) ?? { key, title: path.length > 0 ? whereWords(path) : t('overview.outside'), machines: [] };
    group.machines.push(machine);
    groups.set(key, group);
  }
  const title = t('systems.deviating', { n: number(deviating.length, 0) });
  return [...(deviating.length > 0 ? [{ key: '!', title, machines: deviating }] : []), ...groups.values()];
}

/** @param {{ machines: Graded[], sparkOf: ReturnType<typeof useSparks>, placed: boolean }} p */
function Block({ machines, sparkOf, placed }) {
  const { ref, near } = useNear();
  return html`<div class="machines" ref=${ref}>
    ${machines.map((machine) => h(MachineCard, { key: machine.asset.id, machine, mounted: near, sparkOf, where: placed ? whereWords(placeOf(machine.asset.id)) : null }))}
  </div>`;
}

/** @param {{ groups: Group[] }} p */
function Cards({ groups }) {
  const drawn = groups.flatMap((group) => group.machines.flatMap(({ points }) => points.filter((point) => point.key && measures(point)).concat(points.filter(measures)).slice(0, 1)));
  const sparkOf = useSparks(drawn);
  return html`${groups.map((group) => html`<section key=${group.key} class=${cls('machine-group', group.key === '!' && 'deviating')}>
    <h2>${group.title}</h2>
    ${Array.from({ length: Math.ceil(group.machines.length / BLOCK) }, (_, i) => h(Block, { key: i, machines: group.machines.slice(i * BLOCK, (i + 1) * BLOCK), sparkOf, placed: group.key === '!' }))}
  </section>`)}`;
}

/** @param {{ machine: Graded, columns: PlantPoint[] }} p */
function TableRow({ machine: { asset, points, doubts, grade }, columns }) {
  const tally = alarmsByAsset.value.get(asset.id);
  return html`<tr role="row" data-row data-virtual data-asset=${asset.id}>
    <th role="rowheader" scope="row"><a href=${equipmentHref(asset.id)} data-row-link>${h(Named, { of: asset.name })}</a></th>
    <td role="cell">${tally ? h(Chip, { priority: tally.worst.priority, state: tally.worst.state }) : doubts.length > 0 ? t('machine.doubted') : grade < NONE ? t(`systems.grade-${grade}`) : ''}</td>
    ${columns.map((column) => {
      const point = points.find((one) => one.quantity === column.quantity);
      return html`<td role="cell" class="num" key=${column.address} data-live=${point ? '' : undefined}>${point && h(LiveValue, { address: point.address, symbol: point.symbol, decimals: point.decimals, states: point.states, staleAfter: point.stale_after_ms })}</td>`;
    })}
    <td role="cell" class="c-where quiet">${whereWords(placeOf(asset.id))}</td>
  </tr>`;
}

/** @param {{ list: Graded[] }} p */
function MachineTable({ list }) {
  const columns = columnsOf(list.map((machine) => machine.points), COLUMNS_MAX);
  const frame = (/** @type {any[]} */ rows) => html`<table role="table" class="table machine-table">
    <caption class="unseen">${t('systems.table')}</caption>
    <thead role="rowgroup"><tr role="row"><th role="columnheader" scope="col">${t('systems.machine')}</th><th role="columnheader" scope="col">${t('alarms.state')}</th>
      ${columns.map((column) => html`<th role="columnheader" scope="col" class="num" key=${column.address}>${h(Named, { of: column.name })}</th>`)}
      <th role="columnheader" scope="col">${t('alarms.place')}</th></tr></thead>
    <tbody role="rowgroup">${rows}</tbody></table>`;
  return html`<div class="panel scroll-x" tabindex="0" role="region" aria-label=${t('systems.table')}>${h(/** @type {(p: any) => any} */ (Virtual), { rows: list, rowHeight: ROW, frame, render: (/** @type {Graded} */ machine) => h(TableRow, { key: machine.asset.id, machine, columns }) })}</div>`;
}

// ---- what is shown

/** @param {{ buildings: string[] }} p */
function Tools({ buildings }) {
  const asked = place.value.query;
  const wanted = asked.get('q') ?? '';
  const [text, setText] = useState(wanted);
  const timer = useRef(/** @type {any} */ (null));
  useEffect(() => setText(wanted), [wanted]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const type = (/** @type {any} */ event) => {
    const search = event.target.value;
    setText(search);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => go(withQuery({ q: search.trim() }), { replace: true }), TYPING_MS);
  };
  const choice = (/** @type {string} */ key, /** @type {string | null} */ value, /** @type {string} */ words) =>
    html`<a key=${value} class="choice" href=${withQuery({ [key]: value })} aria-current=${asked.get(key) === value ? 'true' : undefined}>${words}</a>`;
  return html`<form class="filter" role="search" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
    <label class="field field-search"><span class="unseen">${t('systems.filter')}</span>${h(Icon, { name: 'search' })}
      <input type="search" data-search placeholder=${t('systems.filter')} value=${text} onInput=${type} maxlength="100" /></label>
    ${buildings.length > 1 && html`<label class="field"><span class="unseen">${t('systems.building')}</span>
      <select value=${asked.get('building') ?? ''} onChange=${(/** @type {any} */ event) => go(withQuery({ building: event.target.value }))}>
        <option value="">${t('systems.all-buildings')}</option>
        ${buildings.map((id) => html`<option key=${id} value=${id}>${nameOf(assetOf(id)?.name) || id}</option>`)}
      </select></label>`}
    <span class="choices" role="group" aria-label=${t('systems.order')}>${choice('sort', null, t('systems.deviation-first'))}${choice('sort', 'tree', t('systems.tree-order'))}</span>
    <span class="choices" role="group" aria-label=${t('systems.form')}>${choice('form', null, t('systems.cards'))}${choice('form', 'table', t('systems.as-table'))}</span>
  </form>`;
}

/** @param {Graded} machine @param {string} search */
function fits({ asset }, search) {
  const text = [asset.id, ...pathOf(asset.id).flatMap(({ name }) => [name.zh, name.en])].join(' ').toLowerCase();
  return search.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

/** A machine that moves up under a hand or a key takes the focus with it. */
function useKeptFocus() {
  const last = useRef(/** @type {string | null} */ (null));
  useEffect(() => {
    const note = (/** @type {FocusEvent} */ event) => {
      last.current = event.target instanceof Element ? event.target.closest('[data-asset]')?.getAttribute('data-asset') ?? null : null;
    };
    document.addEventListener('focusin', note);
    return () => document.removeEventListener('focusin', note);
  }, []);
  useEffect(() => {
    if (last.current === null || document.activeElement !== document.body) return;
    /** @type {HTMLElement | null} */ (document.querySelector(`[data-asset="${last.current}"] [data-row-link]`))?.focus({ preventScroll: true });
  });
}

/** @param {{ items: SystemAsset[] }} p */
function Plant({ items }) {
  const { query } = place.value;
  const machines = machinesOf(items);
  const graded = useGraded(machines);
  useSubscription(machines.flatMap(({ points }) => points.map((point) => point.address)));
  useKeptFocus();
  const building = query.get('building');
  const search = query.get('q') ?? '';
  const list = (graded ?? []).filter((machine) => (building === null || machine.building === building) && (search === '' || fits(machine, search)));
  const first = query.get('sort') !== 'tree';
  const buildings = [...new Set(machines.flatMap((machine) => (machine.building === null ? [] : [machine.building])))];
  const groups = groupsOf(list, first);
  return html`${h(Tools, { buildings })}
    ${!graded && h(Loading, { rows: 8 })}
    ${graded && list.length === 0 && h(Empty, { why: t('systems.none-found'), action: t('points.show-all'), href: place.value.path })}
    ${first && list.length > 0 && groups[0]?.key !== '!' && html`<p class="notice">${t('systems.calm', { n: number(list.length, 0) })}</p>`}
    ${query.get('form') === 'table' ? list.length > 0 && h(MachineTable, { list: groups.flatMap((group) => group.machines) }) : h(Cards, { groups })}`;
}

/** The screen. */
export function SystemPage() {
  const system = place.value.params.system ?? '';
  const building = place.value.query.get('building');
  const { data, error, reload } = useGet(`/systems/${system}`);
  const items = /** @type {SystemAsset[] | null} */ (/** @type {any} */ (data)?.items ?? null);
  const tally = alarmsBySystem.value.get(system);
  const ready = items !== null && assets.value.length > 0;
  useKeys((key) => {
    if (key !== 'Escape') return false;
    go(place.value.query.toString() === '' ? '/' : place.value.path);
    return true;
  });
  return html`
    ${h(Crumbs, { system: building ? system : null })}
    <div class="screen-head"><h1>${t(`system.${system}`)}${building && html`<span class="quiet"> · ${h(Named, { of: assetOf(building)?.name })}</span>`}</h1>
      ${tally && h(Chip, { priority: tally.worst.priority, state: tally.worst.state, count: tally.open })}</div>
    ${system === 'medical_gas' && html`<p class="notice">${t('alarms.supplementary')}</p>`}
    ${error && h(Failure, { error, retry: reload })}
    ${!ready && !error && h(Loading, { rows: 8 })}
    ${ready && items.length > 0 && h(Plant, { items })}
    ${ready && items.length === 0 && h(Empty, { why: t('overview.none'), action: t('nav.overview'), href: '/' })}
  `;
}
