// What the tester shows of a question. Pure.

/** @typedef {import('./types').ExpressionResult} ExpressionResult */

/**
 * A text cut at the characters a mistake names; the server counts characters, not what a browser's
 * string is made of. An empty place at the end still has something to point at.
 * @param {string} text
 * @param {{ start: number, end: number }} at
 */
export function marked(text, at) {
  const letters = [...text];
  const start = Math.min(at.start, letters.length);
  const end = Math.max(start, Math.min(at.end, letters.length));
  return { before: letters.slice(0, start).join(''), wrong: letters.slice(start, end).join(''), after: letters.slice(end).join('') };
}

/** Line and column of a character, from 1. @param {string} text @param {number} start */
export function lineAndColumn(text, start) {
  const lines = [...text].slice(0, start).join('').split('\n');
  return { line: lines.length, column: [...(lines[lines.length - 1] ?? '')].length + 1, lines: text.split('\n').length };
}

/**
 * Digits to show of a result: those it has; of a quotient, which has many, about five that count.
 * @param {ExpressionResult} result
 */
export function resultDecimals({ value }) {
  if (typeof value !== 'number' || !Number.isFinite(value)) return 0;
  const written = /\.(\d+)(?:e|$)/.exec(String(value));
  const most = value === 0 ? 0 : Math.max(0, Math.min(9, 4 - Math.floor(Math.log10(Math.abs(value)))));
  return Math.min(written?.[1]?.length ?? (Number.isInteger(value) ? 0 : most), most);
}

/**
 * The text with a word put where the cursor stands, a space around it where there is none.
 * @param {string} text
 * @param {number} at
 * @param {string} word
 */
export function inserted(text, at, word) {
  const before = text.slice(0, at);
  const after = text.slice(at);
  const left = before === '' || /[\s(,]$/.test(before) ? '' : ' ';
  const right = after === '' || /^[\s),]/.test(after) ? '' : ' ';
  return { text: before + left + word + right + after, at: (before + left + word + right).length };
}

/**
 * What to think of a sample of a message: it has a point, would make one, is of an asset the mapping does
 * not name, or cannot be read.
 * @param {import('./types').TriedSample} sample
 * @returns {'known' | 'new' | 'unmapped' | 'failed'}
 */
export function sampleWord({ known, mapped, fault }) {
  if (fault !== null) return 'failed';
  if (!mapped) return 'unmapped';
  return known ? 'known' : 'new';
}

/** A level of a topic that can be the id of an asset. */
const NAME = /^[a-z0-9_-]{1,63}$/;
const VALUES_MAX = 8;

/**
 * The members of a JSON text that hold a number, a flag or a word, as pointers (RFC 6901) with the
 * kind a value of it has.
 * @param {string} payload
 */
export function membersOf(payload) {
  /** @type {{ pointer: string, kind: 'decimal' | 'bool' | 'text' }[]} */
  const found = [];
  /** @param {unknown} value @param {string} pointer */
  const walk = (value, pointer) => {
    if (found.length >= VALUES_MAX || value === null || Array.isArray(value)) return;
    if (typeof value !== 'object') {
      if (pointer !== '') found.push({ pointer, kind: typeof value === 'boolean' ? 'bool' : typeof value === 'string' ? 'text' : 'decimal' });
      return;
    }
    for (const [key, member] of Object.entries(value)) walk(member, `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`);
  };
  try {
    walk(JSON.parse(payload), '');
  } catch {
    return []; // a bare number or word
  }
  return found;
}

/** The name of a quantity made of a pointer: its last part, in the letters a name may have. @param {string} pointer */
function quantityOf(pointer) {
  const last = pointer.slice(pointer.lastIndexOf('/') + 1).toLowerCase().replace(/[^a-z0-9_-]+/g, '_').replace(/^_+|_+$/g, '');
  return last === '' ? 'value' : last.slice(0, 63);
}

/**
 * A table to begin with: the topic with its last level but one as the asset, and a value for each member.
 * @param {string} topic
 * @param {string} payload
 */
export function tableFor(topic, payload) {
  if (topic === '') return '';
  const levels = topic.split('/');
  const at = levels.length > 1 ? levels.length - 2 : 0;
  const captured = NAME.test(levels[at] ?? '');
  const pattern = levels.map((level, i) => (captured && i === at ? '{asset}' : level)).join('/');
  const asset = captured ? levels[at] : 'asset';
  const value = (/** @type {string} */ quantity, /** @type {string} */ more) =>
    `[[mqtt.topics.values]]\nquantity = ${JSON.stringify(quantity)}\n${more}assets = [${JSON.stringify(asset)}]\nunit = "1"\n`;
  const used = new Set();
  const values = membersOf(payload).map(({ pointer, kind }) => {
    let quantity = quantityOf(pointer);
    for (let n = 2; used.has(quantity); n += 1) quantity = `${quantityOf(pointer)}_${n}`;
    used.add(quantity);
    return value(quantity, `pointer = ${JSON.stringify(pointer)}\n${kind === 'decimal' ? '' : `type = "${kind}"\n`}`);
  });
  if (values.length === 0) values.push(value(quantityOf(`/${levels[levels.length - 1] ?? ''}`), ''));
  return `[[mqtt.topics]]\ntopic = ${JSON.stringify(pattern)}\n\n${values.join('\n')}`;
}
