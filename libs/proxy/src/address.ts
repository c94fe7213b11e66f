import { isIPv4, isIPv6 } from 'node:net';

/** The bytes of an IPv4 (4) or IPv6 (16) address; an IPv4 address mapped into IPv6 is unwrapped (RFC 4291 §2.5.5.2). */
export function addressBytes(text: string): Uint8Array | undefined {
  if (isIPv4(text)) return Uint8Array.from(text.split('.'), Number);
  if (!isIPv6(text)) return undefined;
  const bytes = ipv6Bytes(text);
  const mapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  return mapped ? bytes.subarray(12) : bytes;
}

/** @param text is known to be IPv6, perhaps with a zone and a dotted tail. */
function ipv6Bytes(text: string): Uint8Array {
  const [address = ''] = text.split('%');
  const [head = '', tail] = address.split('::');
  const front = groups(head);
  const back = tail === undefined ? [] : groups(tail);
  const bytes = new Uint8Array(16);
  bytes.set(front, 0);
  bytes.set(back, 16 - back.length);
  return bytes;
}

function groups(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

/** Writes a mapped address such as `::ffff:10.0.0.1`, in whatever spelling, as the IPv4 address it is. */
export function unwrapAddress(address: string): string {
  if (!address.includes(':')) return address;
  const bytes = addressBytes(address);
  return bytes?.length === 4 ? bytes.join('.') : address;
}

/** Whom an address stands for when callers are counted: itself, or its /64 of IPv6, which one subscriber has whole. */
export function addressGroup(address: string): string {
  const bytes = addressBytes(address);
  if (!bytes) return address;
  return bytes.length === 4 ? bytes.join('.') : Buffer.from(bytes.buffer, bytes.byteOffset, 8).toString('hex');
}

/** Addresses that share their first bits. */
export interface AddressBlock {
  readonly prefix: Uint8Array;
  readonly bits: number;
}

/**
 * @param cidr `10.0.0.0/8`, `fd00::/8`, or one address alone
 * @throws RangeError naming what is no block of addresses
 */
export function parseAddressBlock(cidr: string): AddressBlock {
  const [address = '', bits, more] = cidr.split('/');
  const prefix = address.includes('%') ? undefined : addressBytes(address);
  const width = prefix ? prefix.length * 8 : 0;
  const length = bits === undefined ? width : /^\d{1,3}$/.test(bits) ? Number(bits) : -1;
  if (!prefix || more !== undefined || length < 0 || length > width) throw new RangeError(`not an address: ${cidr}`);
  return { prefix, bits: length };
}

export function blockHolds({ prefix, bits }: AddressBlock, address: Uint8Array): boolean {
  if (address.length !== prefix.length) return false;
  const whole = bits >> 3;
  for (let at = 0; at < whole; at++) if (prefix[at] !== address[at]) return false;
  const rest = bits & 7;
  return rest === 0 || prefix[whole]! >> (8 - rest) === address[whole]! >> (8 - rest);
}

/** A short list of blocks, such as the proxies that an operator trusts. */
export class AddressList {
  private readonly blocks: readonly AddressBlock[];

  /** @throws RangeError naming what is no block of addresses */
  constructor(cidrs: readonly string[]) {
    this.blocks = cidrs.map(parseAddressBlock);
  }

  has(address: string): boolean {
    const bytes = addressBytes(address);
    return bytes !== undefined && this.blocks.some((block) => blockHolds(block, bytes));
  }
}
