// One uPlot chart of the trend explorer: lines with bands, or one point of states as steps; doubt
// shaded, one cursor and one span for all charts, and the hands that move them.
//
// `createPlot` draws and knows no component; `Plot` keeps one on the page. The canvas is silent to a
// screen reader: the words are beside it, the numbers in the tables below.

import uPlot from '../vendor/uplot.js';
import { effect, html, signal, useEffect, useRef } from '../lib/ui.js';
import { number } from '../lib/i18n.js';
import { tickDecimals, valueTicks } from '../lib/chart.js';
import { civilTicks, lone, tickWords, zoomed } from '../lib/trend.js';

/** @typedef {import('../lib/trend.js').Trace} Trace */
/** @typedef {{ from: number, to: number }} View */
/** @typedef {ReturnType<typeof coloursOf>} Colours */
/**
 * @typedef {object} Line
 * @property {number} slot which colour and dash it has on the whole page
 * @property {0 | 1} axis
 * @property {string} past the shift of an overlay: thinner, paler, without band; empty: now
 * @property {boolean} solid it is alone on its chart and needs no dash
 */
/**
 * @typedef {object} Shape all that needs a new chart when it changes
 * @property {Line[]} lines
 * @property {string[]} units of the axes
 * @property {{ value: number, name: string }[] | null} levels of a point of states
 * @property {number} gutter pixels beside the plot, the same on every chart
 * @property {boolean} right whether any chart has a second axis
 */
/**
 * @typedef {object} Hands
 * @property {(view: View, how: 'drag' | 'turn') => void} move
 * @property {(at: number | null) => void} point
 */

export const COLOURS = 6;
/** From the seventh line on a dash tells apart what has the same colour. CSS pixels. */
export const DASHES = [[], [6, 3], [2, 3], [10, 3, 2, 3]];
/** An overlay has a dash of its own. @type {Record<string, number[]>} */
export const PAST = { '1d': [1, 3], '7d': [5, 3], '1y': [9, 3, 1, 3] };
const TOP = 20;
const AXIS = 28;
/** A strip of doubt under the lines of several points. CSS pixels. */
const STRIP = 5;
/** Values further apart than this get dots. CSS pixels. */
const ROOMY = 8;
const LEVEL_ROOM = 0.5;
const DRAG_MIN = 6;
const TURN = 1.25;

/** What stands around the plotting area of a chart of this shape. CSS pixels. @param {Pick<Shape, 'units' | 'gutter' | 'right'>} shape */
export function edgesOf({ units, gutter, right }) {
  // One axis: the other side keeps its room, so that the charts stand over each other.
  return { left: gutter, right: units.length > 1 || right ? gutter : 12, top: TOP, bottom: AXIS };
}

