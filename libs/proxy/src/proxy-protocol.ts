import { isIPv4, isIPv6 } from 'node:net';
import { unwrapAddress } from './address';

/**
 * What stands before the first byte of a connection that a balancer passes on (PROXY protocol, versions 1 and 2).
 * `more`: it has not come whole. `address`: the caller's; undefined where the balancer speaks for itself.
 */
export type ProxyHeader =
  | { readonly state: 'more' }
  | { readonly state: 'fault'; readonly reason: string }
  | { readonly state: 'read'; readonly bytes: number; readonly address: string | undefined };

const MORE: ProxyHeader = Object.freeze({ state: 'more' });

const fault = (reason: string): ProxyHeader => ({ state: 'fault', reason });

const TEXT = Buffer.from('PROXY ');
const BINARY = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);
/** Longest line that version 1 allows, its line end included. */
const MAX_LINE_BYTES = 107;
/** Addresses and what balancers add to them; more is nobody's balancer. */
const MAX_BINARY_BYTES = 16 + 2_048;
const PORT = /^(0|[1-9]\d{0,4})$/;

/** @param bytes everything that has come over the connection so far */
export function readProxyHeader(bytes: Buffer): ProxyHeader {
  if (startsAlike(bytes, TEXT)) return bytes.length < TEXT.length ? MORE : readLine(bytes);
  if (startsAlike(bytes, BINARY)) return bytes.length < 16 ? MORE : readBinary(bytes);
  return fault('there is no PROXY header');
}

function startsAlike(bytes: Buffer, signature: Buffer): boolean {
  const length = Math.min(bytes.length, signature.length);
  return bytes.subarray(0, length).equals(signature.subarray(0, length));
}

function readLine(bytes: Buffer): ProxyHeader {
  const end = bytes.subarray(0, MAX_LINE_BYTES).indexOf('\r\n');
  if (end < 0) return bytes.length < MAX_LINE_BYTES ? MORE : fault('the PROXY line does not end');
  const [, family, source = '', destination = '', ...ports] = bytes.toString('latin1', 0, end).split(' ');
  if (family === 'UNKNOWN') return { state: 'read', bytes: end + 2, address: undefined };
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isPlainIPv6 : undefined;
  if (!isAddress) return fault('the PROXY line is of another family');
  const wellFormed = ports.length === 2 && ports.every((port) => PORT.test(port) && Number(port) < 65_536);
  if (!wellFormed || !isAddress(source) || !isAddress(destination)) return fault('the PROXY line is malformed');
  return { state: 'read', bytes: end + 2, address: unwrapAddress(source) };
}

function isPlainIPv6(text: string): boolean {
  return isIPv6(text) && !text.includes('%');
}

function readBinary(bytes: Buffer): ProxyHeader {
  const [versionAndCommand, family] = [bytes[12]!, bytes[13]!];
  const end = 16 + bytes.readUInt16BE(14);
  if (versionAndCommand !== 0x20 && versionAndCommand !== 0x21) return fault('the PROXY header is of another version');
  if (end > MAX_BINARY_BYTES) return fault('the PROXY header is too long');
  if (bytes.length < end) return MORE;
  // LOCAL: the balancer looks whether we are there.
  if (versionAndCommand === 0x20) return { state: 'read', bytes: end, address: undefined };
  if (family === 0x11 && end >= 28) return { state: 'read', bytes: end, address: bytes.subarray(16, 20).join('.') };
  if (family === 0x21 && end >= 52) return { state: 'read', bytes: end, address: ipv6Text(bytes.subarray(16, 32)) };
  return fault('the PROXY header is of another family');
}

function ipv6Text(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(at * 2).toString(16));
  return unwrapAddress(groups.join(':'));
}
