/** A block of addresses; IPv4 is kept apart from IPv6, and IPv4-mapped IPv6 (RFC 4291 §2.5.5.2) counts as IPv4. */
export interface AddressRange {
  readonly bits: 32 | 128;
  readonly first: bigint;
  readonly last: bigint;
}

/**
 * Reads `192.0.2.0/24`, `2001:db8::/32` or a single address.
 * @throws RangeError when it is none of these, or has bits set behind the prefix.
 */
export function parseAddressRange(text: string): AddressRange {
  const [addressText, prefixText, ...rest] = text.split('/');
  const address = parseAddress(addressText!);
  if (!address || rest.length > 0 || (prefixText !== undefined && !/^\d{1,3}$/.test(prefixText))) {
    throw new RangeError('not an address or a range such as 192.0.2.0/24 or 2001:db8::/32');
  }
  const prefix = prefixText === undefined ? address.bits : Number(prefixText);
  if (prefix > address.bits) throw new RangeError(`a prefix here has at most ${address.bits} bits`);
  const hosts = (1n << BigInt(address.bits - prefix)) - 1n;
  if ((address.value & hosts) !== 0n) throw new RangeError('bits are set behind the prefix');
  return { bits: address.bits, first: address.value, last: address.value | hosts };
}

/** Whether an address lies in one of the ranges; what cannot be read as an address lies in none. */
export function isWithin(ranges: readonly AddressRange[], addressText: string): boolean {
  const address = parseAddress(addressText);
  return (
    address !== undefined &&
    ranges.some(({ bits, first, last }) => bits === address.bits && address.value >= first && address.value <= last)
  );
}

interface Address {
  readonly bits: 32 | 128;
  readonly value: bigint;
}

function parseAddress(text: string): Address | undefined {
  const plain = text.includes('%') ? text.slice(0, text.indexOf('%')) : text; // RFC 4007 §11: a zone names no address
  if (!plain.includes(':')) {
    const value = parseIpv4(plain);
    return value === undefined ? undefined : { bits: 32, value };
  }
  const value = parseIpv6(plain);
  if (value === undefined) return undefined;
  return value >> 32n === 0xffffn ? { bits: 32, value: value & 0xffffffffn } : { bits: 128, value };
}

function parseIpv4(text: string): bigint | undefined {
  const parts = text.split('.');
  // No leading zeros: some readers take them for octal.
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255))
    return undefined;
  return parts.reduce((value, part) => (value << 8n) | BigInt(part), 0n);
}

function parseIpv6(text: string): bigint | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const groups = halves.map(readGroups);
  const [head, tail] = groups;
  if (!head || groups.some((half) => half === undefined)) return undefined;
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const all = tail === undefined ? head : [...head, ...new Array<bigint>(missing).fill(0n), ...tail];
  return all.reduce((value, group) => (value << 16n) | group, 0n);
}

/** The 16-bit groups of one side of `::`; the last two may be written as IPv4. */
function readGroups(text: string): bigint[] | undefined {
  if (text === '') return [];
  const parts = text.split(':');
  const groups: bigint[] = [];
  for (const [index, part] of parts.entries()) {
    if (part.includes('.') && index === parts.length - 1) {
      const ipv4 = parseIpv4(part);
      if (ipv4 === undefined) return undefined;
      groups.push(ipv4 >> 16n, ipv4 & 0xffffn);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
      groups.push(BigInt(`0x${part}`));
    }
  }
  return groups;
}
