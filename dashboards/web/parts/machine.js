// A machine as a card, and what a page needs to judge machines: their values, alarms and feeds.

import { cls, computed, h, html, useEffect, useRef, useState } from '../lib/ui.js';
import { loadStyles } from '../lib/more.js';
import { loadWords, number, t } from '../lib/i18n.js';
import { equipmentHref, pointHref } from '../lib/nav.js';
import { judge, live } from '../lib/live.js';
import { alarms, assetOf, calling, pathOf, tallies } from '../lib/site.js';
import { useGet } from '../lib/api.js';
import { measures } from '../lib/plant.js';
import { gradeOf, leading, OUTSIDE } from '../lib/machine.js';
import { Chip, Icon, Named } from './basics.js';
import { LivePart } from './tile.js';
import { Sparkline } from './sparkline.js';

/** @typedef {import('../lib/types').Asset} Asset */
/** @typedef {import('../lib/types').Feed} Feed */
/** @typedef {import('../lib/types').PlantPoint} PlantPoint */
/** @typedef {import('../lib/machine.js').Doubt} Doubt */
/** @typedef {import('../lib/site.js').Tally} Tally */
/** @typedef {ReturnType<typeof import('../lib/plant.js').useSparks>} SparkOf */

await Promise.all([loadWords('plant'), loadStyles(['css/machine.css'])]);

/** Numbers on a card. */
export const SHOWN_MAX = 4;
/** Cards are mounted this far before they are seen. CSS pixels. */
const NEAR = '150px';

/** The alarms that call, by machine. */
export const alarmsByAsset = computed(() => tallies((id) => id));

/** The alarms that call on a machine or on anything in it. */
export const alarmsWithin = computed(() => {
  /** @type {Map<string, Tally>} */
  const found = new Map();
  for (const alarm of calling(alarms.value.items ?? [])) {
    for (const { id } of pathOf(alarm.asset)) {
      const tally = found.get(id);
      if (tally) tally.open += 1;
      else found.set(id, { worst: alarm, open: 1 });
    }
  }
  return found;
});

/** What a point shows now, without following it. @param {PlantPoint} point @returns {import('../lib/machine.js').Seen} */
export function seen(point) {
  const cell = live.cell(point.address).peek();
  const { kind, stale } = judge(cell, point.stale_after_ms, live.now(), live.link.peek().state === 'lost');
  return { kind, stale, value: cell?.v ?? null };
}

/** Who feeds whom in the whole plant. @returns {Feed[]} */
export function useFeeds() {
  const { data } = useGet('/feeds');
  return /** @type {any} */ (data)?.edges ?? [];
}

/** The least alarm that casts doubt on what a source gives. */
const GRAVE = 2;

/**
 * Whether a source can be relied on: no grave alarm is active on it. Silence alone says nothing of what it
 * gives; where it matters a rule makes an alarm of it.
 */
export function fitness() {
  const grave = new Set(calling(alarms.value.items ?? []).filter((alarm) => alarm.active && alarm.priority <= GRAVE).map((alarm) => alarm.asset));
  return (/** @type {string} */ id) => !grave.has(id);
}

/** @param {{ doubt: Doubt }} p */
export function FeedTag({ doubt }) {
  const words = { medium: t(`medium.${doubt.medium}`), fit: number(doubt.fit, 0), n: number(doubt.from.length, 0), needs: number(doubt.needs, 0) };
  return html`<span class=${cls('feed-tag', doubt.lost && 'feed-lost')} title=${doubt.from.map((id) => assetOf(id)?.id ?? id).join(', ')}>
    ${h(Icon, { name: 'warn' })}<span>${doubt.lost ? t('machine.feed-lost', words) : t('machine.feed-doubt', words)}</span></span>`;
}

/** @param {{ point: PlantPoint, mounted: boolean }} p */
function MachinePoint({ point, mounted }) {
  return html`<div class="machine-point">
    <a class="machine-label" href=${pointHref(point.address)}>${h(Named, { of: point.name })}</a>
    ${mounted ? h(LivePart, { point }) : html`<span class="tile-value value"></span>`}
  </div>`;
}

/**
 * @typedef {object} Machine
 * @property {Asset} asset
 * @property {PlantPoint[]} points
 * @property {Doubt[]} doubts
 */

/** @param {{ machine: Machine, mounted: boolean, sparkOf: SparkOf, where?: any }} p */
export function MachineCard({ machine: { asset, points, doubts }, mounted, sparkOf, where }) {
  const tally = alarmsByAsset.value.get(asset.id);
  const mine = tally ? (alarms.value.items ?? []).filter((alarm) => alarm.asset === asset.id) : [];
  const called = new Set(mine.map((alarm) => alarm.point));
  const shown = leading(points, SHOWN_MAX, (point) => called.has(point.address) || gradeOf(point, seen(point)) === OUTSIDE);
  const drawn = shown.find((point) => measures(point) && called.has(point.address)) ?? shown.find(measures);
  return html`<div class="machine" data-row data-asset=${asset.id}>
    <div class="machine-head"><h3><a href=${equipmentHref(asset.id)} data-row-link>${h(Named, { of: asset.name })}</a></h3>
      ${tally && h(Chip, { priority: tally.worst.priority, state: tally.worst.state, ...(tally.open > 1 ? { count: tally.open } : {}) })}</div>
    ${where && html`<p class="machine-where quiet">${where}</p>`}
    ${doubts.map((doubt) => h(FeedTag, { key: doubt.medium, doubt }))}
    ${shown.map((point) => h(MachinePoint, { key: point.address, point, mounted }))}
    ${drawn && h(Sparkline, { values: mounted ? sparkOf(drawn) : null, normal: drawn.normal })}
    ${points.length > shown.length && html`<a class="machine-more" href=${equipmentHref(asset.id)}>${t('machine.more', { n: number(points.length - shown.length, 0) })}</a>`}
  </div>`;
}

/**
 * Whether an element is on screen or about to be.
 */
export function useNear() {
  const ref = useRef(/** @type {HTMLElement | null} */ (null));
  const [near, setNear] = useState(false);
  useEffect(() => {
    if (!ref.current) return undefined;
    const watch = new IntersectionObserver(([entry]) => setNear(entry?.isIntersecting ?? false), { rootMargin: NEAR });
    watch.observe(ref.current);
    return () => watch.disconnect();
  }, []);
  return { ref, near };
}
