// The live connection: values, events and the server's time (docs: /api/v1/live of the API).
//
// One WebSocket for the tab; after two upgrades that failed, the same messages as SSE. A view
// subscribes to the points it shows and reads `cell(address)`. Values conflate; events come whole
// and in order: a gap in their numbers is filled from GET /events before anything newer is told.
//
// Invariant: nothing here calls a value current. `link` and the server's time say how old things
// are, `judge` turns that into what a cell may show.

import { batch, signal } from './ui.js';
import { get, query, revision } from './api.js';

/** @typedef {import('./types').Live} Live */
/** @typedef {import('./types').LogEvent} LogEvent */
/** @typedef {(event: LogEvent, missed: boolean) => void} Listener */
/** @typedef {{ state: 'connecting' | 'up' | 'lost', asOf: number | null, slow: boolean }} Link */
/**
 * What a connection looks like from here; WebSocket and EventSource are both bent into it.
 * @typedef {object} Wire
 * @property {(message: object) => void} send
 * @property {() => void} close
 */
/**
 * @typedef {object} WireEvents
 * @property {() => void} opened
 * @property {(text: string) => void} message
 * @property {() => void} closed
 */
/**
 * The outer world, handed in so that a test owns the time and the socket.
 * @typedef {object} World
 * @property {(on: WireEvents) => Wire} socket
 * @property {(points: string[], after: number | null, on: WireEvents) => Wire} stream
 * @property {(after: number) => Promise<{ items: LogEvent[], last: number }>} events
 * @property {() => number} steady milliseconds that never jump
 * @property {() => number} wall milliseconds that pass while the machine sleeps
 * @property {() => number} random
 * @property {(run: () => void, ms: number) => any} later
 * @property {(timer: any) => void} cancel
 */

/** A heartbeat comes every 5 s; silence for longer than this is a lost link (shown within 10 s). */
export const SILENT_MS = 8_500;
/** A closed connection gets this long to come back before values are shown as lost. */
export const CLOSED_MS = 3_000;
const WATCH_MS = 500;
const SOCKET_FAILURES_MAX = 2;
const SUBSCRIBE_MS = 1_000;
const REGROUP_MS = 150;

/**
 * Delay before try number `attempt` (from 0): 0.5 s x 1.8, at most 15 s, up to a third less by chance.
 * @param {number} attempt
 * @param {number} random in [0, 1)
 */
export function backoff(attempt, random) {
  return Math.min(15_000, 500 * 1.8 ** attempt) * (1 - random / 3);
}

/**
 * What a cell may show: the word is a reason of the API, `initial` or `link`, or null.
 * @param {Live | null} cell
 * @param {number} staleAfter milliseconds
 * @param {number} now server time
 * @param {boolean} lost
 * @returns {{ kind: 'waiting' | 'bad' | 'value', doubt: string | null, stale: boolean }}
 */
export function judge(cell, staleAfter, now, lost) {
  if (cell === null) return { kind: 'waiting', doubt: null, stale: lost };
  const old = now - cell.at > staleAfter;
  if (cell.q === 2 || cell.v === null) {
    return { kind: 'bad', doubt: cell.r ?? 'initial', stale: lost || old };
  }
  const stale = lost || old || cell.r === 'stale';
  const doubt = cell.r ?? (old ? 'stale' : null);
  return { kind: 'value', doubt: doubt ?? (lost ? 'link' : null), stale };
}

