// A question asked of the server once a hand has rested, and again while somebody looks.

import { useEffect, useState } from './ui.js';
import { ApiError, post, revision } from './api.js';

/** A hand that types has rested for so long. */
const REST_MS = 350;

/**
 * The answer to a POST that only reads. While another one is on its way the old one stays.
 * @template T
 * @param {string} path
 * @param {object | null} body none: nothing to ask
 * @param {number} everyMs asked again after so long; 0: never
 */
export function useAnswer(path, body, everyMs) {
  const [state, setState] = useState(
    /** @returns {{ of: string, answer: T | null, error: ApiError | null }} */
    () => ({ of: '', answer: null, error: null }),
  );
  const [turn, setTurn] = useState(0);
  const text = body === null ? '' : JSON.stringify(body);
  const fresh = revision.value;
  useEffect(() => {
    if (text === '') {
      setState({ of: '', answer: null, error: null });
      return undefined;
    }
    let gone = false;
    /** @type {any} */
    let timer = null;
    const ask = async () => {
      try {
        const answer = await post(path, JSON.parse(text));
        if (!gone) setState({ of: text, answer, error: null });
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (!gone) setState((old) => ({ of: text, answer: old.of === text ? old.answer : null, error }));
      }
      if (!gone && everyMs > 0) timer = setTimeout(again, everyMs);
    };
    const again = () => {
      if (document.hidden) timer = setTimeout(again, everyMs);
      else ask();
    };
    timer = setTimeout(ask, state.of === '' ? 0 : REST_MS);
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [path, text, everyMs, turn, fresh]);
  return { answer: state.answer, error: state.error, waiting: text !== '' && state.of !== text, retry: () => setTurn((n) => n + 1) };
}
