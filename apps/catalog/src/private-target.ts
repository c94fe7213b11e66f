import { BlockList, isIP } from 'node:net';

/** Addresses that name this host or a network behind it: RFC 1918, 4193, 6598, 6890 and their like. */
const blocks = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const) {
  blocks.addSubnet(network, prefix, 'ipv4');
}
for (const [network, prefix] of [
  ['::', 127],
  ['64:ff9b::', 96],
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
] as const) {
  blocks.addSubnet(network, prefix, 'ipv6');
}

/**
 * Whether a URL names a private or loopback host by its text alone. A name that resolves to such an address is caught
 * where the connection is made; this is what can be told while the configuration is written.
 */
export function namesPrivateHost(url: string): boolean {
  const host = new URL(url).hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
  if (host === 'localhost' || host.endsWith('.localhost')) return true;
  const family = isIP(host);
  return family !== 0 && blocks.check(host, family === 6 ? 'ipv6' : 'ipv4');
}
