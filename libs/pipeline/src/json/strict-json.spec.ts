import fc from 'fast-check';
import { processorMillis } from '@sallyport/testkit';
import { exactOf, JsonFault, readExactJson, readJson, writeExactJson } from './strict-json';
import { arrayIndex, readPointer, writePointer } from './pointer';

const bytes = (text: string) => Buffer.from(text);
const fault = (text: string | Buffer) => {
  const read = readJson(typeof text === 'string' ? bytes(text) : text);
  return read instanceof JsonFault ? read.what : undefined;
};

describe('reading JSON strictly', () => {
  it('reads what JSON.parse reads', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 8 }), (text) => {
        const read = readJson(bytes(text));
        // JSON with a member twice is refused, and fast-check writes none.
        expect(JSON.stringify((read as { value: unknown }).value)).toBe(JSON.stringify(JSON.parse(text)));
      }),
    );
  });

  it('refuses what JSON.parse refuses', () => {
    const soup = fc
      .array(
        fc.constantFrom('{', '}', '[', ']', ',', ':', '"', '\\', 'a', '0', '1', '-', '.', 'e', 'true', 'null', ' '),
      )
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(soup, (text) => {
        let valid = true;
        try {
          JSON.parse(text);
        } catch {
          valid = false;
        }
        const what = fault(text);
        expect(what === undefined || what === 'names a member twice').toBe(valid);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['{"a":1,"a":2}', 'names a member twice'],
    ['{"a":1,"\\u0061":2}', 'names a member twice'],
    ['{"__proto__":1,"__proto__":2}', 'names a member twice'],
    ['[1] x', 'has something after its end'],
    ['', 'ends too early'],
    ['[1,', 'ends too early'],
    ['"\t"', 'has a string that does not end, or holds a control character'],
    ['"\\x"', 'has an escape that JSON does not know'],
    ['\ufeff{}', 'is not JSON'],
    ['['.repeat(65), 'is nested deeper than 64'],
  ])('says what is wrong with %s', (text, what) => expect(fault(text)).toBe(what));

  it('refuses bytes that are no UTF-8', () =>
    expect(fault(Buffer.from([0x22, 0xc3, 0x28, 0x22]))).toBe('is not UTF-8'));

  it('rel-T30 refuses a million levels and 300,000 members in a few milliseconds', () => {
    const deep = bytes('['.repeat(1_000_000));
    const wide = bytes(`{${Array.from({ length: 300_000 }, (_, at) => `"k${at}":0`).join(',')}}`);
    const refuseBoth = () =>
      expect([fault(deep), fault(wide)]).toEqual(['is nested deeper than 64', 'has more than 10000 members']);
    expect(processorMillis(250, refuseBoth)).toBeLessThan(250);
  });

  it('takes __proto__ for a name like any other', () => {
    const { value } = readJson(bytes('{"__proto__":{"admin":true}}')) as { value: Record<string, unknown> };
    expect(Object.keys(value)).toEqual(['__proto__']);
    expect(value['admin']).toBeUndefined();
  });
});

describe('reading JSON to write it again', () => {
  it.each(['12345678901234567890.10', '1e400', '-0', '0.1000', '1E+2'])(
    'keeps the number %s as it is written',
    (text) => {
      expect(writeExactJson((readExactJson(bytes(`{"n": ${text}}`)) as { value: never }).value)).toBe(`{"n":${text}}`);
    },
  );

  it('keeps the order of members, numeric names as well', () => {
    const text = '{"b":1,"10":2,"2":3,"__proto__":4}';
    expect(writeExactJson((readExactJson(bytes(text)) as { value: never }).value)).toBe(text);
  });

  it('writes any value as JSON.stringify does', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(writeExactJson(exactOf(value)))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('writes every string as JSON.stringify does, also as a name', () => {
    const anything = fc.string({ unit: 'binary' });
    const pieces = fc.constantFrom(
      '"',
      '\\',
      '\n',
      '\u0000',
      '\u001f',
      '\u007f',
      '\u2028',
      '\ud83d',
      '\ude00',
      '😀',
      'é',
      'a',
    );
    fc.assert(
      fc.property(fc.oneof(anything, fc.string({ unit: pieces })), (text) => {
        expect(writeExactJson(text)).toBe(JSON.stringify(text));
        expect(writeExactJson(new Map([[text, [text, text]]]))).toBe(JSON.stringify({ [text]: [text, text] }));
      }),
    );
  });
});

describe('JSON Pointers', () => {
  it('are read as they were written', () => {
    fc.assert(fc.property(fc.array(fc.string()), (parts) => expect(readPointer(writePointer(parts))).toEqual(parts)));
  });

  it.each(['a', '/~', '/~2'])('do not look like %s', (text) => expect(readPointer(text)).toBeUndefined());

  it('name items by digits without a leading zero', () => {
    expect(['0', '12', '01', '-', '1e1', ''].map(arrayIndex)).toEqual([0, 12, -1, -1, -1, -1]);
  });
});
