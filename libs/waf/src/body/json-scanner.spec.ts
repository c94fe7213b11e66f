import fc from 'fast-check';
import { processorMillis } from '@sallyport/testkit';
import { JsonScanner, type JsonFault, type JsonLimits } from './json-scanner';

const limits: JsonLimits = { depth: 64, keys: 10_000, stringBytes: 1024 * 1024 };
const unlimited: JsonLimits = { depth: Infinity, keys: Infinity, stringBytes: Infinity };

function scan(body: Uint8Array | string, within = limits, cut = body.length): JsonFault | undefined {
  const bytes = Buffer.from(body);
  const scanner = new JsonScanner(within);
  for (let at = 0; at < bytes.length; at += Math.max(1, cut)) scanner.push(bytes.subarray(at, at + Math.max(1, cut)));
  return scanner.end();
}

/** What the language's own parser says, with text judged as strictly as RFC 8259 §8.1 asks. */
function parses(bytes: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
    return true;
  } catch {
    return false;
  }
}

/** A member called like the prototype, at any depth: `JSON.parse` makes it one of the object's own. */
function namesPrototype(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Object.hasOwn(value, '__proto__') || Object.values(value).some(namesPrototype);
}

/** Whether the parser takes it, and no member is called like the prototype. */
function isTaken(bytes: Uint8Array): boolean {
  return parses(bytes) && !namesPrototype(JSON.parse(Buffer.from(bytes).toString()));
}

