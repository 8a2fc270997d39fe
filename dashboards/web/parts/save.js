// Files a person takes along: made in the page, without the server.

import { DASHES, coloursOf } from './plot.js';

const MARGIN = 16;
const HEAD = 32;
const KEYS = 24;

/** @param {Blob} blob @param {string} name */
export function save(blob, name) {
  const href = URL.createObjectURL(blob);
  const link = Object.assign(document.createElement('a'), { href, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(href), 10_000);
}

/**
 * Charts below each other, each under the names of its lines, in the colours now shown.
 * @param {{ canvas: HTMLCanvasElement, keys: { name: string, slot: number }[] }[]} charts
 * @param {string} title
 * @param {string} name of the file
 */
export function savePicture(charts, title, name) {
  const dpr = devicePixelRatio;
  const colours = coloursOf();
  const wide = Math.max(0, ...charts.map(({ canvas }) => canvas.width / dpr)) + 2 * MARGIN;
  const tall = charts.reduce((sum, { canvas }) => sum + KEYS + canvas.height / dpr + MARGIN, HEAD + MARGIN);
  const sheet = Object.assign(document.createElement('canvas'), { width: wide * dpr, height: tall * dpr });
  const pen = sheet.getContext('2d');
  if (!pen) return;
  pen.scale(dpr, dpr);
  pen.fillStyle = colours.surface;
  pen.fillRect(0, 0, wide, tall);
  pen.font = colours.font.replace('12px', '600 14px');
  pen.fillStyle = colours.text;
  pen.fillText(title, MARGIN, HEAD - 8);
  pen.font = colours.font;
  let y = HEAD;
  for (const { canvas, keys } of charts) {
    let x = MARGIN;
    for (const { name: words, slot } of keys) {
      pen.strokeStyle = colours.series[slot % colours.series.length] ?? colours.text;
      pen.lineWidth = 2.5;
      pen.setLineDash(DASHES[Math.floor(slot / colours.series.length) % DASHES.length] ?? []);
      pen.beginPath();
      pen.moveTo(x, y + 12);
      pen.lineTo(x + 22, y + 12);
      pen.stroke();
      pen.fillText(words, x + 28, y + 16);
      x += 28 + pen.measureText(words).width + 16;
    }
    y += KEYS;
    pen.drawImage(canvas, MARGIN, y, canvas.width / dpr, canvas.height / dpr);
    y += canvas.height / dpr + MARGIN;
  }
  sheet.toBlob((blob) => { if (blob) save(blob, name); });
}
