import fc from 'fast-check';
import { scanObject } from './scan';
import { setMember, splice } from './splice';

function set(text: string, name: string, json: string): string {
  const body = Buffer.from(text);
  return splice(body, [setMember(scanObject(body, [name]), name, json)]).toString();
}

describe('splice', () => {
  it('replaces the value of a member and nothing else', () => {
    expect(set('{ "a" : 1 , "model" : "x" }', 'model', '"longer"')).toBe('{ "a" : 1 , "model" : "longer" }');
  });

  it('adds a member that is missing, also to an empty object', () => {
    expect(set('{"a":1}', 'model', '"x"')).toBe('{"model":"x","a":1}');
    expect(set('{}', 'model', '"x"')).toBe('{"model":"x"}');
  });

  it('refuses edits that overlap', () => {
    const edit = { start: 1, end: 3, bytes: Buffer.alloc(0) };
    expect(() => splice(Buffer.from('abcd'), [edit, { ...edit, start: 2 }])).toThrow(RangeError);
  });

  it('changes the named member only, in every document', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.string(), (object, model) => {
        const text = set(JSON.stringify(object), 'model', JSON.stringify(model));
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify({ ...object, model })));
      }),
    );
  });
});
