import * as fc from 'fast-check';
import { canonicalJson } from '@sallyport/contracts';
import { constant, json, number, object, part, storable, text, written, type Whole } from './layout';

const writer =
  <In>(layout: Whole<In>) =>
  (input: In): string =>
    written(layout, input).toString();

interface Facts {
  readonly a: string | undefined;
  readonly inner: { readonly s: string } | undefined;
  readonly n: number;
}

const facts: fc.Arbitrary<Facts> = fc.record({
  a: fc.option(fc.string({ unit: 'grapheme' }), { nil: undefined }),
  inner: fc.option(fc.record({ s: fc.string() }), { nil: undefined }),
  n: fc.double({ noNaN: true, noDefaultInfinity: true }),
});

describe('a layout', () => {
  const write = writer(
    object<Facts>({
      a: text(({ a }) => a),
      inner: part(({ inner }) => inner, object<{ readonly s: string }>({ s: text(({ s }) => s) })),
      n: number(({ n }) => n),
      w: json(() => '["é"]'),
      z: constant({ always: ['the', 'same'] }),
    }),
  );

  it('writes what a canonical writer makes of the same document', () => {
    fc.assert(
      fc.property(facts, ({ a, inner, n }) => {
        const document = { a, inner, n, w: ['é'], z: { always: ['the', 'same'] } };
        expect(write({ a, inner, n })).toBe(canonicalJson(document));
      }),
    );
  });

  it('is refused when it is made, not when it is used, where its members are not in order', () => {
    expect(() => object({ b: constant(1), a: constant(2) })).toThrow(
      new RangeError('the member a is not in its place'),
    );
  });

  it('has a comma only between members that are there', () => {
    const write = writer(
      object<{ readonly [name: string]: string }>({
        a: text((members) => members['a']),
        b: text((members) => members['b']),
        c: text((members) => members['c']),
      }),
    );
    expect(write({})).toBe('{}');
    expect(write({ b: 'x' })).toBe('{"b":"x"}');
    expect(write({ a: '{', b: '{', c: 'y' })).toBe('{"a":"{","b":"{","c":"y"}');
  });

  it('writes null for a number that JSON does not have', () => {
    const write = writer(object<number>({ n: number((n) => n) }));
    expect([Number.NaN, Number.POSITIVE_INFINITY, -0, 1e21].map(write)).toEqual([
      '{"n":null}',
      '{"n":null}',
      '{"n":0}',
      '{"n":1e+21}',
    ]);
  });

  it('writes every number as ECMAScript does', () => {
    const write = writer(object<number>({ n: number((n) => n) }));
    const numbers = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.maxSafeInteger(),
      fc.integer(),
      fc.nat(20),
    );
    fc.assert(
      fc.property(numbers, (n) => expect(write(n)).toBe(JSON.stringify({ n }))),
      { numRuns: 2000 },
    );
    for (const n of [9, 10, 99, 100, 999_999_999_999_999, 1e15, Number.MAX_SAFE_INTEGER])
      expect(write(n)).toBe(JSON.stringify({ n }));
  });

  it('takes a document of any size, and small ones after it', () => {
    const write = writer(object<string>({ t: text((t) => t) }));
    for (const length of [1, 20_000, 3_000_000, 1, 90_000])
      for (const one of ['x', 'é', '\u0001'])
        expect(write(one.repeat(length))).toBe(JSON.stringify({ t: one.repeat(length) }));
  });

  it('gives bytes that later documents leave alone', () => {
    const layout = object<string>({ t: text((t) => t) });
    const first = written(layout, 'first');
    written(layout, 'second');
    expect(first.toString()).toBe('{"t":"first"}');
  });
});

describe('a string in a layout', () => {
  const write = writer(object<string>({ t: text((t) => t) }));

  it('is escaped as JSON escapes it, whatever it holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        expect(write(value)).toBe(JSON.stringify({ t: storable(value) }));
      }),
      { numRuns: 1000 },
    );
  });

  it.each([
    ['a quote', 'a"b', 'a\\"b'],
    ['a backslash', 'a\\b', 'a\\\\b'],
    ['control characters', 'a\u0001\u007fb', 'a\\u0001\u007fb'],
    ['a NUL', 'a\0b', 'a\ufffdb'],
    ['a lone surrogate', 'a\ud800b', 'a\ufffdb'],
    ['a whole pair of surrogates', '😀', '😀'],
  ])('with %s is written as Postgres can store it', (_, value, text) => {
    expect(write(value)).toBe(`{"t":"${text}"}`);
  });
});
