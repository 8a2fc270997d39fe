// Preact, its hooks, htm and signals under one roof: screens and parts import from here.
//
// Elements are written with htm, components with h(Component, props): the type check sees a wrong
// prop through h() and not inside a template (tests/browser/check.mjs looks into the templates).

import { h, render } from '../vendor/preact.js';
import { useEffect, useId, useRef, useState } from '../vendor/hooks.js';
import { batch, computed, effect, signal } from '../vendor/signals.js';
import htm from '../vendor/htm.js';

/** @typedef {import('../vendor/preact.js').ComponentChildren} Children */

/** @type {(strings: TemplateStringsArray, ...values: any[]) => any} */
const html = htm.bind(/** @type {any} */ (h));

/**
 * Class names from what holds.
 * @param {...(string | false | null | undefined)} names
 */
function cls(...names) {
  return names.filter(Boolean).join(' ');
}

export {
  batch, cls, computed, effect, h, html, render, signal,
  useEffect, useId, useRef, useState,
};
