import { parseStrictObject } from './strict-json';

/** A compact JWS taken apart and found well-formed; nothing of it is proven yet. */
export interface CompactJws {
  readonly compact: string;
  readonly algorithm: string;
  readonly keyId: string | undefined;
  /** `typ` in lower case without `application/` (RFC 7515 §4.1.9); undefined when absent. */
  readonly type: string | undefined;
  readonly payload: string;
}

/** Above this no token is read at all: what a caller can make us decode is bounded before it is decoded. */
export const MAX_TOKEN_BYTES = 8 * 1024;

const SEGMENT = /^[A-Za-z0-9_-]+$/;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Takes a compact JWS apart.
 * @returns the exact cause, for the audit record, when it is not one that is ever accepted.
 */
export function readCompactJws(compact: string): CompactJws | string {
  if (compact.length > MAX_TOKEN_BYTES) return 'the token is longer than 8 KiB';
  const segments = compact.split('.', 6);
  if (segments.length !== 3) return 'the token does not have three parts';
  const [headerText, payload] = segments.map(decodeSegment);
  if (headerText === undefined || payload === undefined || decodeBytes(segments[2]!) === undefined) {
    return 'a part of the token is not base64url';
  }
  const header = parseStrictObject(headerText);
  if (!header) return 'the header is not a JSON object with unique members';
  // RFC 7515 §4.1.11, RFC 7797, RFC 7516 §4.1.3: extensions change what the signature covers; we use none.
  for (const name of ['crit', 'b64', 'zip']) if (Object.hasOwn(header, name)) return `the header has ${name}`;
  // jku, x5u, x5c and jwk are never read (RFC 8725 §3.10): keys come from the trust entry alone.
  const { alg, kid, typ } = header;
  if (typeof alg !== 'string') return 'the header has no alg';
  if (kid !== undefined && typeof kid !== 'string') return 'kid is not a string';
  if (typ !== undefined && typeof typ !== 'string') return 'typ is not a string';
  return { compact, algorithm: alg, keyId: kid, type: typ === undefined ? undefined : mediaTypeName(typ), payload };
}

/** RFC 7515 §4.1.9: `application/` may be left out, and media types have no case. */
export function mediaTypeName(typ: string): string {
  return typ.toLowerCase().replace(/^application\//, '');
}

function decodeSegment(segment: string): string | undefined {
  const bytes = decodeBytes(segment);
  try {
    return bytes && utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Strictly one spelling per value (RFC 7515 §2, RFC 4648 §3.5): no padding, no spare bits. */
function decodeBytes(segment: string): Buffer | undefined {
  if (!SEGMENT.test(segment)) return undefined;
  const bytes = Buffer.from(segment, 'base64url');
  return bytes.toString('base64url') === segment ? bytes : undefined;
}
