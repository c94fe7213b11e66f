import fc from 'fast-check';
import { parseStrictObject } from './strict-json';

describe('strict JSON objects', () => {
  it('reads what JSON.parse reads when no member stands twice', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 5 })), (value) => {
        for (const text of [JSON.stringify(value), JSON.stringify(value, null, 3)]) {
          expect(parseStrictObject(text)).toEqual(JSON.parse(text));
        }
      }),
    );
  });

  it('T7 refuses a member that stands twice, in any order, spelling and depth', () => {
    const gap = ' '.repeat(200);
    for (const text of [
      '{"a":1,"a":2}',
      '{"a":2,"b":{},"a":1}',
      '{"a":1,"\\u0061":2}',
      `{"a"${gap}:1,"a"\n\t:2}`,
      '{"x":{"a":1,"a":1}}',
      '{"x":[{"a":1},{"a":1,"a":2}]}',
      '{"__proto__":1,"__proto__":2}',
    ]) {
      expect(parseStrictObject(text)).toBeUndefined();
    }
  });

  it('is not misled by names and braces inside strings', () => {
    const value = { a: '"a":1,"a":2}{[', b: { a: '\\"a\\":' }, c: ['a', 'a'] };
    expect(parseStrictObject(JSON.stringify(value))).toEqual(value);
  });

  it('refuses what is not an object, not JSON, or nested beyond reason', () => {
    const deep = `{"a":${'['.repeat(3000)}${']'.repeat(3000)}}`;
    for (const text of ['', 'null', '[]', '"a"', '{', '{"a":1}x', '\ufeff{}', deep])
      expect(parseStrictObject(text)).toBeUndefined();
  });
});
