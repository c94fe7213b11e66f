import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { base62 } from '@sallyport/contracts';
import { mintApiKey, parseApiKey, Pepper, provesKey, readPepper } from './api-key';

const pepper = new Pepper(1, Buffer.alloc(32, 1));

describe('API keys', () => {
  it('have the published form', () => {
    const { text, kid, lastFour } = mintApiKey('live', randomBytes);
    expect(text).toMatch(/^sp_live_[0-9A-Za-z]{60}$/);
    expect(text.slice(8, 19)).toBe(kid);
    expect(text.endsWith(lastFour)).toBe(true);
    expect(parseApiKey(text)).toEqual({ environment: 'live', kid });
  });

  it('end in the CRC-32 of everything before, as six base62 digits', () => {
    const { text } = mintApiKey('test', randomBytes);
    const check = Buffer.alloc(4);
    check.writeUInt32BE(crc32(text.slice(0, -6)));
    expect(text.slice(-6)).toBe(base62(check, 6));
  });

  it('K1 a key with one wrong character is told without a look-up', () => {
    const { text } = mintApiKey('live', randomBytes);
    const index = fc.integer({ min: 8, max: text.length - 1 });
    const digit = fc.constantFrom(...'0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz');
    fc.assert(
      fc.property(index, digit, (at, other) => {
        fc.pre(text[at] !== other);
        expect(parseApiKey(text.slice(0, at) + other + text.slice(at + 1))).toBeUndefined();
      }),
    );
  });

  it('K1 a truncated key, one with more behind it, another prefix and another environment are no keys', () => {
    const { text } = mintApiKey('live', randomBytes);
    for (let length = 0; length < text.length; length++) expect(parseApiKey(text.slice(0, length))).toBeUndefined();
    const others = [`${text}0`, ` ${text}`, `${text}\n`, text.replace('sp_', 'sk_'), text.replace('live', 'test')];
    for (const other of others) expect(parseApiKey(other)).toBeUndefined();
  });

  it('are proven by the whole text under the right pepper only', () => {
    const { text } = mintApiKey('live', randomBytes);
    const stored = pepper.mac(text);
    expect(provesKey(pepper, text, stored)).toBe(true);
    expect(provesKey(pepper, text.slice(0, -1), stored)).toBe(false);
    expect(provesKey(new Pepper(2, Buffer.alloc(32, 2)), text, stored)).toBe(false);
    expect(provesKey(pepper, text, undefined)).toBe(false);
    expect(provesKey(pepper, text, Buffer.alloc(0))).toBe(false);
  });
});

describe('peppers', () => {
  it('are read from hex and base64url', () => {
    const bytes = Buffer.alloc(32, 0xab);
    for (const text of [bytes.toString('hex'), bytes.toString('base64url'), ` ${bytes.toString('hex')}\n`]) {
      expect(readPepper(1, text).macText('x')).toBe(new Pepper(1, bytes).macText('x'));
    }
  });

  it('are refused when they are short or of another form', () => {
    for (const text of ['', 'changeme', 'ab'.repeat(31), 'with space'.repeat(8)]) {
      expect(() => readPepper(1, text)).toThrow(RangeError);
    }
  });
});
