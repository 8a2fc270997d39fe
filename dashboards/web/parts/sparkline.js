// The shape of a day in the height of a line of text: a band from least to greatest, the mean as a
// line, gaps as gaps. For the eye alone; the trend explorer has the figures and the table.

import { html } from '../lib/ui.js';
import { t } from '../lib/i18n.js';

/** @typedef {number | [number, number, number] | null} Step a number, or [least, mean, greatest]; null: a gap */

const HEIGHT = 24;
/** Room above and below, so that a line at the edge keeps its width. */
const ROOM = 2;

/**
 * Figures of `/series` columns as steps of a sparkline.
 * @param {{ min: (number | null)[], mean: (number | null)[], max: (number | null)[] }} columns
 * @returns {Step[]}
 */
export function stepsOf({ min, mean, max }) {
  return mean.map((middle, i) => {
    const [low, high] = [min[i] ?? middle, max[i] ?? middle];
    return middle === null || low === null || high === null ? null : [low, middle, high];
  });
}

/**
 * Paths of the band and of the line, one unit to a step, `HEIGHT` high; none where there is no number.
 * @param {Step[]} values
 * @param {[number, number] | null | undefined} normal in the picture too, so that flat means flat
 */
export function sparkPaths(values, normal) {
  const steps = values.map((step) => (typeof step === 'number' ? /** @type {const} */ ([step, step, step]) : step));
  const known = steps.filter((step) => step !== null);
  if (known.length === 0) return null;
  let low = Math.min(normal?.[0] ?? Infinity, ...known.map((step) => step[0]));
  let high = Math.max(normal?.[1] ?? -Infinity, ...known.map((step) => step[2]));
  if (high === low) [low, high] = [low - 1, high + 1];
  const y = (/** @type {number} */ number) => (ROOM + (1 - (number - low) / (high - low)) * (HEIGHT - 2 * ROOM)).toFixed(1);
  let band = '';
  let line = '';
  for (let from = 0; from < steps.length; from += 1) {
    if (!steps[from]) continue;
    let to = from;
    while (steps[to + 1]) to += 1;
    const run = steps.slice(from, to + 1).filter((step) => step !== null);
    // A step is as wide as it is long: one alone is still seen.
    const points = (/** @type {0 | 1 | 2} */ figure) => run.map((step, i) => `${from + i} ${y(step[figure])}L${from + i + 1} ${y(step[figure])}`);
    const back = run.map((step, i) => `${from + i + 1} ${y(step[0])}L${from + i} ${y(step[0])}`).reverse();
    band += `M${points(2).join('L')}L${back.join('L')}Z`;
    line += run.length === 1 ? `M${points(1)[0]}` : `M${run.map((step, i) => `${from + i + 0.5} ${y(step[1])}`).join('L')}`;
    from = to;
  }
  return { band, line, normal: normal ? { y: Number(y(normal[1])), height: Math.max(0, Number(y(normal[0])) - Number(y(normal[1]))) } : null };
}

/**
 * @param {object} p
 * @param {Step[] | null | undefined} p.values oldest first, evenly spaced; null while they are on their way
 * @param {[number, number] | null | undefined} [p.normal]
 */
export function Sparkline({ values, normal }) {
  if (!values) return html`<span class="spark"></span>`;
  const paths = sparkPaths(values, normal);
  if (!paths) return html`<span class="spark spark-none">${t('tile.no-history')}</span>`;
  return html`<svg class="spark" viewBox=${`0 0 ${values.length} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true" focusable="false">
    ${paths.normal && html`<rect class="spark-normal" y=${paths.normal.y} width=${values.length} height=${paths.normal.height} />`}
    <path class="spark-band" d=${paths.band} /><path class="spark-line" d=${paths.line} />
  </svg>`;
}
