import fc from 'fast-check';
import { base62, isUuidv7, requestId, uuidv7, uuidv7Time } from './ids';

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

function byLongDivision(bytes: Uint8Array, length: number): string {
  let value = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  let text = '';
  for (; text.length < length; value /= 62n) text = DIGITS[Number(value % 62n)]! + text;
  return text;
}

describe('base62', () => {
  it('writes the number that the bytes are, whatever their count', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.integer({ min: 0, max: 60 }), (bytes, length) => {
        expect(base62(bytes, length)).toBe(byLongDivision(bytes, length));
      }),
    );
  });

  it('has room for the largest number of 128 bits in 22 digits', () => {
    expect(base62(new Uint8Array(16).fill(255), 22)).toBe('7n42DGM5Tflk9n8mt7Fhc7');
  });
});

describe('requestId', () => {
  it('is a prefix and 22 digits', () => {
    expect(requestId((count) => new Uint8Array(count))).toBe(`req_${'0'.repeat(22)}`);
    expect(requestId((count) => new Uint8Array(count).fill(255))).toBe(`req_${'z'.repeat(22)}`);
  });

  it('draws every digit, each as often as any other', () => {
    const counts = new Map<string, number>();
    for (let high = 0; high < 256; high++) {
      for (let low = 0; low < 256; low++) {
        const id = requestId((count) => Uint8Array.from({ length: count }, (_, at) => (at % 2 === 0 ? high : low)));
        const digit = id.slice(-1);
        if (id !== `req_${digit.repeat(22)}`) throw new Error(`${id} was drawn from the same bytes again and again`);
        counts.set(digit, (counts.get(digit) ?? 0) + 1);
      }
    }
    expect([...counts.keys()].join('')).toBe(DIGITS);
    expect([...new Set(counts.values())].sort()).toEqual([1057, 1058]);
  });
});

describe('uuidv7', () => {
  const anyTime = fc.integer({ min: 0, max: 2 ** 48 - 1 });

  it('has the form of RFC 9562, and the time it was made at in front', () => {
    fc.assert(
      fc.property(anyTime, fc.uint8Array({ minLength: 10, maxLength: 10 }), (now, drawn) => {
        const uuid = uuidv7(now, () => drawn);
        expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
        expect(isUuidv7(uuid)).toBe(true);
        expect(uuidv7Time(uuid)).toBe(now);
      }),
    );
  });

  it.each([
    ['another version', '0199b0c4-6d2b-4c41-9f0e-3a5d2b8e7711'],
    ['another variant', '0199b0c4-6d2b-7c41-1f0e-3a5d2b8e7711'],
    ['capital letters', '0199B0C4-6d2b-7c41-9f0e-3a5d2b8e7711'],
    ['a line behind it', '0199b0c4-6d2b-7c41-9f0e-3a5d2b8e7711\n'],
  ])('is not taken for one: %s', (_, text) => {
    expect(isUuidv7(text)).toBe(false);
  });

  it('keeps every drawn bit that is not version or variant', () => {
    expect(uuidv7(0, () => Uint8Array.from([0xff, 1, 0xff, 3, 4, 5, 6, 7, 8, 9]))).toBe(
      '00000000-0000-7f01-bf03-040506070809',
    );
  });

  it('sorts by time', () => {
    fc.assert(
      fc.property(anyTime, anyTime, (one, other) => {
        const random = (count: number) => new Uint8Array(count);
        expect(uuidv7(one, random) < uuidv7(other, random)).toBe(one < other);
      }),
    );
  });
});
