import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';
import type { Bytes } from '../bytes';
import { OperatorError } from './operator';

/** Networks and single addresses of both versions. */
export class AddressSet {
  private readonly members = new BlockList();

  /**
   * @param text `192.0.2.1`, `192.0.2.0/24`, `2001:db8::/32`
   * @throws OperatorError when it is none of them
   */
  add(text: Bytes): void {
    const [address = '', mask, ...rest] = text.split('/');
    const version = isIP(address);
    if (version === 0 || rest.length > 0) throw new OperatorError(`${text} is no network`);
    const family = version === 4 ? 'ipv4' : 'ipv6';
    if (mask === undefined) this.members.addAddress(address, family);
    else this.members.addSubnet(address, prefixLength(text, mask, version), family);
  }

  /** Whether `value` is an address and a member. */
  has(value: Bytes): boolean {
    if (isIPv4(value)) return this.members.check(value, 'ipv4');
    return isIPv6(value) && this.members.check(value, 'ipv6');
  }
}

function prefixLength(text: Bytes, mask: Bytes, version: number): number {
  if (!/^\d{1,3}$/.test(mask) || Number(mask) > (version === 4 ? 32 : 128))
    throw new OperatorError(`${text} has no length of a prefix behind the slash`);
  return Number(mask);
}
