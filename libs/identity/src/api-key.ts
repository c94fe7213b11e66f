import { createHmac, createSecretKey, hkdfSync, timingSafeEqual, type KeyObject } from 'node:crypto';
import { base62, type RandomBytes } from '@sallyport/contracts';

/**
 * `sp_<environment>_<kid 11><secret 43><check 6>`, digits in base62: a 64-bit public id, a 256-bit secret and a CRC-32
 * over everything before it. Scanners can match the prefix, and a mistyped key is told without a look-up.
 */
export type KeyEnvironment = 'live' | 'test';

const KID_LENGTH = 11;
const SECRET_LENGTH = 43;
const CHECK_LENGTH = 6;
const TAIL_LENGTH = KID_LENGTH + SECRET_LENGTH + CHECK_LENGTH;
const FORM = /^sp_([a-z]{1,8})_([0-9A-Za-z]{60})$/;

export interface MintedKey {
  /** The whole key: for the one answer that shows it, and nowhere else. */
  readonly text: string;
  readonly kid: string;
  /** What people may see to tell keys apart. */
  readonly lastFour: string;
}

export function mintApiKey(environment: KeyEnvironment, random: RandomBytes): MintedKey {
  const kid = base62(random(8), KID_LENGTH);
  const body = `sp_${environment}_${kid}${base62(random(32), SECRET_LENGTH)}`;
  const text = body + checkOf(body);
  return { text, kid, lastFour: text.slice(-4) };
}

export interface ParsedKey {
  readonly environment: string;
  readonly kid: string;
}

/**
 * Reads the public parts of a key.
 * @returns undefined when the form or the check digits are wrong: then no key of that text was ever issued.
 */
export function parseApiKey(text: string): ParsedKey | undefined {
  const form = FORM.exec(text);
  if (!form) return undefined;
  const body = text.slice(0, -CHECK_LENGTH);
  if (checkOf(body) !== text.slice(-CHECK_LENGTH)) return undefined;
  return { environment: form[1]!, kid: text.slice(-TAIL_LENGTH, -TAIL_LENGTH + KID_LENGTH) };
}

/** Turns whole keys into what is stored of them. The secret of a key has 256 bits, so a slow hash would protect nothing. */
export class Pepper {
  readonly #key: KeyObject;

  /** @param bytes at least 32. @throws RangeError when there are fewer. */
  constructor(
    readonly version: number,
    bytes: Uint8Array,
  ) {
    if (bytes.length < 32) throw new RangeError('a pepper has at least 32 bytes');
    this.#key = createSecretKey(bytes);
  }

  /** HMAC-SHA-256 of the whole key. */
  mac(key: string): Buffer {
    return createHmac('sha256', this.#key).update(key).digest();
  }

  /** As it is stored and distributed: base64url. */
  macText(key: string): string {
    return this.mac(key).toString('base64url');
  }

  /** A key for another purpose, 32 bytes (HKDF-SHA-256, RFC 5869): who has it learns nothing about this one. */
  derive(purpose: string): Buffer {
    return Buffer.from(hkdfSync('sha256', this.#key, Buffer.alloc(0), purpose, 32));
  }
}

/**
 * Reads a pepper as operators write it: 32 bytes or more, in hex or base64url.
 * @throws RangeError when it is neither, or too short.
 */
export function readPepper(version: number, text: string): Pepper {
  return new Pepper(version, pepperBytes(text));
}

/**
 * The bytes of a pepper, for what else is derived from it.
 * @throws RangeError when the text is neither hex nor base64url.
 */
export function pepperBytes(text: string): Uint8Array {
  const trimmed = text.trim();
  if (/^([0-9a-fA-F]{2})+$/.test(trimmed)) return Buffer.from(trimmed, 'hex');
  if (/^[A-Za-z0-9_-]+={0,2}$/.test(trimmed)) return Buffer.from(trimmed, 'base64url');
  throw new RangeError('a pepper is written in hex or base64url');
}

// Compared with when there is no such key, so that an unknown id takes as long as a wrong secret.
const nobody = Buffer.alloc(32);

/** @param stored base64url of the stored MAC; undefined when the id is unknown, and then the answer is always false. */
export function provesKey(pepper: Pepper, key: string, stored: Buffer | undefined): boolean {
  const matches = timingSafeEqual(pepper.mac(key), stored?.length === 32 ? stored : nobody);
  return matches && stored !== undefined;
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** CRC-32 as in ISO 3309 and gzip (RFC 1952 §8) in six base62 digits. */
function checkOf(text: string): string {
  let crc = 0xffffffff;
  for (let index = 0; index < text.length; index++) {
    crc = crcTable[(crc ^ text.charCodeAt(index)) & 0xff]! ^ (crc >>> 8);
  }
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, (crc ^ 0xffffffff) >>> 0);
  return base62(bytes, CHECK_LENGTH);
}
