// Preact, its hooks, htm and signals under one roof: screens and parts import from here. Also what a
// browser remembers for its person; each such signal stands where it is used.
//
// Elements are written with htm, components with h(Component, props): the type check sees a wrong
// prop through h() and not inside a template (tests/browser/check.mjs looks into the templates).

import { batch, computed, effect, h, htm, render, signal, useEffect, useId, useLayoutEffect, useRef, useState } from '../vendor/core.js';

/** @typedef {import('../vendor/core.js').ComponentChildren} Children */

/** @type {(strings: TemplateStringsArray, ...values: any[]) => any} */
const html = htm.bind(/** @type {any} */ (h));

/**
 * Class names from what holds.
 * @param {...(string | false | null | undefined)} names
 */
function cls(...names) {
  return names.filter(Boolean).join(' ');
}

const PREFIX = 'plantroom.';

/** @param {string} key */
function recall(key) {
  try {
    return localStorage.getItem(PREFIX + key);
  } catch {
    return null; // storage switched off, or no browser: everything works, it only forgets
  }
}

/**
 * A text kept on this device where the browser allows it.
 * @param {string} key
 * @param {string} fallback
 */
function remembered(key, fallback) {
  const value = signal(recall(key) ?? fallback);
  effect(() => {
    const text = value.value;
    try {
      if (text === fallback) localStorage.removeItem(PREFIX + key);
      else localStorage.setItem(PREFIX + key, text);
    } catch {
      // as above
    }
  });
  return value;
}

export {
  batch, cls, computed, effect, h, html, remembered, render, signal,
  useEffect, useId, useLayoutEffect, useRef, useState,
};
