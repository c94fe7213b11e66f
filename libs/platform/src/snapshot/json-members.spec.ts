import fc from 'fast-check';
import { atOnce } from '../slices';
import { findMembers, NotAnObject } from './json-members';

const membersOf = (text: string) => {
  const bytes = new TextEncoder().encode(text);
  const read = ({ start, end }: { start: number; end: number }): unknown =>
    JSON.parse(new TextDecoder().decode(bytes.subarray(start, end)));
  const members = [...atOnce(findMembers(bytes))];
  return Object.fromEntries(
    members.map(([name, member]) => [name, 'value' in member ? read(member.value) : member.elements.map(read)]),
  );
};

describe('the pieces of a JSON document', () => {
  it('put together are what the document says', () => {
    const documents = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 4 }));
    fc.assert(
      fc.property(documents, fc.constantFrom(undefined, 1, '\t'), (value, space) => {
        const text = JSON.stringify(value, undefined, space);
        expect(membersOf(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it.each([
    '',
    ' ',
    '[]',
    '{',
    '{"a"',
    '{"a":',
    '{"a":}',
    '{"a":1',
    '{"a":1,}',
    '{"a":[1,]}',
    '{"a":[,1]}',
    '{"a":[1 2]}',
    '{"a":1 2}',
    '{"a":1}{}',
    '{"a":1}x',
    '{a:1}',
    '{"a":"x}',
    '{"a":[{]}',
    '{"a":1,"a":2}',
    '{"\\u0061":1,"a":2}',
    '{"\\x":1}',
  ])('of %j are none', (text) => {
    expect(() => membersOf(text)).toThrow(NotAnObject);
  });

  it('that are no JSON are found out when they are read', () => {
    for (const text of ['{"a":[{]]}', '{"a":tru}', '{"a":{"b":}}', '{"a":01}']) {
      expect(() => membersOf(text)).toThrow(SyntaxError);
    }
  });

  it('are never taken from what JSON.parse refuses', () => {
    const alphabet = ['{', '}', '[', ']', ',', ':', '"', '\\', 'a', '1', ' ', 'null', '"a"', '"b":1'];
    const soup = fc.array(fc.constantFrom(...alphabet), { maxLength: 12 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(soup, (text) => {
        let read: unknown;
        try {
          read = membersOf(`{${text}}`);
        } catch {
          return;
        }
        expect(read).toEqual(JSON.parse(`{${text}}`));
      }),
      { numRuns: 5_000 },
    );
  });
});
