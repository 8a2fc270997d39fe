// What colours a screenshot holds. A PNG is read here, without a browser: the page's own policy
// forbids it to look at pictures that are not its own.

import { inflateSync } from 'node:zlib';

/** Bytes of a pixel by PNG colour type: grey, RGB, grey with alpha, RGBA. */
const CHANNELS = new Map([[0, 1], [2, 3], [4, 2], [6, 4]]);

/** The predictor of PNG filter 4 (PNG specification, 9.4). @param {number} a left @param {number} b above @param {number} c above left */
function paeth(a, b, c) {
  const p = a + b - c;
  const [pa, pb, pc] = [Math.abs(p - a), Math.abs(p - b), Math.abs(p - c)];
  if (pa <= pb && pa <= pc) return a;
  return pb <= pc ? b : c;
}

/**
 * Eight bits a channel, not interlaced: what a browser writes.
 * @param {Buffer} png
 */
export function decode(png) {
  if (png.readUInt32BE(0) !== 0x89504e47) throw new Error('no PNG');
  const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)];
  const channels = CHANNELS.get(png[25] ?? -1);
  if (png[24] !== 8 || channels === undefined || png[28] !== 0) throw new Error('not a PNG of this kind');
  /** @type {Buffer[]} */
  const data = [];
  for (let at = 8; at + 8 <= png.length;) {
    const size = png.readUInt32BE(at);
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT') data.push(png.subarray(at + 8, at + 8 + size));
    at += size + 12;
  }
  const lines = inflateSync(Buffer.concat(data));
  const stride = width * channels;
  const bytes = new Uint8Array(stride * height);
  for (let y = 0; y < height; y += 1) {
    const filter = lines[y * (stride + 1)] ?? 0;
    for (let x = 0; x < stride; x += 1) {
      const at = y * stride + x;
      const raw = lines[y * (stride + 1) + 1 + x] ?? 0;
      const a = x >= channels ? bytes[at - channels] ?? 0 : 0;
      const b = y > 0 ? bytes[at - stride] ?? 0 : 0;
      const c = x >= channels && y > 0 ? bytes[at - stride - channels] ?? 0 : 0;
      bytes[at] = raw + (filter === 1 ? a : filter === 2 ? b : filter === 3 ? (a + b) >> 1 : filter === 4 ? paeth(a, b, c) : 0);
    }
  }
  return { width, height, channels, bytes };
}

const SATURATION = 0.55;
/** Magenta is told from grey sooner, and the mark of low priority is no more saturated than this. */
const SATURATION_MAGENTA = 0.4;
const MAGENTA = { from: 285, to: 330 };
/** Below this brightness a hue is not seen, and rounding makes any. */
const DARK = 0.25;
/** Degrees: magenta over red and orange to yellow. */
const HUES = { from: 285, to: 70 };

/** Whether a colour looks like an alarm. @param {number} r @param {number} g @param {number} b from 0 to 255 */
export function alarming(r, g, b) {
  const most = Math.max(r, g, b);
  const span = most - Math.min(r, g, b);
  if (most < DARK * 255 || span <= SATURATION_MAGENTA * most) return false;
  const sixth = most === r ? ((g - b) / span + 6) % 6 : most === g ? (b - r) / span + 2 : (r - g) / span + 4;
  const hue = sixth * 60;
  if (hue >= MAGENTA.from && hue <= MAGENTA.to) return true;
  return span > SATURATION * most && (hue >= HUES.from || hue <= HUES.to);
}

/**
 * Pixels of a screenshot that look like an alarm, and where the first one is.
 * @param {Buffer} png
 */
export function alarmPixels(png) {
  const { width, channels, bytes } = decode(png);
  if (channels < 3) return { count: 0, first: null };
  let count = 0;
  /** @type {{ x: number, y: number, colour: number[] } | null} */
  let first = null;
  for (let at = 0; at < bytes.length; at += channels) {
    const [r = 0, g = 0, b = 0] = bytes.subarray(at, at + 3);
    if (!alarming(r, g, b)) continue;
    count += 1;
    const pixel = at / channels;
    first ??= { x: pixel % width, y: Math.floor(pixel / width), colour: [r, g, b] };
  }
  return { count, first };
}
