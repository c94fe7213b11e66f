import { isIP } from 'node:net';
import { isAddressAllowed } from '@sallyport/proxy';

/**
 * What can be told of a server's address while the configuration is written: an address in the URL itself, and the names
 * of this host. A name that resolves to such an address is caught where the connection is made, by the same judge.
 *
 * @returns `private` where `allowPrivate` must be said, `forbidden` where nothing helps
 */
export function targetAddress(url: string): 'public' | 'private' | 'forbidden' {
  const host = new URL(url).hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
  if (host === 'localhost' || host.endsWith('.localhost')) return 'private';
  if (isIP(host) === 0 || isAddressAllowed(host, false)) return 'public';
  return isAddressAllowed(host, true) ? 'private' : 'forbidden';
}
