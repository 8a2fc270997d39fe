import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateSync } from 'node:zlib';
import { alarming, alarmPixels, decode } from '../pixels.mjs';

/** A PNG whose lines are written with these filters; checksums are not looked at. @param {number[][]} rows RGB bytes @param {number[]} filters */
function png(rows, filters) {
  const chunk = (/** @type {string} */ kind, /** @type {Buffer} */ body) => {
    const size = Buffer.alloc(4);
    size.writeUInt32BE(body.length);
    return Buffer.concat([size, Buffer.from(kind, 'latin1'), body, Buffer.alloc(4)]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE((rows[0]?.length ?? 0) / 3, 0);
  head.writeUInt32BE(rows.length, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const lines = rows.map((row, y) => {
    const filter = filters[y] ?? 0;
    const above = rows[y - 1] ?? row.map(() => 0);
    const coded = row.map((byte, x) => {
      const [a, b, c] = [row[x - 3] ?? 0, above[x] ?? 0, x >= 3 ? above[x - 3] ?? 0 : 0];
      const p = a + b - c;
      const nearest = [a, b, c].reduce((best, one) => (Math.abs(p - one) < Math.abs(p - best) ? one : best));
      return (byte - ([0, a, b, (a + b) >> 1, nearest][filter] ?? 0)) & 255;
    });
    return Buffer.from([filter, ...coded]);
  });
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk('IHDR', head), chunk('IDAT', deflateSync(Buffer.concat(lines))), chunk('IEND', Buffer.alloc(0))]);
}

test('a PNG is read whatever filter its lines have', () => {
  const rows = Array.from({ length: 5 }, (_, y) => Array.from({ length: 21 }, (_, x) => (x * 37 + y * 91 + x * y * 13) & 255));
  const { width, height, bytes } = decode(png(rows, [0, 1, 2, 3, 4]));
  assert.deepEqual([width, height, [...bytes]], [7, 5, rows.flat()]);
  assert.throws(() => decode(Buffer.alloc(40)), /no PNG/);
});

test('the four priorities look like alarms; greys, blues, greens and near black do not', () => {
  for (const [r, g, b] of [[200, 16, 46], [240, 138, 36], [245, 211, 59], [203, 98, 212], [220, 47, 73], [244, 149, 58], [247, 218, 85], [215, 123, 221], [255, 0, 128]]) {
    assert.ok(alarming(r ?? 0, g ?? 0, b ?? 0), `${r} ${g} ${b}`);
  }
  for (const [r, g, b] of [[244, 245, 246], [11, 92, 173], [109, 179, 242], [155, 176, 196], [27, 31, 36], [60, 10, 10], [0, 160, 60]]) {
    assert.ok(!alarming(r ?? 0, g ?? 0, b ?? 0), `${r} ${g} ${b}`);
  }
});

test('the first alarming pixel is named by its place', () => {
  const grey = [230, 232, 234];
  const found = alarmPixels(png([[...grey, ...grey], [...grey, 200, 16, 46]], [0, 2]));
  assert.deepEqual(found, { count: 1, first: { x: 1, y: 1, colour: [200, 16, 46] } });
  assert.equal(alarmPixels(png([[...grey, ...grey]], [1])).count, 0);
});
