// What one person prefers on this device. Kept in localStorage where the browser allows it.

import { effect, signal } from './ui.js';

const PREFIX = 'plantroom.';

/** @param {string} key */
function read(key) {
  try {
    return localStorage.getItem(PREFIX + key);
  } catch {
    return null; // storage switched off: the page works, it only forgets
  }
}

/**
 * A remembered text.
 * @param {string} key
 * @param {string} fallback
 */
function remembered(key, fallback) {
  const value = signal(read(key) ?? fallback);
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

/** `zh-CN`, `en`, or empty: as the browser says. */
export const language = remembered('language', '');

/** `auto`, `light` or `dark`. */
export const theme = remembered('theme', 'auto');

/** The name written under acknowledgements and work orders. */
export const person = remembered('person', '');

/** `on` or `off`: keys without Ctrl or Alt (WCAG 2.1.4 wants them to be switchable). */
export const singleKeys = remembered('single-keys', 'on');
