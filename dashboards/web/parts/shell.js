// What stands around every screen: top bar, navigation, the link-lost banner, and the spoken log.

import { cls, effect, h, html, remembered, signal, useEffect, useState } from '../lib/ui.js';
import { clock, date, duration, lang, language, nameOf, number, offsetText, showLanguage, t, zone } from '../lib/i18n.js';
import { GO_KEYS, place, singleKeys, useKeys } from '../lib/nav.js';
import { live } from '../lib/live.js';
import { get } from '../lib/api.js';
import { alarms, alarmsBySystem, assetOf, readAlarms, site, systemHref, systems, unacknowledged } from '../lib/site.js';
import { Chip, Icon, Mark, Named } from './basics.js';

/** @typedef {import('../lib/ui.js').Children} Children */
/** @typedef {import('../lib/types').Alarm} Alarm */

const PRIORITIES = [1, 2, 3, 4];

/** The parts of the page; `screens` are those that belong to it. A phone shows the first four, the rest below "more". */
const AREAS = /** @type {const} */ ([
  { href: '/', icon: 'overview', screens: ['overview'] },
  { href: null, icon: 'systems', screens: ['system', 'equipment'] },
  { href: '/alarms', icon: 'alarms', screens: ['alarms'] },
  { href: '/work-orders', icon: 'orders', screens: ['orders'] },
  { href: '/trend', icon: 'trend', screens: ['trend'] },
  { href: '/energy', icon: 'energy', screens: ['energy', 'energy-day'] },
  { href: '/points', icon: 'points', screens: ['points', 'point', 'tester'] },
  { href: '/status', icon: 'gateway', screens: ['status', 'buses', 'broker'] },
]);
const MAIN = 4;

const theme = remembered('theme', 'auto');
const helpOpen = signal(false);
const paletteOpen = signal(false);
/** What was typed while the palette was on its way: it belongs into its field, and is no shortcut. */
let typedEarly = '';
/** Which list of the navigation is unfolded where it has no room to stand open. */
const unfolded = signal(/** @type {'' | 'systems' | 'more'} */ (''));
/** A plant that is simulated says so: the server knows. */
const simulated = signal(false);
const ASK_DEMO_MS = 2_000;

// ---- top bar

function Counts() {
  const { counts, items } = alarms.value;
  const some = PRIORITIES.filter((priority) => (counts[priority] ?? 0) > 0);
  if (items === null) return html`<div class="counts"></div>`;
  if (some.length === 0) return html`<div class="counts quiet">${t('top.no-unacknowledged')}</div>`;
  return html`<a class="counts" href="/alarms" aria-label=${t('top.unacknowledged', { n: number(unacknowledged.value, 0) })}>
    ${some.map((priority) => h(Chip, { key: priority, priority, state: 'B', count: counts[priority] ?? 0 }))}
  </a>`;
}

function LinkState() {
  live.second.value;
  const { state, slow } = live.link.value;
  const words = state === 'up' ? t('link.up', { age: duration(live.silence()) }) : t(`link.${state}`);
  return html`<div class=${cls('link-state', state === 'lost' && 'hatched')} title=${slow ? t('link.slow') : undefined}>
    ${h(Icon, { name: state === 'up' ? 'link' : 'cut' })}<span>${words}</span>
  </div>`;
}

function Clock() {
  live.second.value;
  const now = live.now();
  const apart = -new Date(now).getTimezoneOffset();
  const away = site.value !== null && offsetText(now) !== offsetOf(apart);
  return html`<div class="clock">
    <time>${date(now)} ${clock(now)}</time>
    ${away && html`<span class="tag" title=${t('top.zone-differs', { pc: offsetOf(apart) })}>${t('top.zone', { offset: offsetText(now) })}</span>`}
  </div>`;
}

/** @param {number} minutes */
function offsetOf(minutes) {
  const pad = (/** @type {number} */ n) => String(Math.floor(n)).padStart(2, '0');
  return `${minutes < 0 ? '\u2212' : '+'}${pad(Math.abs(minutes) / 60)}:${pad(Math.abs(minutes) % 60)}`;
}

const THEMES = /** @type {const} */ (['auto', 'light', 'dark']);

function Switches() {
  const other = lang.value === 'en' ? 'zh-CN' : 'en';
  const chosen = THEMES.find((name) => name === theme.value) ?? 'auto';
  const next = THEMES[(THEMES.indexOf(chosen) + 1) % THEMES.length] ?? 'auto';
  const choose = () => {
    language.value = other;
    showLanguage(other);
  };
  return html`<div class="switches">
    <button type="button" class="bare palette-button" aria-keyshortcuts="Control+K" title=${t('top.palette')} aria-label=${t('top.palette')}
      onClick=${openPalette}>${h(Icon, { name: 'search' })}<kbd aria-hidden="true">Ctrl K</kbd></button>
    <button type="button" class="bare" lang=${other} onClick=${choose}>${t('top.other-language')}</button>
    <button type="button" class="bare" aria-label=${t('top.theme', { theme: t(`theme.${chosen}`) })}
      title=${t('top.theme', { theme: t(`theme.${chosen}`) })} onClick=${() => { theme.value = next; }}>
      ${h(Icon, { name: chosen })}
    </button>
    <button type="button" class="bare" aria-label=${t('help.title')} title=${t('help.title')}
      onClick=${() => { helpOpen.value = true; }}>${h(Icon, { name: 'help' })}</button>
  </div>`;
}