describe('JsonScanner', () => {
  it.each([
    '{}',
    '[]',
    ' [ 1 , -0.5e+10 , "a\\u00e9\\n" , true , false , null , {"a":{"b":[]}} ] \r\n\t',
    '0',
    '-0',
    '12e3',
    '"\\ud800"',
    '"käse 🧀"',
    '{"a":1,"a":2}',
  ])('takes %s', (text) => expect(scan(text)).toBeUndefined());

  it.each([
    ['{', 1],
    ['{"a"}', 4],
    ['{"a":1,}', 7],
    ['[1,]', 3],
    ['[1 2]', 3],
    ['01', 1],
    ['-', 1],
    ['1.', 2],
    ['1.e1', 2],
    ['1e', 2],
    ['+1', 0],
    ['.5', 0],
    ['NaN', 0],
    ['nul', 3],
    ['nulL', 3],
    ['"a', 2],
    ['"\\x"', 2],
    ['"\\u12g4"', 5],
    ['"a\nb"', 2],
    ["{'a':1}", 1],
    ['{a:1}', 1],
    ['[]]', 2],
    ['{]', 1],
    ['[}', 1],
    ['{} {}', 3],
    ['// c\n1', 0],
    ['\u00a01', 0],
    [' ', 1],
  ])('refuses %j at byte %d', (text, at) => expect(scan(text)).toEqual({ kind: 'syntax', at }));

  it('takes a body without a byte for no body', () => expect(scan('')).toBeUndefined());

  it.each([
    ['a byte order mark', [0xef, 0xbb, 0xbf, 0x31]],
    ['UTF-16', [0x31, 0x00]],
    ['an overlong quote', [0x22, 0xc0, 0xa2, 0x22]],
    ['half a character', [0x22, 0xe4, 0xbd, 0x22]],
    ['a surrogate in UTF-8', [0x22, 0xed, 0xa0, 0x80, 0x22]],
    ['latin1', [0x22, 0xe9, 0x22]],
  ])('refuses %s', (_, bytes) => expect(scan(Uint8Array.from(bytes))?.kind).toBe('syntax'));

  it('takes each limit and not one more', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    expect(scan(nested(64))).toBeUndefined();
    expect(scan(nested(65))).toEqual({ kind: 'depth', at: 64 });
    const members = (count: number) => `{${Array.from({ length: count }, (_, at) => `"k${at}":0`).join()}}`;
    expect(scan(members(10_000))).toBeUndefined();
    expect(scan(members(10_001))?.kind).toBe('keys');
    const string = (bytes: number) => `"${'é'.repeat(bytes / 2)}"`;
    expect(scan(string(1024 * 1024))).toBeUndefined();
    expect(scan(string(1024 * 1024 + 2))?.kind).toBe('string');
    expect(scan(`{"${'\\u0041'.repeat(200_000)}":1}`)?.kind).toBe('string');
  });

  it('knows a document made of brackets for what it is before it is over', () => {
    expect(new JsonScanner(limits).push(Buffer.alloc(4_000_000, '['))).toEqual({ kind: 'depth', at: 64 });
  });

  it('keeps its verdict', () => {
    const scanner = new JsonScanner(limits);
    const fault = scanner.push(Buffer.from('x'));
    expect(scanner.push(Buffer.from('1'))).toBe(fault);
    expect(scanner.end()).toBe(fault);
  });

  it('accepts what the parser of the language accepts, but the name that stands for a prototype, cut wherever it may be', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), fc.integer({ min: 1, max: 9 }), (text, cut) => {
        expect(scan(text, unlimited, cut)?.kind).toBe(namesPrototype(JSON.parse(text)) ? 'name' : undefined);
      }),
      { numRuns: 1_000, examples: [['{"__proto__":""}', 1]] },
    );
  });

  it('agrees with the parser of the language on anything that looks like JSON', () => {
    const part = fc.constantFrom(
      ...[
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '"',
        '"a"',
        '\\',
        '\\u00',
        '00e9',
        '0',
        '1',
        '-',
        '.',
        'e',
        'E+',
        'true',
        'null',
      ],
      ...[' ', '\n', '\u0000', '\u007f', 'é', '🧀', '"a":', '{"b":', '[1,'],
    );
    const text = fc.array(part, { maxLength: 14 }).map((parts) => Buffer.from(parts.join('')));
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 4 }), (bytes, cut) => {
        if (bytes.length > 0) expect(scan(bytes, unlimited, cut) === undefined).toBe(parses(bytes));
      }),
      { numRuns: 6_000 },
    );
  });

  it('agrees with the parser of the language on a document with one byte changed', () => {
    fc.assert(
      fc.property(
        fc.json({ maxDepth: 3, stringUnit: 'binary' }),
        fc.nat(),
        fc.integer({ min: 0, max: 255 }),
        (text, at, byte) => {
          const bytes = Buffer.from(text);
          bytes[at % bytes.length] = byte;
          expect(scan(bytes, unlimited, 3) === undefined).toBe(isTaken(bytes));
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe('names of members', () => {
  const unique = { ...limits, uniqueNames: true };

  it.each(['{"__proto__":1}', '[{"a":{"__proto__":1}}]', '{"\\u005f_proto__":1}', '{"__pr\\u006fto__":1}'])(
    'may not be those of a prototype: %s',
    (text) => {
      expect(scan(text)?.kind).toBe('name');
      expect(scan(text, limits, 1)?.kind).toBe('name');
    },
  );

  it.each(['{"__proto":1}', '{"_":1}', '{"x__proto__":1}', '["__proto__"]', '{"a":"__proto__"}', '{"constructor":1}'])(
    'may look like them: %s',
    (text) => expect(scan(text, limits, 1)).toBeUndefined(),
  );

  it.each([
    ['{"a":1,"a":2}', 'duplicate'],
    ['{"a":1,"b":{"a":1},"c":[{"a":1},{"a":1}]}', undefined],
    ['{"a":1,"\\u0061":2}', 'duplicate'],
    ['{"é":1,"\\u00e9":2}', 'duplicate'],
    ['{"":1,"":2}', 'duplicate'],
    ['{"1":1,"01":2,"1.0":3}', undefined],
    ['[{"b":1},{"b":1,"b":2}]', 'duplicate'],
  ])('differ where they must: %s', (text, kind) => {
    expect(scan(text, unique)?.kind).toBe(kind);
    expect(scan(text, unique, 1)?.kind).toBe(kind);
    expect(scan(text, limits)).toBeUndefined();
  });

  it('rel-T30 cost little however they are chosen', () => {
    const numbers = Array.from({ length: 9_999 }, (_, at) => `"${at * 16_777_216}":1`).join(',');
    expect(processorMillis(500, () => expect(scan(`{${numbers}}`, unique)).toBeUndefined())).toBeLessThan(500);
  });
});
