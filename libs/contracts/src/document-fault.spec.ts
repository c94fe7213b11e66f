import { documentFault } from './document-fault';

const nested = (levels: number): unknown => JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`);

describe('a document', () => {
  it('is sound when everything in it can be stored', () => {
    for (const value of [undefined, null, 1, 'a', '😀', { a: [{ b: 'ü' }] }, nested(128), Buffer.from('\0')]) {
      expect(documentFault(value)).toBeUndefined();
    }
  });

  it.each([
    ['U+0000 in a text', { a: [{ 'b/c': 'x\0' }] }, '/a/0/b~1c'],
    ['half a surrogate pair', { a: '\ud800' }, '/a'],
    ['such a character in a name', { a: { 'b\udc00': 1 } }, '/a'],
  ])('is not, with %s', (_, value, pointer) => {
    expect(documentFault(value)).toMatchObject({ pointer, code: 'unstorable' });
  });

  it('is not when one part of it stands in so many places that nobody gets through', () => {
    const spread = (part: unknown, levels: number): unknown =>
      levels === 0 ? part : spread(Array(100).fill(part), levels - 1);
    expect(documentFault(spread('a', 3))).toBeUndefined();
    expect(documentFault(spread('a', 5))).toMatchObject({ code: 'too_large' });
  });

  it('is not when it nests without end, or holds itself', () => {
    expect(documentFault(nested(130))).toMatchObject({ code: 'too_deep' });
    expect(documentFault(nested(100_000))).toMatchObject({ code: 'too_deep' });
    const itself: unknown[] = [];
    itself.push({ a: itself });
    expect(documentFault(itself)).toMatchObject({ code: 'too_deep' });
  });
});
