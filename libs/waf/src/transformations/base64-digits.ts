import { ByteSet } from '../bytes';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

const digits = new Int8Array(256).fill(-1);
for (let value = 0; value < 64; value++) digits[ALPHABET.charCodeAt(value)] = value;

/** The digits of Base64. */
export const base64Digits = ByteSet.of(ALPHABET);

/** @returns the value of a digit of Base64 (RFC 4648 §4), -1 for any other byte */
export function base64Digit(byte: number): number {
  return digits[byte]!;
}