/** @param {string} hex @param {number} alpha */
function paler(hex, alpha) {
  const [r, g, b] = [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
  return `rgba(${r}, ${g}, ${b}, ${alpha})`;
}

/** The tokens as they are now. */
export function coloursOf() {
  const style = getComputedStyle(document.documentElement);
  const token = (/** @type {string} */ name) => style.getPropertyValue(`--${name}`).trim();
  return {
    surface: token('surface'), text: token('text'), quiet: token('text-2'), line: token('line'), control: token('line-control'),
    font: `12px ${token('font')}`, series: Array.from({ length: COLOURS }, (_, i) => token(`series-${i + 1}`)),
  };
}

/** @param {Colours} colours @param {Line} line */
function strokeOf(colours, line) {
  const colour = colours.series[line.slot % COLOURS] ?? colours.text;
  return line.past ? paler(colour, 0.7) : colour;
}

/** @param {Line} line */
function dashOf(line) {
  return line.past ? PAST[line.past] ?? [] : line.solid ? [] : DASHES[Math.floor(line.slot / COLOURS) % DASHES.length] ?? [];
}

/** @param {Colours} colours */
function hatchOf(colours) {
  const tile = document.createElement('canvas');
  const size = Math.round(7 * devicePixelRatio);
  tile.width = size;
  tile.height = size;
  const pen = tile.getContext('2d');
  if (!pen) return null;
  pen.strokeStyle = colours.quiet;
  pen.globalAlpha = 0.5;
  pen.lineWidth = 1.5 * devicePixelRatio;
  for (const shift of [-size, 0, size]) {
    pen.moveTo(shift, size);
    pen.lineTo(shift + size, 0);
  }
  pen.stroke();
  return pen.createPattern(tile, 'repeat');
}

/**
 * @param {HTMLElement} element
 * @param {Shape} shape
 * @param {{ width: number, height: number }} size
 * @param {View} view
 * @param {Colours} colours
 * @param {Hands} hands
 */
export function createPlot(element, shape, size, view, colours, hands) {
  const { lines, levels } = shape;
  const hatch = hatchOf(colours);
  /** @type {(Trace | null)[]} */
  let traces = [];
  /** @type {number[][]} values that a line would not show, by series */
  let alone = [];
  const axes = [
    { // time
      stroke: colours.quiet, font: colours.font, size: AXIS, gap: 4, grid: { show: false },
      ticks: { stroke: colours.control, width: 1, size: 5 }, border: { show: true, stroke: colours.control, width: 1 },
      splits: (/** @type {uPlot} */ u) => ticksOf(u).ticks,
      values: (/** @type {uPlot} */ u, /** @type {number[]} */ at) => at.map((one) => tickWords(one, ticksOf(u).step)),
    },
    ...shape.units.map((unit, i) => valueAxis(unit, i, shape, colours)),
  ];
  const right = shape.units.length > 1 ? 0 : edgesOf(shape).right;
  const series = lines.flatMap((line, i) => seriesOf(line, i, shape, colours, () => alone));
  const u = new uPlot({
    ...size, ms: 1, pxAlign: 0, legend: { show: false }, padding: [TOP, right, 0, 0],
    cursor: {
      y: false, points: { show: false }, drag: { x: true, y: false, setScale: false, dist: DRAG_MIN },
      bind: { dblclick: () => null, mousedown: (_, __, handler) => (event) => (event.shiftKey ? null : handler(event)) },
    },
    scales: {
      x: { time: false, auto: false, min: view.from, max: view.to },
      a: { range: (self, low, high) => (levels ? [-LEVEL_ROOM, levels.length - 1 + LEVEL_ROOM + 0.3] : padded(low, high, strips(self, traces, lines))) },
      b: { range: (self, low, high) => padded(low, high, strips(self, traces, lines)) },
    },
    axes,
    series: [{}, ...series],
    bands: lines.flatMap((line, i) => (line.past || levels ? [] : [{ series: /** @type {[number, number]} */ ([3 * i + 3, 3 * i + 2]), fill: paler(colours.series[line.slot % COLOURS] ?? colours.text, 0.2) }])),
    hooks: {
      drawAxes: [(self) => shade(self, traces, lines, colours, hatch)],
      draw: [(self) => write(self, shape, colours)],
      setSelect: [(self) => {
        if (self.select.width < DRAG_MIN) return;
        const from = self.posToVal(self.select.left, 'x');
        const to = self.posToVal(self.select.left + self.select.width, 'x');
        self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        hands.move({ from: Math.round(from), to: Math.round(to) }, 'drag');
      }],
      setCursor: [(self) => {
        const left = self.cursor.left ?? -1;
        hands.point(left < 0 ? null : Math.round(self.posToVal(left, 'x')));
      }],
    },
  }, /** @type {uPlot.AlignedData} */ ([[], ...series.map(() => [])]), element);
  const letGo = handle(u, hands);

  return {
    u,
    /** @param {(Trace | null)[]} next one for each line @param {View} now */
    setData(next, now) {
      traces = next;
      const data = aligned(next, lines, levels);
      alone = data.slice(1).map((values) => lone(/** @type {any} */ (values)));
      u.batch(() => {
        u.setData(data);
        u.setScale('x', { min: now.from, max: now.to });
      });
    },
    /** @param {View} now */
    setView(now) {
      u.setScale('x', { min: now.from, max: now.to });
    },
    /** @param {number | null} at */
    setCursor(at) {
      const left = at === null ? -10 : u.valToPos(at, 'x');
      if (Math.abs((u.cursor.left ?? -10) - left) > 0.6) u.setCursor({ left: at === null || left > u.over.clientWidth ? -10 : left, top: at === null ? -10 : 1 }, false);
    },
    destroy() {
      letGo();
      u.destroy();
    },
  };
}

/** @typedef {ReturnType<typeof createPlot>} PlotHandle */

/** @param {uPlot} u */
function ticksOf(u) {
  const { min = 0, max = 1 } = u.scales.x ?? {};
  return civilTicks(min ?? 0, max ?? 1, Math.max(2, Math.floor(u.bbox.width / devicePixelRatio / 90)));
}

/** @param {string} _unit @param {number} i @param {Shape} shape @param {Colours} colours */
function valueAxis(_unit, i, shape, colours) {
  const { levels } = shape;
  return {
    scale: i === 0 ? 'a' : 'b', side: /** @type {1 | 3} */ (i === 0 ? 3 : 1), size: shape.gutter, gap: 6, stroke: colours.quiet, font: colours.font,
    ticks: { show: false }, grid: i === 0 ? { stroke: colours.line, width: 1 } : { show: false },
    splits: (/** @type {uPlot} */ u, /** @type {number} */ _axis, /** @type {number} */ low, /** @type {number} */ high) =>
      (levels ? levels.map((_, n) => n) : valueTicks(low, high, Math.max(2, Math.floor(u.bbox.height / devicePixelRatio / 44)))),
    values: (/** @type {uPlot} */ _u, /** @type {number[]} */ at) => (levels ? levels.map((level) => (besides(shape, colours) ? level.name : String(level.value))) : at.map((one) => number(one, tickDecimals(at)))),
  };
}

/** Whether values stand far enough from each other to be seen each. @param {uPlot} u @param {number} first @param {number} last */
function roomy(u, first, last) {
  const [from, to] = [u.data[0][first] ?? 0, u.data[0][last] ?? 0];
  return u.valToPos(to, 'x') - u.valToPos(from, 'x') >= (last - first) * ROOMY;
}

/** Whether the names of states have room beside the plot; else they stand in it, numbers beside. @param {Shape} shape @param {Colours} colours */
function besides({ levels, gutter }, colours) {
  const pen = document.createElement('canvas').getContext('2d');
  if (!pen || !levels) return false;
  pen.font = colours.font;
  return levels.every(({ name }) => pen.measureText(name).width <= gutter - 8);
}

/**
 * @param {number | null} low
 * @param {number | null} high
 * @param {number} below share of the height that is kept free
 * @returns {[number, number]}
 */
function padded(low, high, below) {
  if (low === null || high === null) return [0, 1];
  const pad = (high - low) * 0.06 || Math.max(0.5, Math.abs(high) * 0.01);
  return [low - pad - ((high - low + 2 * pad) * below) / (1 - below), high + pad];
}

/** The points in doubt somewhere, which several lines show in strips. @param {(Trace | null)[]} traces @param {Line[]} lines */
function doubtfulOf(traces, lines) {
  const own = lines.flatMap((line, i) => (line.past ? [] : [{ line, marks: traces[i]?.marks ?? [] }]));
  return { single: own.length === 1, doubtful: own.filter(({ marks }) => marks.length > 0) };
}

/** The share of the height that strips take. @param {uPlot} u @param {(Trace | null)[]} traces @param {Line[]} lines */
function strips(u, traces, lines) {
  const { single, doubtful } = doubtfulOf(traces, lines);
  return single || u.bbox.height === 0 ? 0 : Math.min(0.4, (doubtful.length * (STRIP + 1) * devicePixelRatio) / u.bbox.height);
}

/**
 * The series of a line: itself, and for its band the least and the greatest, which have no stroke.
 * @param {Line} line
 * @param {number} i
 * @param {Shape} shape
 * @param {Colours} colours
 * @param {() => number[][]} alone
 * @returns {uPlot.Series[]}
 */
function seriesOf(line, i, shape, colours, alone) {
  const scale = line.axis === 0 ? 'a' : 'b';
  const stroke = strokeOf(colours, line);
  const own = {
    scale, stroke, width: line.past ? 1.25 : shape.levels ? 2.5 : 1.5, dash: dashOf(line), spanGaps: false,
    ...(shape.levels ? { paths: /** @type {any} */ (uPlot.paths).stepped({ align: 1 }) } : {}),
    points: {
      size: 5, fill: stroke, stroke, width: 0,
      show: (/** @type {uPlot} */ u, /** @type {number} */ _si, /** @type {number} */ first, /** @type {number} */ last) => !shape.levels && !line.past && roomy(u, first, last),
      filter: (/** @type {uPlot} */ _u, /** @type {number} */ si, /** @type {boolean} */ show) => (show ? null : alone()[si - 1] ?? null),
    },
  };
  const edge = { scale, stroke: 'transparent', width: 0, points: { show: false } };
  return /** @type {uPlot.Series[]} */ (shape.levels ? [own] : [own, { ...edge }, { ...edge, label: String(i) }]);
}

/**
 * All lines over one row of moments, as uPlot takes them.
 * @param {(Trace | null)[]} traces
 * @param {Line[]} lines
 * @param {Shape['levels']} levels
 * @returns {uPlot.AlignedData}
 */
function aligned(traces, lines, levels) {
  if (lines.length === 0) return [[]];
  const indexOf = new Map(levels?.map((level, i) => [level.value, i]));
  const tables = lines.map((line, i) => {
    const trace = traces[i];
    if (!trace) return levels ? [[], []] : [[], [], [], []];
    const own = levels ? trace.line.map((value) => (typeof value === 'number' ? indexOf.get(value) ?? null : value)) : trace.line;
    if (levels) return [trace.at, own];
    const band = !line.past && trace.min.length > 0;
    const none = band ? [] : new Array(trace.at.length).fill(null);
    return [trace.at, own, band ? trace.min : none, band ? trace.max : none];
  });
  const first = tables[0]?.[0];
  // Columns of one answer stand at the same moments: nothing to join.
  const same = first && tables.every(([at]) => at === first || (at?.length === first.length && at[0] === first[0] && at[at.length - 1] === first[first.length - 1] && at[at.length >> 1] === first[first.length >> 1]));
  if (same) return /** @type {any} */ ([first, ...tables.flatMap((table) => table.slice(1))]);
  return uPlot.join(/** @type {any} */ (tables));
}

/**
 * Doubt, under the lines: the whole height where one point is drawn, else a strip for each.
 * @param {uPlot} u
 * @param {(Trace | null)[]} traces
 * @param {Line[]} lines
 * @param {Colours} colours
 * @param {CanvasPattern | null} hatch
 */
function shade(u, traces, lines, colours, hatch) {
  const pen = u.ctx;
  const { left, top, width, height } = u.bbox;
  const { single, doubtful } = doubtfulOf(traces, lines);
  const strip = STRIP * devicePixelRatio;
  pen.save();
  pen.beginPath();
  pen.rect(left, top, width, height);
  pen.clip();
  doubtful.forEach(({ marks, line }, n) => {
    const [y, tall] = single ? [top, height] : [top + height - (n + 1) * (strip + devicePixelRatio), strip];
    for (const { from, to, quality } of marks) {
      const x = u.valToPos(from, 'x', true);
      const wide = Math.max(devicePixelRatio, u.valToPos(to, 'x', true) - x);
      pen.fillStyle = quality === 'bad' ? paler(colours.control, single ? 0.35 : 0.8) : hatch ?? colours.line;
      pen.fillRect(x, y, wide, tall);
    }
    if (single) return;
    pen.fillStyle = strokeOf(colours, line);
    pen.fillRect(left, y, 3 * devicePixelRatio, tall);
  });
  pen.restore();
}

/** The units over their axes, the names of states over their lines. @param {uPlot} u @param {Shape} shape @param {Colours} colours */
function write(u, shape, colours) {
  const pen = u.ctx;
  const { left, top, width } = u.bbox;
  const dpr = devicePixelRatio;
  pen.save();
  pen.font = colours.font.replace('12px', `${12 * dpr}px`);
  pen.fillStyle = colours.quiet;
  pen.textBaseline = 'alphabetic';
  shape.units.forEach((unit, i) => {
    pen.textAlign = i === 0 ? 'right' : 'left';
    pen.fillText(unit, i === 0 ? left - 6 * dpr : left + width + 6 * dpr, top - 7 * dpr);
  });
  pen.textAlign = 'left';
  if (shape.levels && !besides(shape, colours)) {
    shape.levels.forEach((level, i) => {
      const y = u.valToPos(i, 'a', true) - 5 * dpr;
      pen.fillStyle = paler(colours.surface, 0.85);
      pen.fillRect(left + 3 * dpr, y - 12 * dpr, pen.measureText(level.name).width + 6 * dpr, 15 * dpr);
      pen.fillStyle = colours.quiet;
      pen.fillText(level.name, left + 6 * dpr, y);
    });
  }
  pen.restore();
}

/**
 * Wheel zooms, shift and wheel or drag pans; one finger pans, two zoom. Dragging with a mouse is
 * uPlot's own.
 * @param {uPlot} u
 * @param {Hands} hands
 */
function handle(u, hands) {
  const over = u.over;
  /** @type {Map<number, number>} fingers by where they are */
  const fingers = new Map();
  const viewOf = () => ({ from: u.scales.x?.min ?? 0, to: u.scales.x?.max ?? 1 });
  const perPixel = () => (viewOf().to - viewOf().from) / Math.max(1, over.clientWidth);
  const pan = (/** @type {number} */ pixels) => {
    const by = pixels * perPixel();
    const { from, to } = viewOf();
    hands.move({ from: Math.round(from + by), to: Math.round(to + by) }, 'turn');
  };
  const wheel = (/** @type {WheelEvent} */ event) => {
    event.preventDefault();
    const across = event.shiftKey ? event.deltaY || event.deltaX : Math.abs(event.deltaX) > Math.abs(event.deltaY) ? event.deltaX : 0;
    if (across) return pan(across);
    const around = u.posToVal(event.clientX - over.getBoundingClientRect().left, 'x');
    return hands.move(zoomed(viewOf(), event.deltaY < 0 ? 1 / TURN : TURN, around), 'turn');
  };
  const down = (/** @type {PointerEvent} */ event) => {
    if (event.pointerType === 'mouse' && !event.shiftKey) return;
    fingers.set(event.pointerId, event.clientX);
    over.setPointerCapture(event.pointerId);
  };
  const move = (/** @type {PointerEvent} */ event) => {
    const before = fingers.get(event.pointerId);
    if (before === undefined) return;
    if (fingers.size === 1) {
      if (Math.abs(event.clientX - before) < 2) return;
      fingers.set(event.pointerId, event.clientX);
      pan(before - event.clientX);
      return;
    }
    const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1] ?? 0;
    fingers.set(event.pointerId, event.clientX);
    const [was, is] = [Math.abs(before - other), Math.abs(event.clientX - other)];
    if (was < 10 || is < 10) return;
    const middle = (event.clientX + other) / 2 - over.getBoundingClientRect().left;
    hands.move(zoomed(viewOf(), was / is, u.posToVal(middle, 'x')), 'turn');
  };
  const up = (/** @type {PointerEvent} */ event) => fingers.delete(event.pointerId);
  over.addEventListener('wheel', wheel, { passive: false });
  over.addEventListener('pointerdown', down);
  over.addEventListener('pointermove', move);
  over.addEventListener('pointerup', up);
  over.addEventListener('pointercancel', up);
  return () => {
    over.removeEventListener('wheel', wheel);
    over.removeEventListener('pointerdown', down);
    over.removeEventListener('pointermove', move);
    over.removeEventListener('pointerup', up);
    over.removeEventListener('pointercancel', up);
  };
}

