/** The value of a number as it is written: digits × 10^exponent. Two texts of one value have one form. */
export interface Decimal {
  readonly negative: boolean;
  /** Without a zero at either end; empty for zero itself. */
  readonly digits: string;
  readonly exponent: number;
}

const ZERO: Decimal = { negative: false, digits: '', exponent: 0 };

/** Digits beyond which a number is not divided: that would cost more than reading it did. */
const MAX_DIVIDED = 1_000;

/** @param text a number of JSON (RFC 8259 §6) */
export function readDecimal(text: string): Decimal {
  const negative = text.startsWith('-');
  const at = text.search(/[eE]/);
  const mantissa = text.slice(negative ? 1 : 0, at < 0 ? text.length : at);
  const point = mantissa.indexOf('.');
  const all = point < 0 ? mantissa : mantissa.slice(0, point) + mantissa.slice(point + 1);
  // Loops, since an expression that looks for zeros at the end begins anew at each zero.
  let from = 0;
  while (from < all.length && all[from] === '0') from += 1;
  if (from === all.length) return ZERO;
  let to = all.length;
  while (all[to - 1] === '0') to -= 1;
  const written = at < 0 ? 0 : Number(text.slice(at + 1));
  const fraction = point < 0 ? 0 : mantissa.length - point - 1;
  return { negative, digits: all.slice(from, to), exponent: written - fraction + (all.length - to) };
}

/** @returns below 0, 0 or above it, as `one` is less than, equal to or more than `other`. */
export function compareDecimals(one: Decimal, other: Decimal): number {
  const [sign, otherSign] = [signOf(one), signOf(other)];
  if (sign !== otherSign || sign === 0) return sign - otherSign;
  const order = one.digits.length + one.exponent - (other.digits.length + other.exponent);
  if (order !== 0) return sign * order;
  if (one.digits === other.digits) return 0;
  return one.digits < other.digits ? -sign : sign;
}

function signOf({ negative, digits }: Decimal): number {
  return digits === '' ? 0 : negative ? -1 : 1;
}

export function isWhole({ exponent }: Decimal): boolean {
  return exponent >= 0;
}

/**
 * Whether a number is a whole multiple of a step, in time that does not grow with an exponent.
 * @param step above 0
 * @returns false as well for a number with more digits than are divided
 */
export function isMultipleOf(value: Decimal, step: Decimal): boolean {
  if (value.digits === '') return true;
  const shift = value.exponent - step.exponent;
  // Digits never end in a zero: a power of ten that is missing is not among them.
  if (shift < 0 || !Number.isSafeInteger(shift) || value.digits.length > MAX_DIVIDED) return false;
  const divisor = BigInt(step.digits);
  return ((BigInt(value.digits) % divisor) * powerOfTen(shift, divisor)) % divisor === 0n;
}

/** 10^exponent modulo a divisor. */
function powerOfTen(exponent: number, divisor: bigint): bigint {
  let [result, base, left] = [1n, 10n % divisor, exponent];
  while (left > 0) {
    if (left % 2 === 1) result = (result * base) % divisor;
    base = (base * base) % divisor;
    left = Math.floor(left / 2);
  }
  return result;
}
