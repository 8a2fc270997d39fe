// The HTTP half of the API: requests, the failure envelope, and a hook that keeps a reply fresh.

import { signal, useEffect, useRef, useState } from './ui.js';

const TIMEOUT_MS = 15_000;

/** Grows when everything fetched may be outdated: the link came back. `useGet` asks again. */
export const revision = signal(0);

/** A request that did not give what was asked. `code` is translated; the rest is for support. */
export class ApiError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {string | null} hint
   * @param {string | null} requestId
   */
  constructor(code, message, hint = null, requestId = null) {
    super(message);
    this.code = code;
    this.hint = hint;
    this.requestId = requestId;
  }
}

/**
 * @param {string} path below /api/v1
 * @param {RequestInit} init
 * @param {AbortSignal} [abort]
 * @returns {Promise<any>}
 */
async function request(path, init, abort) {
  const control = new AbortController();
  const timer = setTimeout(() => control.abort(), TIMEOUT_MS);
  const forward = () => control.abort();
  abort?.addEventListener('abort', forward);
  try {
    const reply = await fetch(`/api/v1${path}`, { ...init, signal: control.signal });
    const body = await reply.json().catch(() => null);
    if (reply.ok && body !== null) return body;
    throw new ApiError(
      body?.code ?? 'unexpected_reply', body?.message ?? `HTTP ${reply.status}`,
      body?.hint ?? null, body?.request_id ?? reply.headers.get('x-request-id'),
    );
  } catch (error) {
    if (error instanceof ApiError) throw error;
    throw new ApiError(abort?.aborted ? 'aborted' : 'unreachable', String(error));
  } finally {
    clearTimeout(timer);
    abort?.removeEventListener('abort', forward);
  }
}

/**
 * @param {string} path
 * @param {AbortSignal} [abort]
 */
export function get(path, abort) {
  return request(path, { headers: { accept: 'application/json' } }, abort);
}

/**
 * @param {string} path
 * @param {object} body
 */
export function post(path, body) {
  return request(path, {
    method: 'POST',
    headers: { accept: 'application/json', 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

/** @param {string} path */
export function remove(path) {
  return request(path, { method: 'DELETE', headers: { accept: 'application/json' } });
}

/**
 * A query string of what is set.
 * @param {Record<string, string | number | null | undefined>} values
 */
export function query(values) {
  const set = Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== '');
  return set.length === 0 ? '' : `?${new URLSearchParams(set.map(([key, value]) => [key, String(value)]))}`;
}

/**
 * @template T
 * @typedef {object} Fetched
 * @property {T | null} data the last good reply for this path
 * @property {ApiError | null} error why the last try failed; old data stays
 * @property {boolean} loading
 * @property {() => void} reload
 */

/**
 * The reply of a GET, asked again when the path changes, the link returns or `reload` is called.
 * Data of one path is never shown for another unless `keep` says the old page may stand meanwhile.
 * @template T
 * @param {string | null} path none: nothing to ask
 * @param {{ keep?: boolean }} [options]
 * @returns {Fetched<T>}
 */
export function useGet(path, options) {
  const [state, setState] = useState(
    /** @returns {{ path: string | null, data: T | null, error: ApiError | null, loading: boolean }} */
    () => ({ path, data: null, error: null, loading: path !== null }),
  );
  const [turn, setTurn] = useState(0);
  const reload = useRef(() => setTurn((n) => n + 1)).current;
  const fresh = revision.value;
  useEffect(() => {
    if (path === null) return undefined;
    const control = new AbortController();
    setState((old) => ({ ...old, loading: true }));
    get(path, control.signal).then(
      (data) => setState({ path, data, error: null, loading: false }),
      (error) => {
        if (error.code === 'aborted') return;
        setState((old) => ({ path, data: old.path === path ? old.data : null, error, loading: false }));
      },
    );
    return () => control.abort();
  }, [path, turn, fresh]);
  const current = state.path === path || options?.keep === true;
  return {
    data: path !== null && current ? state.data : null,
    error: state.path === path ? state.error : null,
    loading: state.loading || state.path !== path,
    reload,
  };
}
