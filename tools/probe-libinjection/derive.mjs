// Derives the data of libs/waf/src/injection/sqli from what the library answers, and from nothing else:
//
//   node tools/probe-libinjection/derive.mjs [--sweep 4] [--random 2000000] [FILE…]
//
// Words: each candidate stands in sentences whose fingerprint shows its class. Candidates are the words that are known, all
// strings of up to --sweep characters, and those of the files (reserved words and functions as databases publish them).
// Fingerprints: rows of up to four tokens of every class, and random longer ones, are folded by our own tokenizer; each
// fingerprint that has not been seen is put to the library, whose answer says whether it is one of an attack.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const require = createRequire(import.meta.url);
require('../typescript.cjs');
const root = join(import.meta.dirname, '../..');
const { compiled } = require(join(root, 'test/conformance/oracle/oracle.ts'));
const { probe } = require(join(root, 'test/conformance/oracle/probe.ts'));
const { readSql } = require(join(root, 'libs/waf/src/injection/detect-sqli.ts'));
const { isAttack } = require(join(root, 'libs/waf/src/injection/sqli/false-positives.ts'));
const { wordsByKind } = require(join(root, 'libs/waf/src/injection/sqli/words.data.ts'));
const { fingerprints } = require(join(root, 'libs/waf/src/injection/sqli/fingerprints.data.ts'));

const { values, positionals } = parseArgs({
  options: { sweep: { type: 'string', default: '4' }, random: { type: 'string', default: '2000000' } },
  allowPositionals: true,
});
const program = compiled('probe-libinjection/probe');
if (program === undefined) throw new Error('Needs g++ and libmodsecurity-dev.');
const version = spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout.trim();

const fingerprintOf = (texts) => probe(program, 'sqli', texts).map(({ fingerprint }) => fingerprint);

/** Class of each candidate, from three sentences it stands in; undefined where they do not tell. */
function classify(words) {
  const within = (sentence) => fingerprintOf(words.map((word) => sentence.replace('W', () => word)));
  const [quoted, selected, before] = ["' W '1'='1", '1 UNION SELECT 1 W 1', 'W UNION SELECT 1'].map(within);
  return words.map((_, at) => {
    const shown = /^s([^o])sos$/.exec(quoted[at])?.[1];
    if (shown !== undefined) return shown;
    if (quoted[at] === 'sos') return selected[at] === '1UE1' ? 'o' : 't';
    const byEnd = { '1UE1n': 'n', '1UE1f': 'f' }[selected[at]];
    return byEnd ?? (before[at] === '1UE1' ? '1' : undefined);
  });
}

function deriveWords() {
  const table = Object.fromEntries(
    Object.entries(wordsByKind).map(([kind, text]) => [kind, text.trim().split(/[,\n]+/)]),
  );
  const known = new Set(Object.values(table).flat());
  const swept = Array.from({ length: Math.max(0, Number(values.sweep) - 1) }, (_, at) =>
    spawnSync(program, ['--sweep', String(at + 2)], { encoding: 'utf8', maxBuffer: 1 << 28 }).stdout.split('\n'),
  ).flat();
  const published = positionals.flatMap((file) =>
    readFileSync(file, 'utf8')
      .toUpperCase()
      .split(/[^A-Z0-9_.]+/),
  );
  const candidates = [...new Set([...swept, ...published])].filter(
    (word) => /^[A-Z_][A-Z0-9_.]{1,30}$/.test(word) && !known.has(word) && !known.has(word.split('.')[0]),
  );
  classify(candidates).forEach((kind, at) => {
    if (kind !== undefined && kind !== 'n') (table[kind] ??= []).push(candidates[at]);
  });
  return table;
}

