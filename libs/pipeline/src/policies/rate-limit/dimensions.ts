import { createHash } from 'node:crypto';
import { isIPv6 } from 'node:net';
import type { PolicyInput } from '../../policy';

/** What one caller is told from another by. */
export type Dimension = 'consumer' | 'key' | 'address' | 'route';

/** @returns the caller's name in that dimension; callers without a credential are their address. */
export function countedBy(by: Dimension, { request, exchange }: PolicyInput): string {
  if (by === 'route') return '*';
  const { principal } = exchange;
  if (by === 'address' || principal === undefined) return addressRange(request.clientAddress);
  return by === 'key' ? principal.credential.id : principal.consumer;
}

/** One household has a /64 of IPv6 addresses and must not have 2⁶⁴ budgets; a mapped IPv4 address is its IPv4 address. */
export function addressRange(address: string): string {
  if (!address.includes(':')) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped) return mapped[1]!;
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.split('%')[0]!.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const missing = tail === undefined ? 0 : 8 - left.length - right.length;
  const groups = [...left, ...Array<string>(Math.max(0, missing)).fill('0'), ...right];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}

/** Longest part of a key that stands in it as it is: callers choose it, stores keep it. */
const PLAIN_LENGTH = 64;

/** A value a caller chose as part of a key: of bounded length, and never able to spell the separator. */
export function keyPart(value: string): string {
  if (value.length <= PLAIN_LENGTH && /^[A-Za-z0-9._~@*/-]*$/.test(value)) return value;
  return `#${createHash('sha256').update(value).digest('base64url').slice(0, 22)}`;
}