function TopBar() {
  return html`<header class="top">
    <div class="site-name">${site.value ? h(Named, { of: site.value.name }) : 'plantroom'}</div>
    ${h(Counts, {})}
    ${simulated.value && html`<a class="tag demo-tag" href="/demo" title=${t('top.demo-title')}>${t('top.demo')}</a>`}
    <div class="top-rest">${h(LinkState, {})}${h(Clock, {})}</div>
    ${h(Switches, {})}
  </header>`;
}

// ---- navigation

/** The systems of the site, each with the worst alarm in it. */
function Systems() {
  const { screen, params } = place.value;
  const inside = screen === 'system' ? params.system : screen === 'equipment' ? assetOf(params.asset ?? '')?.system : null;
  const calls = alarmsBySystem.value;
  return html`<ul id="menu-systems" class="area-menu">
    ${systems.value.map((system) => {
      const tally = calls.get(system);
      return html`<li key=${system}><a href=${systemHref(system)} aria-current=${inside === system ? 'page' : undefined}>
        <span>${t(`system.${system}`)}</span>${tally && h(Mark, { priority: tally.worst.priority, state: tally.worst.state, count: tally.open })}</a></li>`;
    })}
  </ul>`;
}

/** @param {{ area: typeof AREAS[number] }} p */
function AreaLink({ area }) {
  const inside = area.screens.some((name) => name === place.value.screen);
  return html`<a href=${area.href} aria-current=${inside ? 'page' : undefined}>${h(Icon, { name: area.icon })}<span>${t(`nav.${area.icon}`)}</span></a>`;
}

/**
 * A list that stands open where there is room, and unfolds from a button where there is none.
 * @param {{ name: 'systems' | 'more', icon: 'systems' | 'more', current: boolean, children?: Children }} p
 */
function Folded({ name, icon, current, children }) {
  const open = unfolded.value === name;
  return html`<div class=${cls('area-group', `area-${name}`, open && 'open')}>
    <button type="button" class=${cls('area-fold', current && 'current')} aria-expanded=${open} aria-controls=${`menu-${name}`}
      onClick=${() => { unfolded.value = open ? '' : name; }}>${h(Icon, { name: icon })}<span>${t(`nav.${name}`)}</span></button>
    <span class="area-heading" aria-hidden="true">${h(Icon, { name: icon })}<span>${t(`nav.${name}`)}</span></span>
    ${children}
  </div>`;
}

function Areas() {
  const { screen, path } = place.value;
  const minor = AREAS.slice(MAIN);
  useEffect(() => {
    unfolded.value = '';
  }, [path]);
  useKeys((key) => {
    if (key !== 'Escape' || unfolded.value === '') return false;
    unfolded.value = '';
    return true;
  });
  return html`<nav class="areas" aria-label=${t('nav.label')}>
    ${AREAS.slice(0, MAIN).map((area) => (area.href === null
      ? h(Folded, { key: 'systems', name: 'systems', icon: 'systems', current: area.screens.some((name) => name === screen) }, h(Systems, {}))
      : h(AreaLink, { key: area.href, area })))}
    ${h(Folded, { name: 'more', icon: 'more', current: minor.some((area) => area.screens.some((name) => name === screen)) },
      html`<div id="menu-more" class="area-menu">${minor.map((area) => h(AreaLink, { key: area.icon, area }))}</div>`)}
  </nav>`;
}

// ---- what must not be overlooked

function Banners() {
  const { state, asOf } = live.link.value;
  return html`<div role="status" class="banners">
    ${state === 'lost' && html`<div class="banner hatched">${h(Icon, { name: 'cut' })}
      <strong>${t('banner.lost')} · ${asOf === null ? t('banner.no-data') : t('banner.as-of', { time: clock(asOf) })}</strong>
    </div>`}
    ${live.outdated.value && html`<div class="banner">
      <span>${t('banner.new-build')}</span>
      <button type="button" onClick=${() => location.reload()}>${t('action.reload')}</button>
    </div>`}
  </div>`;
}

/** At most one announcement in this time; what comes meanwhile is summed up. */
const SPEAK_MS = 3_000;
const SPOKEN_KEPT = 20;

const spoken = signal(/** @type {{ id: number, text: string }[]} */ ([]));
const urgent = signal('');
/** @type {{ id: number, missed: boolean }[]} */
let unspoken = [];
/** @type {any} */
let speaking = null;
let spokenCount = 0;

