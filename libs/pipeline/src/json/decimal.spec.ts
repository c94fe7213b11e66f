import fc from 'fast-check';
import { processorMillis } from '@sallyport/testkit';
import { compareDecimals, isMultipleOf, isWhole, readDecimal } from './decimal';
import { ExactNumber, numberOf } from './strict-json';

describe('numbers as they are written', () => {
  const whole = fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n });

  it('are ordered, and divided, as whole numbers are', () => {
    fc.assert(
      fc.property(whole, whole, fc.bigInt({ min: 1n, max: 10n ** 6n }), (one, other, step) => {
        const [left, right] = [readDecimal(String(one)), readDecimal(String(other))];
        expect(Math.sign(compareDecimals(left, right))).toBe(one < other ? -1 : one > other ? 1 : 0);
        expect(isMultipleOf(left, readDecimal(String(step)))).toBe(one % step === 0n);
        expect(isMultipleOf(readDecimal(String(one * step)), readDecimal(String(step)))).toBe(true);
        expect(isWhole(left)).toBe(true);
      }),
    );
  });

  it.each([
    ['1', '1.0', '100e-2', '0.01E+2'],
    ['0', '-0', '0.000', '0e999999999999'],
    ['-1200', '-1.2e3', '-12E2', '-1200.00'],
  ])('%s is %s, %s and %s', (...texts) => {
    for (const text of texts) expect(readDecimal(text)).toEqual(readDecimal(texts[0]));
  });

  it('are doubles where those are written back as the same number', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(numberOf(JSON.stringify(value))).toBe(Object.is(value, -0) ? 0 : value);
      }),
    );
    expect(['9007199254740992', '1.50', '1e2', '-0.0'].map(numberOf)).toEqual([9007199254740992, 1.5, 100, -0]);
    for (const text of ['9007199254740993', '1e999', '1e-400', '0.12345678901234567890'])
      expect(numberOf(text)).toBeInstanceOf(ExactNumber);
  });

  it('cost no more than reading them, whatever their exponent and length', () => {
    const third = readDecimal('3');
    const judge = () => {
      for (const text of [
        '1e999999999',
        '1e-999999999',
        `1e${'9'.repeat(400)}`,
        '7'.repeat(500_000),
        `1${'0'.repeat(500_000)}1`,
      ]) {
        expect(isMultipleOf(readDecimal(text), third)).toBe(false);
        expect(numberOf(text)).toBeInstanceOf(ExactNumber);
      }
    };
    expect(processorMillis(1_000, judge)).toBeLessThan(1_000);
  });
});
