import { array, assert, constantFrom, integer, oneof, property, string } from 'fast-check';
import { JsonNames, type JsonName } from './json-names';

type Step = string | number;

const follow = (names: JsonNames, path: readonly Step[]): JsonName =>
  path.reduce<JsonName>(
    (at, step) => (typeof step === 'string' ? names.member(at, step) : names.element(at, step)),
    names.document,
  );

describe('the names of places in a document', () => {
  it('are those of all containers around them and their own, however often they were asked for', () => {
    const step = oneof(
      constantFrom('id', 'Name', '', '7', '16777216'),
      string({ maxLength: 8 }),
      integer({ min: 0, max: 40 }),
    );
    const names = new JsonNames();
    assert(
      property(array(step, { maxLength: 6 }), (path) => {
        const text = ['json', ...path].join('.');
        for (let time = 0; time < 2; time++) {
          const name = follow(names, path);
          expect(name.text).toBe(text);
          expect(name.folded).toBe(text.replace(/[A-Z]/g, (letter) => letter.toLowerCase()));
        }
      }),
    );
  });

  it('are put together once for all documents that have them', () => {
    const names = new JsonNames();
    const first = follow(names, ['lines', 3, 'price']);
    expect(follow(names, ['lines', 3, 'price'])).toBe(first);
    expect(follow(names, ['lines', 4, 'price'])).not.toBe(first);
    expect(follow(names, ['lines', '3', 'price'])).not.toBe(first);
  });

  it('are kept up to a bound, and forgotten between two documents when it is reached', () => {
    const names = new JsonNames();
    const first = follow(names, ['first']);
    const document = names.document;
    for (let index = 0; index < 10_000; index++) names.member(document, `member${index}`);
    expect(document.members!.size).toBe(4096);
    expect(names.member(document, 'first')).toBe(first);
    expect(names.member(document, 'member9999')).not.toBe(names.member(document, 'member9999'));
    expect(follow(names, ['first'])).not.toBe(first);
    expect(names.document.members!.size).toBe(1);
  });

  it('are not kept where they begin with a digit, since whoever writes those can make them collide', () => {
    const names = new JsonNames();
    expect(follow(names, ['16777216', 'a']).text).toBe('json.16777216.a');
    expect(names.document.members).toBeUndefined();
  });

  it('are not kept where they are long, nor those in there', () => {
    const names = new JsonNames();
    const long = follow(names, ['x'.repeat(300)]);
    expect(names.document.members).toBeUndefined();
    names.member(long, 'below');
    names.element(long, 0);
    expect([long.members, long.elements]).toEqual([undefined, undefined]);
  });
});
