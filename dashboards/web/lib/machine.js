// What a system and a machine are judged by: how far a machine deviates, and whether what feeds it can
// be relied on. Pure; the pages hand in the values.

/** @typedef {import('./types').Alarm} Alarm */
/** @typedef {import('./types').Feed} Feed */
/** @typedef {import('./types').PlantPoint} PlantPoint */
/** @typedef {{ kind: 'waiting' | 'bad' | 'value', stale: boolean, value: unknown }} Seen what a point shows now */

/** How a machine deviates, the worst first: an urgent alarm is 1, a low one 4. */
export const OUTSIDE = 5;
export const BAD = 6;
export const STALE = 7;
export const NONE = 9;

/**
 * How far a point is from what it should be; alarms are told apart from it.
 * @param {PlantPoint} point
 * @param {Seen} seen
 */
export function gradeOf(point, seen) {
  if (seen.kind === 'bad') return BAD;
  if (seen.kind === 'waiting') return NONE;
  const { normal } = point;
  const outside = normal !== null && typeof seen.value === 'number' && (seen.value < normal[0] || seen.value > normal[1]);
  if (outside) return OUTSIDE;
  return seen.stale ? STALE : NONE;
}

/**
 * The worst of a machine's alarm and of its points.
 * @param {Alarm | null} alarm the worst that calls
 * @param {PlantPoint[]} points
 * @param {(point: PlantPoint) => Seen} see
 */
export function deviationOf(alarm, points, see) {
  return Math.min(alarm?.priority ?? NONE, ...points.map((point) => gradeOf(point, see(point))));
}

/** @typedef {{ medium: string, from: string[], fit: number, needs: number, lost: boolean }} Doubt */

/**
 * The feeds of a machine that not all of their sources stand behind: `fit` of `from` are in order, `needs`
 * must be. Lost: too few are.
 * @param {Feed[]} feeds
 * @param {string} asset
 * @param {(source: string) => boolean} fit whether a source is in order
 * @returns {Doubt[]}
 */
export function doubtsOf(feeds, asset, fit) {
  return feeds.filter((feed) => feed.to.includes(asset)).flatMap(({ medium, from, needs }) => {
    const count = from.filter(fit).length;
    return count === from.length ? [] : [{ medium, from, fit: count, needs, lost: count < needs }];
  });
}

/**
 * What is one hop up and down the feeds of a machine.
 * @param {Feed[]} feeds
 * @param {string} asset
 */
export function aroundOf(feeds, asset) {
  const into = feeds.filter((feed) => feed.to.includes(asset));
  const out = new Map(/** @type {[string, Set<string>][]} */ ([]));
  for (const feed of feeds) {
    if (!feed.from.includes(asset)) continue;
    const list = out.get(feed.medium) ?? new Set();
    for (const id of feed.to) list.add(id);
    out.set(feed.medium, list);
  }
  return { into, out };
}

/**
 * The points a machine is known by, what deviates among them: its key ones, else its first.
 * @param {PlantPoint[]} points
 * @param {number} most
 * @param {(point: PlantPoint) => boolean} [pressing] whether a point must be among them
 */
export function leading(points, most, pressing = () => false) {
  const key = points.filter((point) => point.key);
  const usual = (key.length > 0 ? key : points).slice(0, most);
  const first = points.filter((point) => pressing(point) && !usual.includes(point)).slice(0, most);
  return [...usual.slice(0, most - first.length), ...first];
}

/** Numbers further apart than so many times do not share an axis. */
const ALIKE = 8;

/**
 * Whether two points of a unit may share an axis, by the bands they live in: beside cylinders at 13 MPa an oxygen line that
 * falls from 0.40 to 0.30 MPa is flat.
 * @param {{ normal?: PlantPoint['normal'], range: PlantPoint['range'] }} one
 * @param {{ normal?: PlantPoint['normal'], range: PlantPoint['range'] }} other
 */
export function alike(one, other) {
  const [a, b] = [one, other].map(({ normal, range }) => Math.max(...(normal ?? range ?? [0, 0]).map(Math.abs)));
  return !a || !b || Math.max(a, b) <= ALIKE * Math.min(a, b);
}

/** A key quantity of one machine stands before any other of all. */
const KEY_WEIGHT = 1_000_000;

/**
 * The columns of a table of machines: what most of them have, key quantities first.
 * @param {PlantPoint[][]} machines
 * @param {number} most
 * @returns {PlantPoint[]} one point that stands for each quantity
 */
export function columnsOf(machines, most) {
  /** @type {Map<string, { weight: number, named: Map<string, PlantPoint[]> }>} */
  const found = new Map();
  for (const point of machines.flat()) {
    const column = found.get(point.quantity) ?? { weight: 0, named: new Map() };
    column.weight += point.key ? KEY_WEIGHT : 1;
    column.named.set(point.name.en, [...(column.named.get(point.name.en) ?? []), point]);
    found.set(point.quantity, column);
  }
  const usual = [...found.values()].sort((a, b) => b.weight - a.weight).slice(0, most);
  // Of several names of a quantity the one that most have is written above.
  return usual.flatMap(({ named }) => [...named.values()].sort((a, b) => b.length - a.length)[0]?.slice(0, 1) ?? []);
}