const classes = [
  ...[
    'AGAINST',
    'INTO OUTFILE',
    'IN',
    'EXCEPT',
    'HAVING',
    'UPDATE',
    'INT',
    'ASCII',
    'foo',
    'a_b',
    '7',
    '@a',
    '$$x$$',
    '=',
  ],
  ...['&&', 'COLLATE', 'GOTO', '{', '}', '(', ')', ',', '.', ': ', ';', ']', '/*!x*/', '\\'],
];
const comments = ['/*x*/', '--', '--x', '--xyz\n'];
const longer = [
  ...[
    'SIMILAR TO',
    '$$x$$ $$y$$',
    '( (',
    ') )',
    '; ;',
    'INT INT',
    '*',
    '::',
    '+',
    '-',
    'NOT',
    'LIKE',
    'USER',
    'IF',
    '=7',
  ],
  ...['UNION ALL', '{ foo', 'GROUP BY', '7, 7', 'foo.foo', 'XOR', 'CURRENT_USER', '\\N', 'NOT IN'],
];

/** One value for each fingerprint the tokenizer makes that the library could call an attack. */
function valuesByFingerprint() {
  const found = new Map();
  const consider = (value) => {
    const finding = readSql(value, 0, 'ansi');
    const key = finding.fingerprint.toUpperCase();
    if (key !== '' && !found.has(key) && isAttack(finding)) found.set(key, value);
  };
  const pieces = [...classes, ...comments];
  for (const a of pieces)
    for (const b of pieces) {
      for (const joined of [`${a} ${b} `, `${a}${b}`, `${a} ${b}=7`, `${a}=7 ${b}`]) consider(joined);
      for (const c of pieces) for (const d of [...pieces, '']) consider(`${a} ${b} ${c} ${d} `);
    }
  const any = [...pieces, ...longer];
  const oneOf = (list) => list[Math.floor(Math.random() * list.length)];
  for (let made = 0; made < Number(values.random); made++) {
    const length = 3 + Math.floor(Math.random() * 7);
    // Every other row is of few pieces, with strings in a row among them: those fold late, when what is behind them was read.
    const from = made % 2 === 0 ? any : ['$$x$$ $$y$$', ...Array.from({ length: 3 }, () => oneOf(any))];
    consider(Array.from({ length }, () => oneOf(from)).join(' ') + ' ');
  }
  return found;
}

/** Two fingerprints need a value that begins inside of quotes. */
const quotedFingerprints = [
  ['SOS', "'='"],
  ['S&S', "'or'"],
];

function deriveFingerprints() {
  const asked = [...valuesByFingerprint(), ...quotedFingerprints];
  const answers = fingerprintOf(asked.map(([, value]) => value));
  const attacks = asked.filter(([key], at) => answers[at].toUpperCase() === key).map(([key]) => key);
  // What an earlier, longer run observed stays: a fingerprint that is not met again is not refuted.
  return [...new Set([...fingerprints.trim().split(/\s+/), ...attacks])].sort();
}

function lines(items, separator) {
  const rows = [''];
  for (const item of items) {
    const last = rows.length - 1;
    const longerRow = rows[last] === '' ? item : `${rows[last]}${separator}${item}`;
    if (longerRow.length > 118) rows.push(item);
    else rows[last] = longerRow;
  }
  return rows.join('\n');
}

function header(what, data) {
  const sum = createHash('sha256').update(data).digest('hex');
  const date = new Date().toISOString().slice(0, 10);
  return `// ${what}.\n// Observed by tools/probe-libinjection/derive.mjs from ${version}, ${date}.\n// sha256 of the text below: ${sum}\n\n`;
}

const folder = join(root, 'libs/waf/src/injection/sqli');
const table = deriveWords();
const words = Object.keys(table)
  .sort()
  .map(
    (kind) =>
      `  ${/^[A-Za-z]$/.test(kind) ? kind : `'${kind}'`}: \`\n${lines([...new Set(table[kind])].sort(), ',')}\`,`,
  )
  .join('\n');
const wordsText = `export const wordsByKind: Readonly<Record<string, string>> = {\n${words}\n};\n`;
writeFileSync(
  join(folder, 'words.data.ts'),
  header('The words of SQL by the class of token that they are', wordsText) + wordsText,
);
const all = deriveFingerprints();
const fingerprintsText = `export const fingerprints = String.raw\`\n${lines(all, ' ')}\n\`;\n`;
writeFileSync(
  join(folder, 'fingerprints.data.ts'),
  header('The fingerprints of attacks, in upper case', fingerprintsText) + fingerprintsText,
);
console.log(`${version}: ${Object.values(table).flat().length} words, ${all.length} fingerprints`);
