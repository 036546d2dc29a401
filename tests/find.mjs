// node find.mjs WORD: the tests of all rings that the word names, one a line: RING, PLACE, NAME, KIND, with tabs between them.
// The word is a test, its class (of the page its file, of a script none), both as Class.Test, or a pattern of these with "*" for any
// characters. Read from the sources, so that nothing has to be built to find a test. Where there is none it prints the nearest names
// and exits with 1.
// PLACE: the class with its namespace, or the file below web/. KIND: "explicit" for what runs only when it is asked for, else "test".
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const programs = { webrtc: 'Oriel.WebRtc.Tests', fast: 'Oriel.Tests', linux: 'Oriel.Linux.Tests', desktop: 'Oriel.Desktop.Tests' };
const scripts = { script: 'script.sh', hosts: 'host-life.sh', machine: 'machine.sh' };
const read = (...path) => readFileSync(join(root, ...path), 'utf8');
const filesOf = (folder, ending) => readdirSync(join(root, folder), { recursive: true }).filter((path) => path.endsWith(ending)).sort();

/** A class of the file, or a test with its attributes. */
const declarations = /^(?:\w+ )*class (\w+)|\[(?:Fact|Theory)\b((?:(?!\bpublic ).)*?)\bpublic (?:(?:async )?Task|void) (\w+)\(/gms;

function* ofProgram(ring, project) {
  for (const path of filesOf(`tests/${project}`, '.cs')) {
    if (/(^|\/)(bin|obj)\//.test(path)) continue;
    const text = read('tests', project, path);
    const space = /^namespace ([\w.]+);/m.exec(text)?.[1];
    let type;
    for (const [, declared, attributes, name] of text.matchAll(declarations)) {
      if (declared) type = declared;
      else yield { ring, place: `${space}.${type}`, type, name, kind: /\bExplicit = true/.test(attributes) ? 'explicit' : 'test' };
    }
  }
}

function* ofPage() {
  for (const path of ['.test.ts', '.test.js'].flatMap((end) => [...filesOf('web/test', end)])) {
    const place = `test/${path}`;
    for (const [, name] of read('web', place).matchAll(/(?:\btest\(|\]\)\()\s*"([^"]+)"/g)) {
      yield { ring: 'web', place, type: basename(path).replace(/\.test\.[jt]s$/, ''), name, kind: 'test' };
    }
  }
}

function* ofScript(ring, path) {
  const listed = /^tests=\(([^)]*)\)/m.exec(read('tests', path))[1];
  for (const name of listed.trim().split(/\s+/)) yield { ring, place: path, name, kind: 'test' };
}

const tests = [
  ...Object.entries(programs).flatMap(([ring, project]) => [...ofProgram(ring, project)]),
  ...ofPage(),
  ...Object.entries(scripts).flatMap(([ring, path]) => [...ofScript(ring, path)]),
];

function names({ place, type, name }) {
  if (!type) return [name];
  return [name, type, `${type}.${name}`, ...(/\.[jt]s$/.test(place) ? [basename(place)] : [place, `${place}.${name}`])];
}

/** Levenshtein's. */
function distance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const above = row;
    row = [i];
    for (let j = 1; j <= b.length; j++) row[j] = Math.min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
  }
  return row[b.length];
}

/** Rings, classes and tests whose name holds the word or is a few letters away from it: the nearest, and at most two hardly farther. */
function nearest(word) {
  const plain = word.replaceAll('*', '').toLowerCase();
  const rank = (name) => {
    const lower = name.toLowerCase();
    if (plain.length > 2 && lower.includes(plain)) return (lower.length - plain.length) / 1000;
    const away = distance(plain, lower);
    return away <= Math.max(2, plain.length / 4) && away < plain.length - 1 ? away : Infinity;
  };
  const rings = [...Object.keys(programs), 'web', ...Object.keys(scripts)];
  const known = new Set([...rings, ...tests.flatMap(({ type, name }) => (type ? [type, name] : [name]))]);
  const ranked = [...known].map((name) => ({ name, rank: rank(name) })).sort((a, b) => a.rank - b.rank).slice(0, 3);
  return ranked.filter(({ rank }) => rank < ranked[0].rank + 1).map(({ name }) => name);
}

const [word] = process.argv.slice(2);
const pattern = new RegExp(`^${word.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.*')}$`);
const named = tests.filter((test) => names(test).some((name) => pattern.test(name)));
// What is explicit runs by its own name, not along with others.
const found = named.some(({ kind }) => kind === 'test') ? named.filter(({ kind }) => kind === 'test') : named;
if (found.length === 0) {
  console.log(nearest(word).join(', ').replace(/, ([^,]*)$/, ' or $1'));
  process.exit(1);
}
for (const { ring, place, name, kind } of found) console.log([ring, place, name, kind].join('\t'));
