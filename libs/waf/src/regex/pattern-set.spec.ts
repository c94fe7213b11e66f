import fc from 'fast-check';
import { setBit } from '../bit-set';
import type { Bytes } from '../bytes';
import { compileRegex } from './compile-regex';
import type { Pattern } from './pattern';
import { PatternSet } from './pattern-set';
import { compileScanner } from './scanner';
import { TextPattern } from './text-pattern';
import { compileWords } from './words';

const sources = [
  'union\\s+select',
  '(?i)<script[^>]*>',
  '^GET /',
  'end$',
  '\\bor\\b.{1,10}=',
  '(?i)(?:sleep|benchmark)\\s*\\(',
  '[0-9]{3,}',
  '(\\w)\\1\\1',
  '<\\?(?!xml)',
  'a(?=b)',
  '\\n\\Z',
  '(?:.{3}x){2}',
  '',
];
const patterns: readonly Pattern[] = [
  ...sources.map((source) => compileRegex(source, { multiline: true })),
  compileRegex('end$', { multiline: false }),
  compileWords(['etc/passwd', 'Select', 'x', 'bin/sh']),
  compileWords(['\xe9\xff', ' ']),
  { required: [['needle']], test: (value) => value.includes('needle'), exec: () => undefined },
  new TextPattern('DLEend'),
  new TextPattern(''),
  ...Array.from({ length: 30 }, (_, index) => compileRegex(`id${index}\\b`, { multiline: true })),
];

const piece = fc.oneof(
  fc.constantFrom(
    'union ',
    'select',
    '<script>',
    '<?',
    'xml',
    'end',
    '\n',
    'or',
    '=',
    'sleep',
    ' (',
    'GET /',
    'id7',
    'id29',
    'DLE',
  ),
  fc.constantFrom('needle', 'etc/pass', 'wd', 'SELECT', 'aaa', 'ab', '12', '345', '\xe9', '\xff', 'x', ' ', 'bin/'),
);
const text = fc.array(piece, { maxLength: 14 }).map((pieces) => pieces.join(''));

function rowOf(bits: readonly number[]): Uint32Array {
  const row = new Uint32Array((patterns.length + 31) >>> 5);
  for (const bit of bits) setBit(row, bit);
  return row;
}

const allBits = patterns.map((_, bit) => bit);
const matching = (value: Bytes) => allBits.filter((bit) => patterns[bit]!.test(value));

describe('patterns that are looked for together', () => {
  const set = new PatternSet(patterns, (bit) => bit % 2);

  it('are those found one by one, of all that are wanted', () => {
    fc.assert(
      fc.property(text, fc.subarray(allBits), (value, wanted) => {
        const hits = rowOf([]);
        set.scan(value, set.wanted(rowOf(wanted)), hits);
        expect(hits).toEqual(rowOf(matching(value).filter((bit) => wanted.includes(bit))));
      }),
      { numRuns: 2000 },
    );
  });

  it('are those found one by one, where they are so few that they have tables of their own', () => {
    const few = fc.subarray(allBits, { maxLength: 8 });
    fc.assert(
      fc.property(text, few, fc.constantFrom(0, 100), (value, wanted, length) => {
        const long = value + 'z'.repeat(length);
        const hits = rowOf([]);
        set.scan(long, set.wanted(rowOf(wanted)), hits);
        expect(hits).toEqual(rowOf(matching(long).filter((bit) => wanted.includes(bit))));
      }),
      { numRuns: 1000 },
    );
  });

  it('are the same when others have their turn in between', () => {
    fc.assert(
      fc.property(text, text, fc.nat(9000), (value, other, length) => {
        const long = 'z'.repeat(length) + value;
        const hits = rowOf([]);
        for (const step of set.scanInSteps(long, set.wanted(rowOf(allBits)), hits)) {
          set.scan(other, set.wantedOnce(rowOf(allBits)), rowOf([]));
          void step;
        }
        expect(hits).toEqual(rowOf(matching(long)));
      }),
      { numRuns: 300 },
    );
  });

  it('keep hits that were there', () => {
    const hits = rowOf([6]);
    for (const step of set.scanInSteps('none of them', set.wanted(rowOf([3])), hits)) expect(step).toBeUndefined();
    expect(hits).toEqual(rowOf([6]));
  });
});

describe('a scanner', () => {
  const scanner = compileScanner(patterns);

  it('finds in pieces what is in the whole, however it is cut, and each pattern once', () => {
    fc.assert(
      fc.property(text, fc.array(fc.nat(60), { maxLength: 8 }), (value, cuts) => {
        const scan = scanner();
        const places = [
          0,
          ...cuts.map((cut) => Math.min(cut, value.length)).sort((one, other) => one - other),
          value.length,
        ];
        const found = places.slice(1).flatMap((place, index) => scan.write(value.slice(places[index], place)));
        found.push(...scan.end());
        expect(found.sort((one, other) => one - other)).toEqual(matching(value));
      }),
      { numRuns: 2000 },
    );
  });

  it('tells of a pattern in the piece that completes it', () => {
    const scan = scanner();
    expect(scan.write('<scr').includes(1)).toBe(false);
    expect(scan.write('ipt>').includes(1)).toBe(true);
    expect(scan.write('<script>').includes(1)).toBe(false);
  });
});

describe('a list of words', () => {
  const words = compileWords(['abc', 'bc', 'Passwd', 'swd']);

  it('is found whatever the case of ASCII letters', () => {
    expect(words.test('xaBCx')).toBe(true);
    expect(compileWords(['\xe9']).test('\xc9')).toBe(false);
    expect(words.test('ab c')).toBe(false);
    expect(compileWords([]).test('abc')).toBe(false);
  });

  it('captures the word as it is listed: the one whose end comes first, of these the longest', () => {
    expect(words.exec('xxABCd')).toEqual(['abc']);
    expect(words.exec('PASSWD')).toEqual(['Passwd']);
    expect(words.exec('none')).toBeUndefined();
  });
});
