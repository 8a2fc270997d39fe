// A plant of any size between page and server: points and assets from GET, values from a socket that
// ticks when it is told to. The rest of the API answers as it is.

const SYSTEMS = ['electrical', 'hvac', 'medical_gas', 'lifts', 'water', 'heat', 'fire', 'environment'];
const KINDS = [
  { quantity: 'temperature', zh: '送风温度', en: 'Supply air temperature', symbol: '\u2103', unit: 'Cel', decimals: 1, normal: [18, 26] },
  { quantity: 'power', zh: '有功功率', en: 'Active power', symbol: 'kW', unit: 'kW', decimals: 1, normal: [0, 800] },
  { quantity: 'pressure', zh: '供气压力', en: 'Supply pressure', symbol: 'kPa', unit: 'kPa{gauge}', decimals: 0, normal: [380, 520] },
  { quantity: 'running', zh: '运行状态', en: 'Running', symbol: '', unit: '1', decimals: 0, normal: null },
];
const RUNNING = [{ value: 0, name: { zh: '停止', en: 'Stopped' } }, { value: 1, name: { zh: '运行', en: 'Running' } }];
/** Points of an asset. */
const PER_ASSET = 20;

/** @param {number} count of points */
export function fakePlan(count) {
  const house = { id: 'house', class: 'Building', name: { zh: '示范医院', en: 'Demo Hospital' }, parent: null, system: null };
  const floors = Array.from({ length: 20 }, (_, i) => ({ id: `floor-${i}`, class: 'Floor', name: { zh: `${i + 1}层`, en: `Floor ${i + 1}` }, parent: 'house', system: null }));
  const machines = Array.from({ length: Math.ceil(count / PER_ASSET) }, (_, i) => ({
    id: `machine-${String(i).padStart(5, '0')}`, class: 'Equipment', name: { zh: `${i + 1}号机组`, en: `Unit ${i + 1}` }, parent: `floor-${i % 20}`, system: SYSTEMS[i % SYSTEMS.length],
  }));
  const points = Array.from({ length: count }, (_, i) => {
    const kind = KINDS[i % KINDS.length] ?? KINDS[0];
    const asset = machines[Math.floor(i / PER_ASSET)]?.id ?? 'house';
    const quantity = `${kind?.quantity}_${String(i % PER_ASSET).padStart(2, '0')}`;
    return {
      id: i + 1, address: `${asset}/${quantity}`, site: 'house', asset, quantity, name: { zh: `${kind?.zh} ${(i % PER_ASSET) + 1}`, en: `${kind?.en} ${(i % PER_ASSET) + 1}` },
      unit: kind?.unit, symbol: kind?.symbol, decimals: kind?.decimals, kind: 'decimal', stale_after_ms: 15_000, hold_ms: 15_000, range: null, normal: kind?.normal ?? null,
      states: kind?.quantity === 'running' ? RUNNING : [],
    };
  });
  return { assets: [house, ...floors, ...machines], points };
}

/** A value that moves with each tick; `held` of a point is one that does not. @param {any} point @param {number} tick */
function valueOf(point, tick) {
  if (point.held !== undefined) return point.held;
  if (point.states.length > 0) return (point.id + Math.floor(tick / 7)) % 2;
  const [low, high] = point.normal ?? [0, 100];
  return Number((low + (high - low) * (0.5 + 0.3 * Math.sin(point.id + tick / 5))).toFixed(point.decimals));
}

/**
 * From now on the page has this plant. `tick()` sends every subscribed value anew. A point with `old` was last read so many
 * milliseconds ago.
 * @param {import('playwright-core').Page} page
 * @param {{ assets: any[], points: any[] }} plan
 * @param {{ start?: number }} [options] the server's time at first
 */
export async function fakePlant(page, plan, options = {}) {
  const byAddress = new Map(plan.points.map((point) => [point.address, point]));
  const state = { tick: 0, now: options.start ?? Date.now(), subscribed: /** @type {Map<number, string[]>} */ (new Map()) };
  /** @type {any} */
  let socket = null;
  const send = (/** @type {any} */ message) => socket?.send(JSON.stringify(message));
  await page.routeWebSocket(/\/api\/v1\/live$/, (opened) => {
    socket = opened;
    state.subscribed.clear();
    opened.onMessage((text) => {
      const message = JSON.parse(String(text));
      if (message.t === 'hello') send({ t: 'hi', epoch: 'fake', now: state.now, seq: 0, tz: 'Asia/Shanghai', build: 'dev' });
      if (message.t === 'unsub') state.subscribed.delete(message.id);
      if (message.t !== 'sub') return;
      const points = message.points.filter((/** @type {string} */ address) => byAddress.has(address));
      state.subscribed.set(message.id, points);
      send({ t: 'snap', id: message.id, now: state.now, points, v: points.map((/** @type {string} */ one) => valueOf(byAddress.get(one), state.tick)), q: points.map(() => 0), r: points.map(() => null), at: points.map((/** @type {string} */ one) => state.now - (byAddress.get(one).old ?? 0)) });
    });
  });
  await page.route(/\/api\/v1\/assets$/, (route) => route.fulfill({ json: { items: plan.assets } }));
  await page.route(/\/api\/v1\/alarms\?/, (route) => route.fulfill({ json: { items: [], counts: {} } }));
  await page.route(/\/api\/v1\/values/, (route) => route.fulfill({ json: {
    now: state.now, items: plan.points.map((point) => ({ point: point.address, at: state.now, received_at: state.now, at_error_ms: 0, value: valueOf(point, state.tick), quality: point.id % 50 === 0 ? 'bad' : 'good', reason: point.id % 50 === 0 ? 'timeout' : null })) } }));
  await page.route(/\/api\/v1\/points(\?|$)/, (route) => {
    const asked = new URL(route.request().url()).searchParams;
    const limit = Number(asked.get('limit') ?? 500);
    const after = asked.get('after');
    const from = after === null ? 0 : (byAddress.get(after)?.id ?? plan.points.length);
    const items = plan.points.slice(from, from + limit);
    return route.fulfill({ json: { items, next: from + limit < plan.points.length ? items.at(-1).address : null } });
  });
  return {
    state,
    /** One second passes and every value subscribed to comes anew. */
    tick() {
      state.tick += 1;
      state.now += 1_000;
      for (const [id, points] of state.subscribed) {
        const d = points.flatMap((address, i) => [i === 0 ? 0 : 1, valueOf(byAddress.get(address), state.tick)]);
        const at = points.flatMap((address) => [-(byAddress.get(address).old ?? 0), 1]);
        send({ t: 'd', id, now: state.now, d, at, q: [0, null, points.length] });
      }
      send({ t: 'hb', now: state.now });
    },
  };
}
