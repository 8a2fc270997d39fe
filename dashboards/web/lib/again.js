// A reply that is asked for again and again while somebody looks.

import { useEffect } from './ui.js';
import { useGet } from './api.js';
import { live } from './live.js';

/** An answer is old when so many questions went without one; a little longer for the way. */
const MISSED = 2;
const WAY_MS = 2_000;

/**
 * As `useGet`, with whether the answer is no longer how things are.
 * @template {{ now: number }} T
 * @param {string | null} path
 * @param {number} everyMs
 */
export function useAgain(path, everyMs) {
  const { data, error, loading, reload } = useGet(path);
  const reply = /** @type {T | null} */ (data);
  live.second.value; // ages move
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) reload();
    }, everyMs);
    document.addEventListener('visibilitychange', reload);
    return () => {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', reload);
    };
  }, [everyMs]);
  const old = live.link.value.state === 'lost' || (reply !== null && live.now() - reply.now > MISSED * everyMs + WAY_MS);
  return { reply, error, loading, reload, old };
}
