import type { Bytes } from '../bytes';
import { isDigit, isSpace } from '../transformations/byte-classes';
import type { OperatorKind } from './operator';

/** Numbers with so many digits are exact as a double. */
const EXACT_DIGITS = 15;
const MAX_LONG = 2n ** 63n - 1n;
const MAX_INT = 2 ** 31;

/** @returns the sign and the digits an integer at the beginning of a text is written in, white space before it skipped */
function leadingDigits(text: Bytes): { negative: boolean; digits: Bytes } {
  let at = 0;
  while (isSpace(text.charCodeAt(at))) at++;
  const negative = text[at] === '-';
  if (negative || text[at] === '+') at++;
  while (text[at] === '0') at++;
  const from = at;
  while (isDigit(text.charCodeAt(at))) at++;
  return { negative, digits: text.slice(from, at) };
}

/** @returns the number of a text that is one digit, as flags and most counts and scores are; -1 for any other */
function onlyDigit(text: Bytes): number {
  const byte = text.charCodeAt(0);
  return text.length === 1 && isDigit(byte) ? byte - 0x30 : -1;
}

/** The integer a text begins with: 12 of `12abc`, 0 where there is none; held at the bounds of 64 bits, as `atoll` does. */
export function leadingInteger(text: Bytes): number | bigint {
  const only = onlyDigit(text);
  if (only >= 0) return only;
  const { negative, digits } = leadingDigits(text);
  if (digits.length <= EXACT_DIGITS) return negative ? -Number(digits) : Number(digits);
  const magnitude = digits.length > 19 ? MAX_LONG : BigInt(digits);
  const bounded = magnitude > MAX_LONG ? MAX_LONG : magnitude;
  return negative ? -bounded : bounded;
}

/** As {@link leadingInteger}, but 0 for what has no room in 32 bits: `@eq` reads by `stoi`, the other operators do not. */
export function leadingInt(text: Bytes): number {
  const only = onlyDigit(text);
  if (only >= 0) return only;
  const { negative, digits } = leadingDigits(text);
  const magnitude = digits.length > 10 ? MAX_INT + 1 : Number(digits);
  if (magnitude > (negative ? MAX_INT : MAX_INT - 1)) return 0;
  return negative ? 0 - magnitude : magnitude;
}

/**
 * An operator that compares the integers a value and a text begin with; the text may hold macros.
 * @param read makes a number of either
 */
export function numericOperator<N extends number | bigint>(
  name: string,
  read: (text: Bytes) => N,
  holds: (value: N, bound: N) => boolean,
): OperatorKind {
  return {
    name,
    compile: ({ macros }) => {
      if (macros.constant === undefined)
        return { test: (value, context) => holds(read(value), read(context.expand(macros))) };
      const bound = read(macros.constant);
      return { test: (value) => holds(read(value), bound) };
    },
  };
}
