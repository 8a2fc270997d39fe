// How a line, a device or a broker is doing: a mark and a word.

import { cls, h, html } from '../lib/ui.js';
import { Icon } from './basics.js';

/** @typedef {import('../lib/buses.js').DeviceWord} DeviceWord */
/** @typedef {import('../lib/buses.js').BusWord} BusWord */
/** @typedef {import('../lib/brokers.js').BrokerWord} BrokerWord */

/** The mark beside each word: what it is can be told without reading and without colour. */
const MARKS = /** @type {const} */ ({ good: 'tick', waiting: 'clock', late: 'clock', failing: 'warn', silent: 'search', turn: 'turn', cut: 'cut' });

/** @param {{ word: DeviceWord | BusWord | BrokerWord, text: string, title?: string }} p */
export function Badge({ word, text, title }) {
  return html`<span class=${cls('badge', `badge-${word}`)} title=${title}>${h(Icon, { name: MARKS[word] })}<span>${text}</span></span>`;
}