/** Says what has been raised since the last time. */
async function speak() {
  speaking = setTimeout(() => {
    speaking = null;
    if (unspoken.length > 0) speak();
  }, SPEAK_MS);
  const raised = unspoken;
  unspoken = [];
  await readAlarms();
  const items = (alarms.value.items ?? []).filter((alarm) => raised.some((one) => one.id === alarm.id));
  items.sort((a, b) => a.priority - b.priority);
  const first = items[0];
  if (!first) return;
  const missed = raised.some((one) => one.missed);
  const text = [
    missed ? t('log.missed') : '',
    t('log.raised', { priority: t(`priority.${first.priority}`), message: nameOf(first.message) }),
    items.length > 1 ? t('log.more', { n: items.length - 1 }) : '',
  ].filter(Boolean).join(' ');
  spokenCount += 1;
  spoken.value = [...spoken.value, { id: spokenCount, text }].slice(-SPOKEN_KEPT);
  if (first.priority === 1) urgent.value = text;
}

/** Begins to announce alarms, and to count them in the tab's title. Called once, by app.js. */
export function startShell() {
  live.listen((event, missed) => {
    if (event.kind !== 'alarm.raised') return;
    unspoken.push({ id: Number(event.subject.split(':')[1]), missed });
    if (speaking === null) speak();
  });
  effect(() => {
    document.documentElement.dataset.theme = theme.value;
  });
  effect(() => {
    document.documentElement.toggleAttribute('data-wall', place.value.screen === 'overview' && place.value.query.has('wall'));
  });
  document.addEventListener('keydown', (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey || event.key.toLowerCase() !== 'k') return;
    event.preventDefault(); // of the browser's own search field
    if (!document.querySelector('dialog[open]')) openPalette();
  });
  document.addEventListener('keydown', typeEarly, true);
  setTimeout(() => get('/demo').then(() => { simulated.value = true; }, () => {}), ASK_DEMO_MS);
  effect(() => {
    const area = AREAS.find((one) => one.screens.some((name) => name === place.value.screen));
    const { screen, params } = place.value;
    const own = screen === 'system' ? t(`system.${params.system}`) : screen === 'equipment' ? nameOf(assetOf(params.asset ?? '')?.name) : '';
    const words = [own || (area ? t(`nav.${area.icon}`) : ''), site.value ? nameOf(site.value.name) : 'plantroom'];
    const count = unacknowledged.value;
    document.title = `${count > 0 ? `(${count}) ` : ''}${words.filter(Boolean).join(' · ')}`;
  });
}

function SpokenLog() {
  return html`<div class="unseen">
    <div role="log" aria-label=${t('log.label')}>${spoken.value.map((line) => html`<p key=${line.id}>${line.text}</p>`)}</div>
    <div role="alert">${urgent.value}</div>
  </div>`;
}

// ---- help and palette, loaded when asked for

function openPalette() {
  typedEarly = '';
  paletteOpen.value = true;
}

/** @param {KeyboardEvent} event */
function typeEarly(event) {
  if (!paletteOpen.value || document.querySelector('dialog[open]')) return;
  if (event.ctrlKey || event.metaKey || event.altKey || event.key.length !== 1) return;
  typedEarly += event.key;
  event.preventDefault();
  event.stopPropagation();
}

/** A dialog of a file of its own. @param {import('../vendor/core.js').Signal<boolean>} open @param {() => Promise<(p: any) => any>} load */
function useLater(open, load) {
  const [Dialog, setDialog] = useState(/** @type {null | ((p: any) => any)} */ (null));
  useEffect(() => {
    if (open.value && !Dialog) load().then((found) => setDialog(() => found), () => { open.value = false; });
  }, [open.value]);
  return open.value ? Dialog : null;
}

function Help() {
  const Dialog = useLater(helpOpen, () => import('./help.js').then((module) => module.Help));
  return Dialog && h(Dialog, { close: () => { helpOpen.value = false; }, goKeys: GO_KEYS, singleKeys });
}

function Palette() {
  const Dialog = useLater(paletteOpen, () => import('./palette.js').then((module) => module.Palette));
  return Dialog && h(Dialog, { close: () => { paletteOpen.value = false; }, areas: AREAS, typed: () => typedEarly });
}

/** @param {{ children?: Children }} p */
export function Shell({ children }) {
  useKeys((key) => {
    if (key !== '?') return false;
    helpOpen.value = true;
    return true;
  });
  return html`
    <a class="skip" href="#main">${t('top.skip')}</a>
    ${h(TopBar, {})}
    ${h(Banners, {})}
    <div class="below">
      ${h(Areas, {})}
      <main id="main" tabindex="-1">${children}</main>
    </div>
    <p class="print-only print-foot">${t('print.made', { time: `${date(live.now())} ${clock(live.now())}`, zone: zone.value })}</p>
    ${h(SpokenLog, {})}
    ${h(Help, {})}
    ${h(Palette, {})}
  `;
}