// ---- on the page

/** The moment under the cursor of whichever chart it is on; none outside. */
export const cursorAt = signal(/** @type {number | null} */ (null));

/**
 * @param {object} p
 * @param {Shape} p.shape
 * @param {(Trace | null)[]} p.traces one for each line
 * @param {{ width: number, height: number }} p.size
 * @param {import('../vendor/core.js').Signal<View>} p.view
 * @param {string} p.theme anything that names the colours
 * @param {string} p.words what the picture says
 * @param {(view: View, how: 'drag' | 'turn') => void} p.move
 * @param {(plot: PlotHandle | null) => void} p.made
 */
export function Plot({ shape, traces, size, view, theme, words, move, made }) {
  const element = useRef(/** @type {HTMLElement | null} */ (null));
  const plot = useRef(/** @type {PlotHandle | null} */ (null));
  const moved = useRef(move);
  moved.current = move;
  const key = `${theme} ${JSON.stringify(shape)}`;
  useEffect(() => {
    if (!element.current) return undefined;
    const hands = { move: (/** @type {View} */ to, /** @type {'drag' | 'turn'} */ how) => moved.current(to, how), point: (/** @type {number | null} */ at) => { cursorAt.value = at; } };
    const own = createPlot(element.current, shape, size, view.peek(), coloursOf(), hands);
    plot.current = own;
    made(own);
    const stop = [
      effect(() => own.setView(view.value)),
      effect(() => own.setCursor(cursorAt.value)),
    ];
    return () => {
      for (const one of stop) one();
      own.destroy();
      plot.current = null;
      made(null);
    };
  }, [key]);
  useEffect(() => plot.current?.setData(traces, view.peek()), [traces, key]);
  useEffect(() => {
    const u = plot.current?.u;
    if (u && (u.width !== size.width || u.height !== size.height)) u.setSize(size);
  }, [size.width, size.height, key]);
  return html`<div class="plot" role="img" aria-label=${words} ref=${element}></div>`;
}
