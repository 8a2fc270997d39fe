// Remakes dashboards/web/vendor from the npm packages pinned in package-lock.json.
//
// What is changed on the way, and nothing else: bare specifiers become relative ones (so that no
// import map, hence no inline script, is needed under `default-src 'self'`), and the source-map
// comment goes, because the map is not shipped. VENDOR.json records both hashes; a Rust test
// (src/ui) checks the vendored ones, `vendor.mjs --check` both.

import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, '../../dashboards/web/vendor');

/** Each vendored module: the package, the file in it, the name it gets. */
const MODULES = [
  { package: 'preact', source: 'dist/preact.mjs', file: 'preact.js', specifier: 'preact' },
  { package: 'preact', source: 'hooks/dist/hooks.mjs', file: 'hooks.js', specifier: 'preact/hooks' },
  { package: 'htm', source: 'dist/htm.mjs', file: 'htm.js', specifier: 'htm' },
  { package: '@preact/signals-core', source: 'dist/signals-core.mjs', file: 'signals-core.js', specifier: '@preact/signals-core' },
  { package: '@preact/signals', source: 'dist/signals.mjs', file: 'signals.js', specifier: '@preact/signals' },
  { package: 'uplot', source: 'dist/uPlot.esm.js', file: 'uplot.js', specifier: 'uplot' },
  { package: 'uplot', source: 'dist/uPlot.min.css', file: 'uplot.css', specifier: 'uplot/css' },
];
/** Packages whose module is one default export. */
const DEFAULT_ONLY = ['uplot'];
const DEFAULT_TOO = ['htm'];

const sha256 = (/** @type {string} */ text) => createHash('sha256').update(text).digest('hex');
const path = (/** @type {string} */ name, /** @type {string} */ file) => join(here, 'node_modules', name, file);

/** @param {string} name @param {string} specifier */
function types(name, specifier) {
  const all = DEFAULT_ONLY.includes(name) ? '' : `export * from '${specifier}';\n`;
  const one = DEFAULT_ONLY.includes(name) || DEFAULT_TOO.includes(name) ? `export { default } from '${specifier}';\n` : '';
  return `// Types come from the package itself, which only the type check needs (tests/browser).\n${all}${one}`;
}

/** @type {Map<string, string>} */
const files = new Map();
const records = MODULES.map((module) => {
  const manifest = JSON.parse(readFileSync(path(module.package, 'package.json'), 'utf8'));
  const source = readFileSync(path(module.package, module.source), 'utf8');
  const changes = [];
  let text = source;
  for (const other of MODULES) {
    const bare = new RegExp(`(\\b(?:from|import)\\s*)(["'])${other.specifier}\\2`, 'g');
    if (bare.test(text)) {
      text = text.replace(bare, `$1"./${other.file}"`);
      changes.push(`specifier ${other.specifier} -> ./${other.file}`);
    }
  }
  if (/^\/\/# sourceMappingURL=.*$/m.test(text)) {
    text = text.replace(/^\/\/# sourceMappingURL=.*\n?/m, '');
    changes.push('source map comment removed');
  }
  if (!text.endsWith('\n')) text += '\n';
  const licence = `LICENSE-${module.package.replace('@', '').replace('/', '-')}.txt`;
  files.set(licence, readFileSync(path(module.package, 'LICENSE'), 'utf8'));
  files.set(module.file, text);
  if (module.file.endsWith('.js')) files.set(module.file.replace(/\.js$/, '.d.ts'), types(module.package, module.specifier));
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
