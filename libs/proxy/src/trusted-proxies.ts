import { isIP } from 'node:net';
import { unwrapAddress, type AddressList } from './address';

/** What proxies in front of us said of a request. */
export interface ProxyReport {
  /** Values of X-Forwarded-For, in order, joined by comma. */
  readonly forwardedFor: string | undefined;
  /** Values of X-Forwarded-Proto, likewise. */
  readonly forwardedProto: string | undefined;
}

/** Where a request really came from. */
export interface Origin {
  readonly address: string;
  readonly scheme: 'http' | 'https';
}

/** So many are looked at, from the right: more proxies in a row are nobody's network. */
const MAX_HOPS = 32;

/**
 * Finds the right-most hop that is not ours: what stands left of it was written by somebody we do not know. A hop that
 * is no address ends the search at the one that named it.
 *
 * @param peer the other end of the connection; believed only when it is trusted
 */
export function originOf(peer: Origin, report: ProxyReport, trusted: AddressList): Origin {
  if (!trusted.has(peer.address)) return peer;
  // A caller may write as many hops as fit in front of those our proxies append.
  const hops = report.forwardedFor?.split(',') ?? [];
  const last = Math.max(0, hops.length - MAX_HOPS);
  let address = peer.address;
  let at = hops.length;
  while (at > last && trusted.has(address)) {
    const hop = addressOfHop(hops[at - 1]!);
    if (hop === undefined) break;
    address = hop;
    at--;
  }
  return { address, scheme: schemeAt(report.forwardedProto, at, hops.length) ?? peer.scheme };
}

/** One value speaks for all hops; several are read hop by hop, and only where their number is that of the hops. */
function schemeAt(forwardedProto: string | undefined, at: number, hops: number): 'http' | 'https' | undefined {
  const schemes = forwardedProto?.split(',').map((scheme) => scheme.trim().toLowerCase()) ?? [];
  const scheme = schemes.length === 1 ? schemes[0] : schemes.length === hops ? schemes[at] : undefined;
  return scheme === 'http' || scheme === 'https' ? scheme : undefined;
}

const WITH_PORT = /^(?:(\d+\.\d+\.\d+\.\d+)|\[([0-9A-Fa-f:.]+)\]):\d{1,5}$/;

function addressOfHop(hop: string): string | undefined {
  const text = hop.trim();
  const match = WITH_PORT.exec(text);
  const address = match ? (match[1] ?? match[2])! : text;
  return isIP(address) === 0 || address.includes('%') ? undefined : unwrapAddress(address);
}
