import fc from 'fast-check';
import { MAX_DEPTH, ScanError, scanObject } from './scan';

const names = ['model', 'stream', 'max_tokens'];

function scan(text: string) {
  return scanObject(Buffer.from(text), names);
}

function valueOf(text: string, name: string): string | undefined {
  const body = Buffer.from(text);
  const span = scanObject(body, names).members.get(name);
  return span && body.toString('utf8', span.start, span.end);
}

function reasonOf(text: string | Buffer): string {
  try {
    scanObject(Buffer.from(text as string), names);
  } catch (error) {
    if (error instanceof ScanError) return error.reason;
    throw error;
  }
  return 'accepted';
}

/** JSON as people and machines write it: members of any name, ours among them, and any white space. */
const document = fc
  .tuple(
    fc.array(
      fc.tuple(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(...names, 'tools', '')), fc.jsonValue()),
      { maxLength: 6 },
    ),
    fc.constantFrom('', ' ', '\n\t', '\r\n  '),
  )
  .map(([members, space]) => {
    const text = members.map(([name, value]) => `${JSON.stringify(name)}${space}:${space}${JSON.stringify(value)}`);
    return `${space}{${space}${text.join(`${space},${space}`)}${space}}${space}`;
  });

describe('scanObject', () => {
  it('finds the bytes of each member asked for and of no other', () => {
    const text = '{"messages":[{"model":"inner"}], "model" : "gpt\\u002d4" ,"stream":true,"n":-1.5e+3}';
    expect(valueOf(text, 'model')).toBe('"gpt\\u002d4"');
    expect(valueOf(text, 'stream')).toBe('true');
    expect(valueOf(text, 'max_tokens')).toBeUndefined();
  });

  it('sees through escapes in a member name', () => {
    expect(valueOf('{"m\\u006fdel":"a"}', 'model')).toBe('"a"');
  });

  it.each([
    ['{"model":"a","model":"b"}', 'the member “model” comes twice'],
    ['{"model":"a","mode\\u006c":"b"}', 'the member “model” comes twice'],
    ['{"Model":"a"}', 'the member “model” is written in another letter case'],
    ['{"\\u017ftream":true}', 'the member “stream” is written in another letter case'],
    ['{"max_to\\u212aens":1}', 'the member “max_tokens” is written in another letter case'],
    ['[1]', 'it is not a JSON object'],
    ['', 'it is not a JSON object'],
    ['{"a":1', 'it ends before its JSON does'],
    ['{"a":01}', 'it is not JSON at byte 6'],
    ['{"a":1}x', 'it is not JSON at byte 7'],
    ['{"a":[}]}', 'it is not JSON at byte 6'],
  ])('refuses %s: %s', (text, reason) => {
    expect(reasonOf(text)).toBe(reason);
  });

  it('refuses what is not UTF-8', () => {
    expect(reasonOf(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))).toBe('it is not UTF-8');
  });

  it('reads 64 levels, refuses 65, and refuses a million without a stack to overflow', () => {
    const nested = (levels: number) => `{"a":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`;
    expect(reasonOf(nested(MAX_DEPTH))).toBe('accepted');
    expect(reasonOf(nested(MAX_DEPTH + 1))).toBe('it is nested deeper than 64 levels');
    expect(reasonOf(nested(1_000_000))).toBe('it is nested deeper than 64 levels');
  });

  it('agrees with JSON.parse on the value of every member it finds', () => {
    fc.assert(
      fc.property(document, (text) => {
        const parsed = JSON.parse(text) as Record<string, unknown>;
        let found;
        try {
          found = scan(text);
        } catch (error) {
          // Only a member of ours that comes twice may be refused in a document that JSON.parse takes.
          expect((error as ScanError).reason).toMatch(/comes twice|letter case/);
          return;
        }
        const body = Buffer.from(text);
        for (const name of names) {
          const span = found.members.get(name);
          expect(span && JSON.parse(body.toString('utf8', span.start, span.end))).toEqual(parsed[name]);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('accepts exactly what JSON.parse accepts, whatever is done to a document', () => {
    const damage = fc.tuple(
      document,
      fc.nat(),
      fc.constantFrom('', '"', '\\', '{', '}', '[', ']', ',', ':', '0', '-', 'e', '.', ' ', '\u0001', 'true'),
    );
    fc.assert(
      fc.property(damage, fc.nat({ max: 2 }), ([text, position, byte], cut) => {
        const at = position % (text.length + 1);
        const damaged = text.slice(0, at) + byte + text.slice(at + cut);
        if (!damaged.isWellFormed()) return;
        const reason = reasonOf(damaged);
        if (/comes twice|letter case/.test(reason)) return;
        expect(reason === 'accepted').toBe(isObjectText(damaged));
      }),
      { numRuns: 3000 },
    );
  });
});

function isObjectText(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
