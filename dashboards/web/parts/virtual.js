// A list of any length at the cost of what is on screen. It scrolls with the page, so that a phone
// has one scroll and the back button finds its place.
//
// Invariant: all rows are of one height. `rowHeight` is the guess until a row is drawn; then the
// drawn one counts, whatever zoom, font and width made of it.

import { h, useEffect, useRef, useState } from '../lib/ui.js';

/** Rows kept above and below what is seen: keys walk on, and a flick of the wheel finds something. */
const SPARE = 8;
/** Rows come and go by so many, not by each. */
const STRIDE = 8;

/**
 * Which rows to mount.
 * @param {number} count rows there are
 * @param {number} height of one, pixels
 * @param {number} top where the window begins, pixels below the first row's upper edge
 * @param {number} seen height of the window
 * @returns {{ from: number, to: number }} `to` is not among them
 */
export function windowOf(count, height, top, seen) {
  const first = Math.floor(top / height) - SPARE;
  const last = Math.ceil((top + seen) / height) + SPARE;
  const from = Math.floor(Math.min(Math.max(0, first), count) / STRIDE) * STRIDE;
  const to = Math.ceil(Math.max(0, last) / STRIDE) * STRIDE;
  return { from: Math.max(0, Math.min(from, count - 1)), to: Math.min(count, Math.max(to, STRIDE)) };
}

/**
 * @param {object} p
 * @param {any[]} p.rows
 * @param {number} p.rowHeight pixels, about
 * @param {(row: any, index: number) => any} p.render a keyed element of one root; `data-virtual` marks it
 * @param {(rows: any[]) => any} [p.frame] what stands around the rows, such as a table with its head
 * @param {(from: number, to: number) => void} [p.shown] told which rows are mounted
 */
export function Virtual({ rows, rowHeight, render, frame, shown }) {
  const holder = useRef(/** @type {HTMLElement | null} */ (null));
  const [height, setHeight] = useState(rowHeight);
  const [span, setSpan] = useState(() => windowOf(rows.length, rowHeight, 0, 1_000));
  const count = rows.length;
  useEffect(() => {
    let asked = 0;
    const look = () => {
      asked = 0;
      const box = holder.current?.getBoundingClientRect();
      if (!box) return;
      const drawn = holder.current?.querySelector('[data-virtual]')?.getBoundingClientRect().height ?? 0;
      if (drawn > 0 && Math.abs(drawn - height) > 0.5) setHeight(drawn);
      const next = windowOf(count, drawn || height, -box.top, window.innerHeight);
      setSpan((old) => (old.from === next.from && old.to === next.to ? old : next));
    };
    const soon = () => {
      asked ||= requestAnimationFrame(look);
    };
    look();
    window.addEventListener('scroll', soon, { passive: true });
    window.addEventListener('resize', soon);
    return () => {
      cancelAnimationFrame(asked);
      window.removeEventListener('scroll', soon);
      window.removeEventListener('resize', soon);
    };
  }, [count, height]);
  const from = Math.min(span.from, count);
  const to = Math.min(span.to, count);
  useEffect(() => shown?.(from, to), [from, to, rows]);
  const drawn = rows.slice(from, to).map((row, i) => render(row, from + i));
  // The style is set through the object model: the page's policy refuses it as an attribute.
  const style = { paddingTop: `${from * height}px`, paddingBottom: `${Math.max(0, count - to) * height}px` };
  return h('div', { ref: holder, class: 'virtual', style }, frame ? frame(drawn) : drawn);
}
