// Points by name or address, a moment after typing.

import { useEffect, useState } from './ui.js';
import { get, query } from './api.js';

/** @typedef {import('./types').Point} Point */

const TYPING_MS = 120;

/**
 * What is found; none while nothing is asked or nothing has come yet.
 * @param {string} text
 * @param {number} most
 */
export function useFound(text, most) {
  const [found, setFound] = useState(/** @type {Point[] | null} */ (null));
  const search = text.trim();
  useEffect(() => {
    if (search === '') {
      setFound(null);
      return undefined;
    }
    const control = new AbortController();
    const timer = setTimeout(() => {
      get(`/points${query({ search, limit: most })}`, control.signal).then((page) => setFound(page.items), () => {});
    }, TYPING_MS);
    return () => {
      clearTimeout(timer);
      control.abort();
    };
  }, [search, most]);
  return found;
}
