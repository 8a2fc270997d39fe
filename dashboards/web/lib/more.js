// What comes with some screens beside their code: styles, and words.

import { loadWords } from './i18n.js';

/**
 * Styles that only some screens need, before these are shown. Once each.
 * @param {string[]} names
 */
export function loadStyles(names) {
  return Promise.all(names.map((name) => {
    const { href } = new URL(`../${name}`, import.meta.url);
    if (document.head.querySelector(`link[href="${href}"]`)) return undefined;
    return new Promise((done) => {
      document.head.append(Object.assign(document.createElement('link'), { rel: 'stylesheet', href, onload: done, onerror: done }));
    });
  }));
}

/**
 * A screen that shows how readings are made.
 * @template T
 * @param {Promise<T>} module
 */
export async function withMaking(module) {
  const [loaded] = await Promise.all([module, loadWords('making'), loadStyles(['css/making.css'])]);
  return loaded;
}
