import { processorTime } from '@sallyport/testkit';
import fc from 'fast-check';
import { bytes } from '../arbitrary-bytes.suite';
import { ByteSet, type Bytes } from '../bytes';
import { namesOnPage, ownVectors, sharedVectors, skipSharedVectors } from '../seclang-vectors.suite';
import { transformationNamed, transformations } from './registry';
import type { Transformation } from './transformation';

interface OwnVector {
  readonly says: string;
  readonly input: Bytes;
  readonly output: Bytes;
  /** What libmodsecurity 3.0.9 makes of it, where we differ on purpose. */
  readonly modsecurity?: Bytes;
}

/** Texts that make transformations do something. */
const fragments = [
  ...[
    '/',
    '..',
    './',
    '\\',
    '%',
    '%u',
    '%2',
    '%u0041',
    '+',
    '&',
    '&#',
    '&#x3c;',
    '&lt',
    ';',
    '\\u00',
    '\\x4',
    '\\ff41',
  ],
  ...[
    '/*',
    '*/',
    '<!--',
    '-->',
    '--',
    '#',
    ' ',
    '\t',
    '\n',
    '\0',
    '\xa0',
    '\xc2',
    '\xe2\x82\xac',
    '\xc0\x80',
    'A',
    '0x41',
  ],
];
const texts = fc
  .array(fc.oneof(bytes(8), fc.constantFrom(...fragments)), { maxLength: 12 })
  .map((parts) => parts.join(''));

describe.each(transformations.map((transformation) => [transformation.name, transformation] as const))(
  't:%s',
  (name, transformation) => {
    it.each(ownVectors<OwnVector>('transformations', name))('$says', ({ input, output }) => {
      expect(transformation.apply(input)).toBe(output);
    });

    it('leaves a value without a trigger byte as it is', () => {
      const { trigger } = transformation;
      if (!trigger) return;
      const untouched = bytes(64).map((value) =>
        [...value].filter((byte) => !trigger.has(byte.charCodeAt(0))).join(''),
      );
      fc.assert(fc.property(untouched, (value) => transformation.apply(value) === value));
    });

    it('brings in no other bytes than it says', () => {
      const { adds, escapes = new ByteSet() } = transformation;
      if (!adds) return;
      const plain = texts.map((value) => [...value].filter((byte) => !escapes.has(byte.charCodeAt(0))).join(''));
      fc.assert(
        fc.property(plain, (value) =>
          [...transformation.apply(value)].every((byte) => value.includes(byte) || adds.has(byte.charCodeAt(0))),
        ),
      );
    });

    it('makes no more of a value than it says', () => {
      const { perByte = Infinity } = transformation;
      fc.assert(
        fc.property(texts, (value) => transformation.apply(value).length <= value.length * perByte || value === ''),
      );
    });

    it('makes nothing of what is left over of its blocks', () => {
      const { perByte = Infinity, block = 1 } = transformation;
      if (block === 1) return;
      fc.assert(
        fc.property(texts, (value) => {
          const blocks = Math.floor(value.length / block);
          return transformation.apply(value).length <= blocks * block * perByte;
        }),
      );
    });

    it('makes nothing of a value with a byte that empties it', () => {
      const { emptiedBy } = transformation;
      if (!emptiedBy) return;
      const empties = (value: Bytes) => [...value].some((byte) => emptiedBy.bytes.has(byte.charCodeAt(0)));
      const spares = (value: Bytes) => [...value].some((byte) => emptiedBy.unless.has(byte.charCodeAt(0)));
      const emptied = fc
        .tuple(fc.oneof(texts, fc.base64String()), bytes(1), fc.base64String())
        .map((parts) => parts.join(''))
        .filter((value) => empties(value) && !spares(value));
      fc.assert(fc.property(emptied, (value) => transformation.apply(value) === ''));
    });

    it('gives bytes for any bytes, and throws at none', () => {
      fc.assert(fc.property(texts, (value) => isBytes(transformation.apply(value))));
    });

    it('takes time in proportion to the value', () => {
      for (const fragment of fragments) expect(slowdown(transformation, fragment)).toBeLessThan(PROPORTIONATE);
    });
  },
);

function isBytes(value: string): boolean {
  return /^[\0-\xff]*$/.test(value);
}

/** A value that is eight times as long would take 64 times as long if time grew with its square. */
const PROPORTIONATE = 40;

/** How many times longer a value takes that is eight times as long; measured again, twice at most, where that looks like more than proportion. */
function slowdown(transformation: Transformation, fragment: Bytes): number {
  const short = fragment.repeat(4_000);
  const long = fragment.repeat(32_000);
  transformation.apply(short);
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 3 && least >= PROPORTIONATE; round++) {
    least = Math.min(least, secondsOf(transformation, long) / Math.max(secondsOf(transformation, short), 1e-3));
  }
  return least;
}

/** The least of some: the collector and the compiler work beside any single one. */
function secondsOf(transformation: Transformation, value: Bytes): number {
  const times = Array.from({ length: 7 }, () => {
    const spent = processorTime();
    transformation.apply(value);
    return spent() / 1000;
  });
  return Math.min(...times);
}

describe('the registry of transformations', () => {
  it('knows each name in any letter case', () => {
    expect(transformationNamed('URLDECODEUNI')?.name).toBe('urlDecodeUni');
    expect(transformationNamed('utf8tounicode')?.name).toBe('utf8toUnicode');
  });

  it('knows both spellings of normalising', () => {
    expect(transformationNamed('normalizePath')).toBe(transformationNamed('normalisePath'));
    expect(transformationNamed('normalizePathWin')).toBe(transformationNamed('normalisePathWin'));
  });

  it('knows nothing else', () => {
    expect(transformationNamed('none')).toBeUndefined();
    expect(transformationNamed('')).toBeUndefined();
  });
});

describe('the reference page', () => {
  it('names every transformation', () => {
    const names = namesOnPage('Transformations');
    expect(transformations.map(({ name }) => name).filter((name) => !names.includes(name))).toEqual([]);
  });
});

describe('the shared vectors of transformations', () => {
  const shared = sharedVectors('transformations');
  if (!shared) return skipSharedVectors('transformations');

  it.each([...shared])('t:%s', (name, cases) => {
    const transformation = transformationNamed(name)!;
    for (const { input, output } of cases) expect([input, transformation.apply(input)]).toEqual([input, output]);
  });
});
