// Several PNG pictures of one size as one that moves (APNG, PNG third edition, 11.3.2), without a decoder: the pictures'
// data is taken as it is.

import { crc32 } from 'node:zlib';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** @param {Buffer} png */
function chunks(png) {
  /** @type {{ type: string, data: Buffer }[]} */
  const found = [];
  for (let at = SIGNATURE.length; at < png.length;) {
    const length = png.readUInt32BE(at);
    found.push({ type: png.toString('latin1', at + 4, at + 8), data: png.subarray(at + 8, at + 8 + length) });
    at += length + 12;
  }
  return found;
}

/** @param {string} type @param {Buffer} data */
function chunk(type, data) {
  const out = Buffer.alloc(data.length + 12);
  out.writeUInt32BE(data.length, 0);
  out.write(type, 4, 'latin1');
  data.copy(out, 8);
  out.writeUInt32BE(crc32(out.subarray(4, data.length + 8)), data.length + 8);
  return out;
}

/** @param {...number} numbers */
function words(...numbers) {
  const out = Buffer.alloc(numbers.length * 4);
  numbers.forEach((number, i) => out.writeUInt32BE(number, i * 4));
  return out;
}

/**
 * One picture that shows each of these for a while, over and over.
 * @param {Buffer[]} pictures PNG, of one size and kind
 * @param {number} ms how long each is shown
 */
export function film(pictures, ms) {
  const [first] = pictures;
  const head = first && chunks(first).find((one) => one.type === 'IHDR')?.data;
  if (!head) throw new Error('There is no picture.');
  const out = [SIGNATURE, chunk('IHDR', head), chunk('acTL', words(pictures.length, 0))];
  let number = 0;
  for (const [nth, picture] of pictures.entries()) {
    const parts = chunks(picture);
    if (!parts.find((one) => one.type === 'IHDR')?.data.equals(head)) throw new Error(`Picture ${nth} is of another kind.`);
    const delay = Buffer.alloc(6); // a fraction, then neither disposal nor blending
    delay.writeUInt16BE(ms, 0);
    delay.writeUInt16BE(1_000, 2);
    out.push(chunk('fcTL', Buffer.concat([words(number++), head.subarray(0, 8), words(0, 0), delay])));
    for (const { data } of parts.filter((one) => one.type === 'IDAT')) {
      out.push(nth === 0 ? chunk('IDAT', data) : chunk('fdAT', Buffer.concat([words(number++), data])));
    }
  }
  return Buffer.concat([...out, chunk('IEND', Buffer.alloc(0))]);
}
