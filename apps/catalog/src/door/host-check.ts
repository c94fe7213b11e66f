import { isIP } from 'node:net';

/** What of a request says whom it was meant for. */
export interface Addressed {
  /** The Host field. */
  readonly host: string | undefined;
  /** The Origin field; browsers send it with everything that could do harm. */
  readonly origin: string | undefined;
  /** Address of our end of the connection; undefined on a unix socket. */
  readonly localAddress: string | undefined;
}

const loopbackNames: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * Whether the admin door may answer: for loopback names, for its own address and for names it was told. A page that
 * had its own name resolve to this host (DNS rebinding) still sends that name; a page elsewhere sends its origin.
 *
 * @param names further host names, lower case, without port
 */
export function isMeantForUs({ host, origin, localAddress }: Addressed, names: readonly string[]): boolean {
  const authority = host === undefined ? undefined : parseAuthority(host);
  if (!authority || !isOurs(authority.name, localAddress, names)) return false;
  if (origin === undefined) return true;
  // RFC 6454 §7.1: `null` is the origin of a page that hides where it comes from.
  const from = URL.canParse(origin) ? new URL(origin) : undefined;
  if (!from || !/^https?:$/.test(from.protocol)) return false;
  return from.host === authority.whole || names.includes(from.hostname);
}

function isOurs(name: string, localAddress: string | undefined, names: readonly string[]): boolean {
  return (
    loopbackNames.has(name) || names.includes(name) || (localAddress !== undefined && name === asHost(localAddress))
  );
}

/** RFC 3986 §3.2.2; nothing that needs interpreting is a host here. */
function parseAuthority(host: string): { name: string; whole: string } | undefined {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+?)\.?(:\d{1,5})?$/.exec(host.toLowerCase());
  if (!match) return undefined;
  const [, name = '', port = ''] = match;
  // A URL leaves the default port out (RFC 6454 §4), a Host field may spell it.
  return { name, whole: name + (port === ':80' || port === ':443' ? '' : port) };
}

function asHost(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, '');
  return isIP(plain) === 6 ? `[${plain}]` : plain;
}
