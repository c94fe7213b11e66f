import type { LookupAddress, LookupOptions } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { addressBytes, blockHolds, parseAddressBlock, type AddressBlock } from './address';

/** Asks the name service; the signature of `dns.lookup`. */
export type Lookup = (
  hostname: string,
  options: LookupOptions & { all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/**
 * What an address is to a gateway that is told by others where to connect:
 * `public` anyone may be sent to; `private` only where the operator said so; `forbidden` never, since it is the
 * machine's metadata, its neighbours on the link, many hosts at once, or nobody.
 */
export type AddressClass = 'public' | 'private' | 'forbidden';

interface Block extends AddressBlock {
  readonly is: AddressClass;
}

function block(cidr: string, is: AddressClass): Block {
  return { ...parseAddressBlock(cidr), is };
}

/** IANA's special-purpose registry (RFC 6890 and its updates); the first that holds the address decides. */
const ipv4Blocks = [
  block('10.0.0.0/8', 'private'),
  block('100.100.100.200/32', 'forbidden'), // metadata service of a cloud inside the shared range
  block('168.63.129.16/32', 'forbidden'), // the host of a cloud's machines, at an address of the Internet
  block('100.64.0.0/10', 'private'), // RFC 6598, shared between carrier and customer
  block('127.0.0.0/8', 'private'),
  block('172.16.0.0/12', 'private'),
  block('192.168.0.0/16', 'private'),
  block('198.18.0.0/15', 'private'), // RFC 2544, benchmarks
  block('0.0.0.0/8', 'forbidden'),
  block('169.254.0.0/16', 'forbidden'), // link-local, and the metadata services of clouds
  block('192.0.0.0/24', 'forbidden'),
  block('192.0.2.0/24', 'forbidden'),
  block('192.88.99.0/24', 'forbidden'),
  block('198.51.100.0/24', 'forbidden'),
  block('203.0.113.0/24', 'forbidden'),
  block('224.0.0.0/3', 'forbidden'), // multicast and reserved
  block('0.0.0.0/0', 'public'),
];

const ipv6Blocks = [
  block('::1/128', 'private'),
  block('fd00:ec2::/32', 'forbidden'), // metadata services of clouds inside the private range
  block('fd20:ce::254/128', 'forbidden'),
  block('fc00::/7', 'private'),
  block('2001::/23', 'forbidden'), // Teredo and other protocol assignments
  block('2001:db8::/32', 'forbidden'),
  block('2002::/16', 'forbidden'), // 6to4 hides an IPv4 address
  block('3fff::/20', 'forbidden'),
  block('2000::/3', 'public'),
  block('::/0', 'forbidden'),
];

const NAT64 = block('64:ff9b::/96', 'public');

/** @param address in any spelling; what is no address is `forbidden`. */
export function classifyAddress(address: string): AddressClass {
  const bytes = addressBytes(address);
  if (!bytes) return 'forbidden';
  // RFC 6052 §2.1: the last four bytes are the IPv4 address that is really meant.
  if (bytes.length === 16 && blockHolds(NAT64, bytes)) return classifyAddress(bytes.subarray(12).join('.'));
  const blocks = bytes.length === 4 ? ipv4Blocks : ipv6Blocks;
  return blocks.find((one) => blockHolds(one, bytes))?.is ?? 'forbidden';
}

/** The name or address of an upstream leads where no upstream may be. */
export class AddressNotAllowed extends Error {
  readonly code = 'SALLYPORT_ADDRESS_NOT_ALLOWED';
  constructor(hostname: string, addresses: readonly string[]) {
    super(`${hostname} leads to ${addresses.join(', ') || 'no address'}, where no upstream is allowed`);
    this.name = 'AddressNotAllowed';
  }
}

export function isAddressAllowed(address: string, allowPrivate: boolean): boolean {
  const is = classifyAddress(address);
  return is === 'public' || (is === 'private' && allowPrivate);
}

/**
 * A lookup for `net.connect` that hands out allowed addresses only. The socket connects to exactly what was checked,
 * so a name that changes its answer between check and connect (DNS rebinding) gains nothing.
 */
export function guardedLookup(lookup: Lookup, allowPrivate: boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, '', 0);
      const allowed = addresses.filter(({ address }) => isAddressAllowed(address, allowPrivate));
      const [first] = allowed;
      if (!first) {
        const refused = new AddressNotAllowed(
          hostname,
          addresses.map(({ address }) => address),
        );
        return callback(refused, '', 0);
      }
      if (options.all) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}
