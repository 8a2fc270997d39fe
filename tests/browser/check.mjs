// Everything about the page that needs no browser and no server. `node check.mjs`
//
//  vendor      the vendored modules are those of the pinned packages
//  types       tsc --checkJs
//  floor       nothing newer than Chrome 109: minified for it and for esnext, each file must come out
//              the same; what that cannot see stands in a deny-list
//  templates   htm holds only known elements, no component (tsc cannot look into a template) and no
//              inline style (the content security policy would drop it)
//  unit        node --test unit/

import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformSync } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const web = join(here, '../../dashboards/web');

/** @param {string} folder @returns {string[]} */
function walk(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? walk(join(folder, entry.name)) : [join(folder, entry.name)]);
}

const files = walk(web).filter((file) => !file.endsWith('.d.ts'));
const scripts = files.filter((file) => file.endsWith('.js'));
const own = scripts.filter((file) => !file.includes('/vendor/'));
const styles = files.filter((file) => file.endsWith('.css'));
const name = (/** @type {string} */ file) => relative(web, file);

let failures = 0;
let passed = 0;
/** @param {string} what @param {string[]} faults */
function report(what, faults) {
  if (faults.length === 0) {
    passed += 1;
    console.log(`ok ${what}`);
    return;
  }
  failures += 1;
  console.log(`FAILED ${what}`);
  for (const fault of faults) console.log(`    ${fault}`);
}

/** Runs a tool of node_modules or node itself; its output lines if it fails. @param {string[]} argv */
function tool(argv) {
  const done = spawnSync(process.execPath, argv, { cwd: here, encoding: 'utf8' });
  return done.status === 0 ? [] : `${done.stdout}${done.stderr}`.trim().split('\n');
}

report('vendored modules are those of the pinned packages', tool(['vendor.mjs', '--check']));
report('types (tsc --checkJs)', tool([join(here, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.json']));

// ---- floor

report('nothing needs more than Chrome 109 (minified twice)', [...scripts, ...styles].flatMap((file) => {
  const loader = file.endsWith('.css') ? 'css' : 'js';
  const text = readFileSync(file, 'utf8');
  const minified = (/** @type {string} */ target) => transformSync(text, { loader, minify: true, target }).code;
  return minified('chrome109') === minified('esnext') ? [] : [`${name(file)}: esbuild rewrites it for Chrome 109`];
}));

/** What esbuild passes through although Chrome 109 lacks it. */
const TOO_NEW = {
  '.css': [
    /\bcolor-mix\(/, /\bokl(?:ab|ch)\(/, /\bl(?:ab|ch)\(/, /\b(?:rgb|hsl)a?\(\s*from\b/, /\btext-wrap\b/, /\bsubgrid\b/,
    /@starting-style\b/, /@scope\b/, /@layer\b[^{;]*\{\s*&/, /:popover-open\b/, /view-transition/, /\banchor-name\b/,
    /\blight-dark\(/, /\bfield-sizing\b/, /\b(?:animation|scroll)-timeline\b/, /\boverlay\s*:/, /\bd?svh\b/, /@media\s*\([^)]*[<>]/,
  ],
  '.js': [
    /\bstartViewTransition\b/, /\b(?:show|hide|toggle)Popover\b/, /\bAbortSignal\.any\b/, /\bPromise\.(?:withResolvers|try)\b/,
    /\b(?:Object|Map)\.groupBy\b/, /\bArray\.fromAsync\b/, /\.to(?:Sorted|Reversed|Spliced)\(/, /\.with\(/, /\bURL\.(?:canParse|parse)\b/,
    /\.isSubsetOf\(|\.symmetricDifference\(/, /\bIterator\.from\b/, /\bRegExp\.escape\b/, /\bstructuredClone\b/, /\bnavigator\.locks\b/,
    /\bcrypto\.(?:randomUUID|subtle)\b/, /\bnavigator\.clipboard\b/,
  ],
};
report('deny-list: newer CSS and APIs, and those plain http lacks', [...own, ...styles].flatMap((file) => {
  const list = file.endsWith('.css') ? TOO_NEW['.css'] : TOO_NEW['.js'];
  const text = readFileSync(file, 'utf8');
  return list.filter((pattern) => pattern.test(text)).map((pattern) => `${name(file)}: ${pattern}`);
}));

// ---- templates

const ELEMENTS = new Set(('a aside b button caption circle dd defs details dialog div dl dt figcaption figure form g h1 h2 h3 header i ' +
  'input kbd label li line main nav ol option p path pattern rect section select span strong summary svg table tbody td text textarea tfoot th ' +
  'thead time title tr ul').split(' '));

report('templates hold known elements only', own.flatMap((file) => {
  const text = readFileSync(file, 'utf8');
  const faults = [];
  if (/<\$\{/.test(text)) faults.push(`${name(file)}: a component inside a template; write h(Component, props)`);
  if (/html`[^`]*\sstyle=/.test(text)) faults.push(`${name(file)}: an inline style`);
  // Elements begin with `<` and a letter, and only templates have those outside of comments.
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  for (const [, tag = ''] of code.matchAll(/<([a-zA-Z][\w-]*)[\s>/]/g)) {
    if (!ELEMENTS.has(tag)) faults.push(`${name(file)}: <${tag}>`);
  }
  return faults;
}));

// ---- unit

const unit = spawnSync(process.execPath, ['--test', 'unit/'], { cwd: here, encoding: 'utf8' });
report('unit tests', unit.status === 0 ? [] : unit.stdout.split('\n').filter((line) => !/^\s*(ok|---|\.\.\.|duration_ms|type:)/.test(line)).slice(0, 60));
const counted = /^# pass (\d+)$/m.exec(unit.stdout);
// `unit tests` above is their frame; each of them counts too.
passed += Number(counted?.[1] ?? 0);

try {
  execFileSync('grep', ['-c', '"resolved"', 'package-lock.json'], { cwd: here });
  report('the lock file names no registry', ['package-lock.json holds "resolved" fields; npm config set omit-lockfile-registry-resolved true']);
} catch {
  report('the lock file names no registry', []);
}

console.log(`test result: ${failures === 0 ? 'ok' : 'FAILED'}. ${passed} passed; ${failures} failed; 0 ignored`);
process.exit(failures === 0 ? 0 : 1);
