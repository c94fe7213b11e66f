import { BlockList, isIPv4, isIPv6 } from 'node:net';
import type { Bytes } from '../bytes';
import { isDigit } from '../transformations/byte-classes';
import { OperatorError } from './operator';

/** Networks and single addresses of both versions. */
export class AddressSet {
  private readonly networks: { readonly base: number; readonly mask: number }[] = [];
  /** Members as IPv6 writes them; those of IPv4 among them, as `::ffff:192.0.2.1`. */
  private readonly members = new BlockList();

  /**
   * @param text `192.0.2.1`, `192.0.2.0/24`, `2001:db8::1` or `2001:db8::/32`
   * @throws OperatorError when it is none of them
   */
  add(text: Bytes): void {
    const [address = '', prefix, ...rest] = text.split('/');
    const bits = isIPv4(address) ? 32 : isIPv6(address) ? 128 : undefined;
    if (bits === undefined || rest.length > 0) throw new OperatorError(`${text} is no network`);
    const length = prefix === undefined ? bits : prefixLength(text, prefix, bits);
    this.members.addSubnet(address, length, bits === 32 ? 'ipv4' : 'ipv6');
    if (bits === 32) this.networks.push(networkOf(numberOf(address)!, length));
  }

  /** Whether `value` is an address and a member. */
  has(value: Bytes): boolean {
    const number = numberOf(value);
    if (number !== undefined) return this.networks.some(({ base, mask }) => (number & mask) === base);
    return isIPv6(value) && this.members.check(value, 'ipv6');
  }
}

function networkOf(address: number, length: number): { base: number; mask: number } {
  const mask = length === 0 ? 0 : -1 << (32 - length);
  return { base: address & mask, mask };
}

function prefixLength(text: Bytes, prefix: Bytes, bits: number): number {
  if (!/^\d{1,3}$/.test(prefix) || Number(prefix) > bits)
    throw new OperatorError(`${text} has no length of a prefix behind the slash`);
  return Number(prefix);
}

/** @returns the 32 bits of an IPv4 address in its usual form; undefined for any other text */
function numberOf(text: Bytes): number | undefined {
  let number = 0;
  let at = 0;
  for (let octets = 0; octets < 4; octets++) {
    if (octets > 0 && text[at++] !== '.') return undefined;
    const from = at;
    let octet = 0;
    while (at < text.length && at < from + 3 && isDigit(text.charCodeAt(at)))
      octet = octet * 10 + text.charCodeAt(at++) - 0x30;
    // RFC 6943 §3.1.1: readers differ on what a leading zero means, so that none is taken.
    if (at === from || octet > 255 || (at - from > 1 && text[from] === '0')) return undefined;
    number = (number << 8) | octet;
  }
  return at === text.length ? number : undefined;
}