/** @param {World} world */
export function createLive(world) {
  const link = signal(/** @type {Link} */ ({ state: 'connecting', asOf: null, slow: false }));
  /** Server time in whole seconds, moving once a second. */
  const second = signal(0);
  /** Another build answers than the one this page came from. */
  const outdated = signal(false);

  /** @type {Map<string, { signal: import('../vendor/core.js').Signal<Live | null>, users: number }>} */
  const cells = new Map();
  /** @type {Map<number, { points: string[], ms: number }>} */
  const subscriptions = new Map();
  /** @type {Map<number, string[]>} the order of points in a snapshot, which deltas count in */
  const orders = new Map();
  /** @type {Set<Listener>} */
  const listeners = new Set();

  /** @type {Wire | null} */
  let wire = null;
  let wireNumber = 0; // callbacks of an older wire are ignored
  let greeted = false;
  let overSse = false;
  let socketFailures = 0;
  let attempt = 0;
  /** @type {any} */
  let retry = null;
  /** @type {any} */
  let regroup = null;
  /** Since when there is no greeted connection; none while there is one. @type {number | null} */
  let downSince = world.steady();
  let heard = mark();
  /** When the present wire was begun; it has its own time to greet. */
  let begun = mark();
  /** Server time minus steady time; none before the first message. @type {number | null} */
  let offset = null;
  let asOf = /** @type {number | null} */ (null);
  let epoch = /** @type {string | null} */ (null);
  let build = /** @type {string | null} */ (null);
  let seen = /** @type {number | null} */ (null); // last event told
  let known = 0; // last event known to exist
  let filling = false;
  let hidden = false;
  let nextId = 1;

  /** The server's time in whole milliseconds: the API takes no fractions. */
  function now() {
    return Math.round(offset === null ? world.wall() : world.steady() + offset);
  }

  /** @param {string} address */
  function slot(address) {
    let found = cells.get(address);
    if (!found) {
      found = { signal: signal(/** @type {Live | null} */ (null)), users: 0 };
      cells.set(address, found);
    }
    return found;
  }

  /** The live value of a point; null until one came. @param {string} address */
  function cell(address) {
    return slot(address).signal;
  }

  // ---- subscriptions

  /**
   * Asks for the values of these points until the returned function is called.
   * @param {string[]} points
   */
  function subscribe(points) {
    const id = nextId++;
    subscriptions.set(id, { points, ms: SUBSCRIBE_MS });
    for (const address of points) slot(address).users += 1;
    announce(id);
    return () => {
      subscriptions.delete(id);
      orders.delete(id);
      for (const address of points) {
        const used = slot(address);
        used.users -= 1;
        if (used.users === 0) used.signal.value = null; // it ages unseen from here on
      }
      if (overSse) regroupSoon();
      else if (greeted) wire?.send({ t: 'unsub', id });
    };
  }

  /** @param {number} id */
  function announce(id) {
    if (overSse) return regroupSoon();
    const wanted = subscriptions.get(id);
    if (greeted && wanted) wire?.send({ t: 'sub', id, points: wanted.points, min_ms: wanted.ms });
    return undefined;
  }

  /** SSE cannot change what it carries: the stream is opened anew with the union. */
  function regroupSoon() {
    if (regroup !== null) return;
    regroup = world.later(() => {
      regroup = null;
      if (overSse && wire) open();
    }, REGROUP_MS);
  }

  // ---- the wire

  function open() {
    world.cancel(retry);
    retry = null;
    wire?.close();
    const number = ++wireNumber;
    const current = () => number === wireNumber;
    greeted = false;
    begun = mark();
    orders.clear();
    const on = {
      opened: () => {
        if (current() && !overSse) wire?.send({ t: 'hello', v: 2, epoch, seq: seen });
      },
      message: (/** @type {string} */ text) => current() && take(text),
      closed: () => current() && closed(),
    };
    if (overSse) {
      const union = new Set([...subscriptions.values()].flatMap((wanted) => wanted.points));
      wire = world.stream([...union], seen, on);
    } else {
      wire = world.socket(on);
    }
  }

  function closed() {
    wire?.close();
    wire = null;
    wireNumber += 1;
    downSince ??= world.steady();
    if (!greeted) {
      // Two upgrades in a row that never spoke: something between refuses them. If the stream is
      // refused too, the server itself is away, and the socket has its turn again.
      socketFailures = overSse ? 0 : socketFailures + 1;
      overSse = !overSse && socketFailures >= SOCKET_FAILURES_MAX;
    }
    greeted = false;
    reopenIn(backoff(attempt, world.random()));
    attempt += 1;
  }

  /** @param {number} ms */
  function reopenIn(ms) {
    world.cancel(retry);
    retry = world.later(open, ms);
  }

  /** Something says that a try is worth it now: the network is back, the tab is looked at. */
  function hurry() {
    watch();
    if (wire === null) {
      attempt = 0;
      open();
    }
  }

  function mark() {
    return { steady: world.steady(), wall: world.wall() };
  }

  /** Milliseconds since a mark; a sleeping machine stops the steady clock, not the wall. @param {{ steady: number, wall: number }} at */
  function since(at) {
    return Math.max(world.steady() - at.steady, world.wall() - at.wall);
  }

  /** Milliseconds since anything was heard. */
  function silence() {
    return since(heard);
  }

  /** Compares what was heard with what should have been. Runs twice a second. */
  function watch() {
    if (wire && (greeted ? silence() : since(begun)) > SILENT_MS) closed();
    let state = link.value.state;
    if (greeted) state = 'up';
    else if (silence() > SILENT_MS || world.steady() - (downSince ?? world.steady()) > CLOSED_MS) state = 'lost';
    const next = { state, asOf, slow: overSse };
    const old = link.value;
    if (old.state !== next.state || old.slow !== next.slow || (state === 'lost' && old.asOf !== asOf)) {
      link.value = next;
    }
    const tick = Math.floor(now() / 1000);
    if (tick !== second.value) second.value = tick;
  }

  // ---- messages

  /** @param {string} text */
  function take(text) {
    const message = JSON.parse(text);
    heard = mark();
    if (typeof message.now === 'number') {
      offset = message.now - world.steady();
      asOf = message.now;
    }
    if (message.t === 'hi') hi(message);
    else if (message.t === 'snap') snapshot(message);
    else if (message.t === 'd') delta(message);
    else if (message.t === 'ev') event(message);
    else if (message.t === 'resync') resync();
    else if (message.t === 'err') {
      if (message.code === 'unsupported_version') outdated.value = true; // by a newer server
      console.warn('live:', message.code, message.message);
    }
  }

  /** @param {{ epoch: string, seq: number, build: string }} message */
  function hi(message) {
    const returned = epoch !== null && (downSince !== null || epoch !== message.epoch);
    greeted = true;
    downSince = null;
    attempt = 0;
    socketFailures = 0;
    epoch = message.epoch;
    build ??= message.build;
    outdated.value = build !== message.build;
    known = message.seq;
    if (seen === null || seen > known) seen = known; // first hello, or a log that starts anew
    if (!overSse) {
      for (const id of subscriptions.keys()) announce(id);
      if (hidden) wire?.send({ t: 'vis', hidden });
    }
    watch();
    if (returned) revision.value += 1;
    fill(true);
  }

  /** @param {{ id: number, points: string[], v: any[], q: any[], r: any[], at: number[] }} message */
  function snapshot(message) {
    orders.set(message.id, message.points);
    batch(() => {
      message.points.forEach((address, i) => {
        put(address, { v: message.v[i] ?? null, q: message.q[i], r: message.r[i] ?? null, at: message.at[i] ?? 0 });
      });
    });
  }

  /**
   * Pairs of place and value; times and qualities in runs over them.
   * @param {{ id: number, now: number, d: any[], at: number[], q: any[] }} message
   */
  function delta(message) {
    const points = orders.get(message.id);
    if (!points) return; // of a subscription given up meanwhile
    batch(() => {
      const { d, at, q } = message;
      let index = 0;
      let time = 0; // where the runs of this pair begin, and how much of them is used
      let timed = 0;
      let doubt = 0;
      let doubted = 0;
      for (let i = 0; i + 1 < d.length; i += 2) {
        index += d[i];
        const address = points[index];
        if (address !== undefined) put(address, { v: d[i + 1], q: q[doubt], r: q[doubt + 1] ?? null, at: message.now + (at[time] ?? 0) });
        timed += 1;
        if (timed === at[time + 1]) [time, timed] = [time + 2, 0];
        doubted += 1;
        if (doubted === q[doubt + 2]) [doubt, doubted] = [doubt + 3, 0];
      }
    });
  }

  /**
   * @param {string} address
   * @param {Live} value
   */
  function put(address, value) {
    const found = cells.get(address);
    if (found && found.users > 0) found.signal.value = value;
  }

  function resync() {
    orders.clear();
    for (const id of subscriptions.keys()) announce(id);
    revision.value += 1;
  }

  // ---- events

  /** @param {LogEvent} message */
  function event(message) {
    known = Math.max(known, message.seq);
    if (seen === null || message.seq <= seen) return;
    if (!filling && message.seq === seen + 1) tell(message, false);
    else fill(false);
  }

  /**
   * @param {LogEvent} message
   * @param {boolean} missed
   */
  function tell(message, missed) {
    seen = message.seq;
    for (const listener of listeners) listener(message, missed);
  }

  /**
   * Reads what lies between the last event told and the last one known.
   * @param {boolean} missed it happened while nobody was listening
   */
  async function fill(missed) {
    if (filling || seen === null || seen >= known) return;
    filling = true;
    try {
      while (seen < known) {
        const page = await world.events(seen);
        known = Math.max(known, page.last);
        for (const item of page.items) if (item.seq > seen) tell(item, missed);
        if (page.items.length === 0) seen = known; // those before are no longer kept
      }
    } catch {
      world.later(() => fill(missed), 2_000);
    } finally {
      filling = false;
    }
  }

  /**
   * Hears every event from now on, until the returned function is called.
   * @param {Listener} listener
   */
  function listen(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** Tells the server whether anybody can see the values. @param {boolean} value */
  function setHidden(value) {
    hidden = value;
    if (greeted && !overSse) wire?.send({ t: 'vis', hidden });
    if (!hidden) hurry();
  }

  function start() {
    downSince = world.steady();
    heard = mark();
    open();
    const loop = () => {
      watch();
      world.later(loop, WATCH_MS);
    };
    loop();
  }

  return { link, second, outdated, now, silence, cell, subscribe, listen, start, hurry, setHidden };
}

// ---- what many events ask for

/**
 * Says how long to wait before it is done again: nothing after a rest, `least` behind the first, then twice as long each time,
 * `most` at last. Times in milliseconds; the caller waits that long and then does it.
 * @param {{ least: number, most: number }} pauses
 * @returns {(now: number) => number}
 */
export function pace({ least, most }) {
  let last = -Infinity;
  let pause = least;
  return (now) => {
    pause = now - last > most ? least : Math.min(2 * pause, most);
    const wait = Math.max(0, last + pause - now);
    last = now + wait;
    return wait;
  };
}

// ---- the browser

/** @param {WireEvents} on @returns {Wire} */
function openSocket(on) {
  const url = new URL('/api/v1/live', location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(url);
  socket.onopen = on.opened;
  socket.onmessage = (event) => on.message(event.data);
  socket.onclose = on.closed;
  return {
    send: (message) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
    },
    close: () => socket.close(),
  };
}

/** @type {World['stream']} */
function openStream(points, after, on) {
  const source = new EventSource(`/api/v1/stream${query({ points: points.join(','), after })}`);
  source.onopen = on.opened;
  source.onmessage = (event) => on.message(event.data);
  source.onerror = on.closed;
  return { send: () => {}, close: () => source.close() };
}

export const live = createLive({
  socket: openSocket,
  stream: openStream,
  events: (after) => get(`/events${query({ after, limit: 1000 })}`),
  steady: () => performance.now(),
  wall: () => Date.now(),
  random: Math.random,
  later: (run, ms) => setTimeout(run, ms),
  cancel: (timer) => clearTimeout(timer),
});

/** Starts the connection and ties it to the tab's life. Called once, by app.js. */
export function startLive() {
  document.addEventListener('visibilitychange', () => live.setHidden(document.hidden));
  window.addEventListener('online', live.hurry);
  window.addEventListener('pageshow', live.hurry);
  live.start();
  if (document.hidden) live.setHidden(true);
}
