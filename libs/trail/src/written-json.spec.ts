import * as fc from 'fast-check';
import { canonicalJson } from '@sallyport/contracts';
import { after, before, name, number, objectOf, storable, text } from './written-json';

describe('JSON that is written as text', () => {
  it('has strings as a canonical writer writes them, without what Postgres cannot hold', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        expect(text(value)).toBe(canonicalJson(storable(value)));
      }),
    );
    expect(text('a\0b\ud800c')).toBe('"a\ufffdb\ufffdc"');
    expect([text('"'), text('\\'), text('\x7f'), text('\n'), text('é')]).toEqual([
      '"\\""',
      '"\\\\"',
      '"\x7f"',
      '"\\n"',
      '"é"',
    ]);
  });

  it('has names as it has strings, the first time and every other, however many there are', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        expect([name(value), name(value)]).toEqual([text(value), text(value)]);
      }),
    );
    const many = Array.from({ length: 3_000 }, (_, at) => `"${at}`);
    expect(many.map((each) => name(each))).toEqual(many.map((each) => text(each)));
    expect(many.map((each) => name(each))).toEqual(many.map((each) => text(each)));
    expect(name(undefined)).toBeUndefined();
  });

  it('has numbers as ECMAScript writes them, and null for what is none', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(number(value)).toBe(JSON.stringify(value));
      }),
    );
    expect([Number.NaN, Number.POSITIVE_INFINITY, 1e21].map((value) => number(value))).toEqual([
      'null',
      'null',
      '1e+21',
    ]);
  });

  it('has a comma only between members that are there', () => {
    expect(`{${before('a', undefined)}${before('b', '1')}"c":2${after('d', undefined)}${after('e', '3')}}`).toBe(
      '{"b":1,"c":2,"e":3}',
    );
    expect([objectOf(''), objectOf(after('a', '1')), objectOf(after('a', '1') + after('b', '2'))]).toEqual([
      '{}',
      '{"a":1}',
      '{"a":1,"b":2}',
    ]);
  });
});
