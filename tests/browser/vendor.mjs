// Remakes dashboards/web/vendor from the npm packages pinned in package-lock.json.
//
// What is changed on the way, and nothing else: the modules the first screen needs are joined into one
// file of what the page uses of them (each file costs a phone a trip), and a source-map comment goes,
// because the map is not shipped. VENDOR.json records both hashes; a Rust test (src/ui) checks the
// vendored ones, `vendor.mjs --check` both.

import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync, version } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, '../../dashboards/web/vendor');

/** Each vendored module: the package, the file in it, the name it gets. */
const MODULES = [
  { package: 'preact', source: 'dist/preact.mjs', file: 'core.js', specifier: 'preact' },
  { package: 'preact', source: 'hooks/dist/hooks.mjs', file: 'core.js', specifier: 'preact/hooks' },
  { package: 'htm', source: 'dist/htm.mjs', file: 'core.js', specifier: 'htm' },
  { package: '@preact/signals-core', source: 'dist/signals-core.mjs', file: 'core.js', specifier: '@preact/signals-core' },
  { package: '@preact/signals', source: 'dist/signals.mjs', file: 'core.js', specifier: '@preact/signals' },
  { package: 'uplot', source: 'dist/uPlot.esm.js', file: 'uplot.js' },
  { package: 'uplot', source: 'dist/uPlot.min.css', file: 'uplot.css' },
];
/** What the page uses of the joined modules. */
const CORE = `export { h, render } from 'preact';
export { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
export { batch, computed, effect, signal } from '@preact/signals';
export { default as htm } from 'htm';
`;
const HEAD = '// Types come from the packages themselves, which only the type check needs (tests/browser).\n';
const TYPES = {
  'core.d.ts': `${HEAD}${CORE}export type { ComponentChildren } from 'preact';\nexport type { Signal } from '@preact/signals';\n`,
  'uplot.d.ts': `${HEAD}export { default } from 'uplot';\n`,
};

const sha256 = (/** @type {string} */ text) => createHash('sha256').update(text).digest('hex');
const path = (/** @type {string} */ name, /** @type {string} */ file) => join(here, 'node_modules', name, file);

/** The joined modules, made small. */
function core() {
  const made = buildSync({
    stdin: { contents: CORE, resolveDir: here }, bundle: true, format: 'esm', minify: true, target: 'chrome109',
    alias: Object.fromEntries(MODULES.flatMap((module) => ('specifier' in module ? [[module.specifier, path(module.package, module.source)]] : []))), legalComments: 'none', write: false, logLevel: 'error',
  });
  return made.outputFiles[0]?.text ?? '';
}

/** @type {Map<string, string>} */
const files = new Map(Object.entries(TYPES));
files.set('core.js', core());
const records = MODULES.map((module) => {
  const manifest = JSON.parse(readFileSync(path(module.package, 'package.json'), 'utf8'));
  const source = readFileSync(path(module.package, module.source), 'utf8');
  const changes = [];
  let text = files.get(module.file) ?? source;
  if (module.file === 'core.js') changes.push(`joined with the others into one file of what the page uses, by esbuild ${version}`);
  else if (/^\/\/# sourceMappingURL=.*$/m.test(text)) {
    text = text.replace(/^\/\/# sourceMappingURL=.*\n?/m, '');
    changes.push('source map comment removed');
  }
  if (!text.endsWith('\n')) text += '\n';
  const licence = `LICENSE-${module.package.replace('@', '').replace('/', '-')}.txt`;
  files.set(licence, readFileSync(path(module.package, 'LICENSE'), 'utf8'));
  files.set(module.file, text);
  return {
    file: module.file,
    name: module.package,
    version: manifest.version,
    licence: manifest.license,
    licence_file: licence,
    source: module.source,
    source_sha256: sha256(source),
    sha256: sha256(text),
    changes,
  };
});
files.set('VENDOR.json', `${JSON.stringify({ made_by: 'tests/browser/vendor.mjs', modules: records }, null, 2)}\n`);

if (process.argv.includes('--check')) {
  const differing = [...files].filter(([file, text]) => {
    try {
      return readFileSync(join(out, file), 'utf8') !== text;
    } catch {
      return true;
    }
  });
  for (const [file] of differing) console.log(`differs from the npm package: vendor/${file}`);
  process.exit(differing.length === 0 ? 0 : 1);
}
mkdirSync(out, { recursive: true });
for (const [file, text] of files) writeFileSync(join(out, file), text);
console.log(`vendored ${records.length} modules`);
