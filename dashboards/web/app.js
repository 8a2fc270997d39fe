// The page's beginning: language, site, live connection, then the screen the URL names.
//
// Reading order: lib/live.js (how values get here), lib/nav.js (URLs and keys), parts/shell.js
// (what stands around), screens/*.js (one file each).

import { h, html, render, useEffect, useRef, useState } from './lib/ui.js';
import { preferredLanguage, showLanguage, t } from './lib/i18n.js';
import { place, startNav } from './lib/nav.js';
import { startLive } from './lib/live.js';
import { startSite } from './lib/site.js';
import { Empty, Loading } from './parts/basics.js';
import { Shell, startShell } from './parts/shell.js';
import { Overview } from './screens/overview.js';

/**
 * Screens by name. The overview is the first route and comes with the page; the others when asked for.
 * @type {Record<string, () => Promise<(p: any) => any>>}
 */
const SCREENS = {
  system: () => import('./screens/system.js').then((module) => module.SystemPage),
  equipment: () => import('./screens/equipment.js').then((module) => module.Equipment),
  points: () => import('./screens/points.js').then((module) => module.Points),
  point: () => withMaking(import('./screens/point.js')).then((module) => module.PointPage),
  trend: () => import('./screens/trend.js').then((module) => module.Trend),
  alarms: () => import('./screens/alarms.js').then((module) => module.Alarms),
  orders: () => import('./screens/orders.js').then((module) => module.Orders),
  energy: () => import('./screens/energy.js').then((module) => module.Energy),
  buses: () => withMaking(import('./screens/buses.js')).then((module) => module.Buses),
  broker: () => withMaking(import('./screens/broker.js')).then((module) => module.BrokerPage),
  tester: () => withMaking(import('./screens/tester.js')).then((module) => module.Tester),
  'energy-day': () => import('./screens/energy-day.js').then((module) => module.EnergyDay),
  status: () => import('./screens/status.js').then((module) => module.Status),
  demo: () => import('./screens/demo.js').then((module) => module.Demo),
  gallery: () => import('./screens/gallery.js').then((module) => module.Gallery),
};

/** What comes with a screen about how readings are made is not part of the first route. @template T @param {Promise<T>} module */
const withMaking = (module) => import('./lib/more.js').then((more) => more.withMaking(module));

/** @type {Map<string, (p: any) => any>} */
const loaded = new Map([['overview', Overview]]);

/** Loads a screen once. @param {string} name */
function useScreen(name) {
  const [, setArrived] = useState(0);
  const [failed, setFailed] = useState('');
  useEffect(() => {
    const load = SCREENS[name];
    if (!load || loaded.has(name)) return;
    load().then(
      (screen) => {
        loaded.set(name, screen);
        setArrived((n) => n + 1);
      },
      () => setFailed(name),
    );
  }, [name]);
  return { screen: loaded.get(name), failed: failed === name };
}

function Screen() {
  const { screen: name, path } = place.value;
  const { screen, failed } = useScreen(name);
  const before = useRef(name);
  useEffect(() => {
    // A reader of screens is taken to the new one; within a screen focus stays where it is.
    if (before.current !== name) document.getElementById('main')?.focus({ preventScroll: true });
    before.current = name;
  }, [name]);
  if (name === 'lost') return h(Empty, { why: t('state.no-page', { path }), action: t('nav.overview'), href: '/' });
  if (failed) return html`<div class="failure" role="alert"><p>${t('error.screen')}</p>
    <button type="button" onClick=${() => location.reload()}>${t('action.reload')}</button></div>`;
  if (!screen) return h(Loading, { rows: 6 });
  return h(screen, {});
}

/** There are no words to say it with before the catalogue is here: only trying again helps. */
const RETRY_MS = 2_000;

async function begin() {
  try {
    await showLanguage(preferredLanguage());
  } catch {
    setTimeout(begin, RETRY_MS);
    return;
  }
  startNav();
  startLive();
  startSite();
  startShell();
  const root = document.getElementById('app');
  if (root) render(h(Shell, {}, h(Screen, {})), root);
}

begin();
