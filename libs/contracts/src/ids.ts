/** Fills and returns random bytes; handed in so that tests can repeat a run. */
export type RandomBytes = (count: number) => Uint8Array;

const BASE62 = Buffer.from('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', 'latin1');

/** Digits that one division by 62⁶ yields: the largest power whose remainder with 16 more bits is exact in a double. */
const GROUP = 6;
const GROUP_VALUE = 62 ** GROUP;

/** Where ids are put together: each is copied out as text before the next one begins. */
const SCRATCH = Buffer.alloc(64);

/** Writes bytes as a base62 number of exactly `length` digits; what does not fit is lost at the front. */
export function base62(bytes: Uint8Array, length: number): string {
  const limbs = limbsOf(bytes);
  const text = length <= SCRATCH.length ? SCRATCH : Buffer.allocUnsafe(length);
  for (let end = length; end > 0; end -= GROUP) {
    let rest = divide(limbs);
    for (let at = end - 1; at >= 0 && at >= end - GROUP; at--) {
      text[at] = BASE62[rest % 62]!;
      rest = Math.floor(rest / 62);
    }
  }
  return text.toString('latin1', 0, length);
}

/** The number in digits of 16 bits, the highest first. Not a BigInt: a request draws several ids. */
function limbsOf(bytes: Uint8Array): number[] {
  const limbs: number[] = [];
  const odd = bytes.length & 1;
  if (odd) limbs.push(bytes[0]!);
  for (let at = odd; at < bytes.length; at += 2) limbs.push(bytes[at]! * 256 + bytes[at + 1]!);
  return limbs;
}

/** Divides in place by 62⁶. @returns the remainder. */
function divide(limbs: number[]): number {
  let rest = 0;
  for (let at = 0; at < limbs.length; at++) {
    const value = rest * 65_536 + limbs[at]!;
    const quotient = Math.floor(value / GROUP_VALUE);
    rest = value - quotient * GROUP_VALUE;
    limbs[at] = quotient;
  }
  return rest;
}

const REQUEST_DIGITS = 22;
/** Two draws of 22 bytes, each small enough to come from a pool. */
const DRAWN_DIGITS = 11;

/** `req_` and 22 random digits of base62, 131 bits: each digit is drawn by itself, which is less work than to divide a number. */
export function requestId(random: RandomBytes): string {
  for (let from = 0; from < REQUEST_DIGITS; from += DRAWN_DIGITS) {
    const drawn = random(2 * DRAWN_DIGITS);
    // Of 65,536 values each digit has 1,057 or one more: nobody guesses an id by that.
    for (let at = 0; at < DRAWN_DIGITS; at++) {
      SCRATCH[from + at] = BASE62[((drawn[2 * at]! * 256 + drawn[2 * at + 1]!) * 62) >> 16]!;
    }
  }
  return `req_${SCRATCH.toString('latin1', 0, REQUEST_DIGITS)}`;
}

const HEX = Buffer.from('0123456789abcdef', 'latin1');
const HYPHEN = 0x2d;
/** Bytes before which a UUID has its hyphens. */
const isGroupStart = [4, 6, 8, 10].reduce((starts, at) => ((starts[at] = 1), starts), new Uint8Array(16));

/** UUID version 7 (RFC 9562 §5.7): sorted by the millisecond it was made in. */
export function uuidv7(now: number, random: RandomBytes): string {
  const drawn = random(10);
  const text = SCRATCH;
  const high = Math.floor(now / 0x1_0000_0000);
  let end = 0;
  for (let at = 0; at < 16; at++) {
    const byte = at < 2 ? (high >> (8 - 8 * at)) & 0xff : at < 6 ? (now >>> (40 - 8 * at)) & 0xff : drawn[at - 6]!;
    const stamped = at === 6 ? 0x70 | (byte & 0x0f) : at === 8 ? 0x80 | (byte & 0x3f) : byte;
    if (isGroupStart[at] === 1) text[end++] = HYPHEN;
    text[end++] = HEX[stamped >> 4]!;
    text[end++] = HEX[stamped & 15]!;
  }
  return text.toString('latin1', 0, end);
}

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Whether a text is a version 7 UUID (RFC 9562 §5.7) in the one spelling we write. */
export function isUuidv7(text: string): boolean {
  return UUID_V7.test(text);
}

/** The millisecond a version 7 UUID was made in. */
export function uuidv7Time(uuid: string): number {
  return Number.parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16);
}
