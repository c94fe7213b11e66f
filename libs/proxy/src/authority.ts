import { isIPv6 } from 'node:net';

/** Whom a request names as its host. */
export interface Authority {
  /** Lower case, without port and without a final dot; an IPv6 address keeps its brackets. */
  readonly host: string;
  /** Host, and the port unless it is the default of the scheme. */
  readonly authority: string;
}

const SHAPE = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?)(?::(\d{0,5}))?$/;
const DEFAULT_PORT = { http: 80, https: 443 } as const;

/**
 * Reads the value of Host, or the authority of an absolute target (RFC 3986 §3.2.2, RFC 9110 §7.2). Userinfo, spaces,
 * lists, escapes and zone ids are no hosts.
 * @returns undefined when it is none.
 */
export function parseAuthority(text: string, scheme: 'http' | 'https'): Authority | undefined {
  if (text.length > 261) return undefined;
  const match = SHAPE.exec(text);
  if (!match?.[1]) return undefined;
  const host = match[1].toLowerCase().replace(/\.$/, '');
  if (host.length > 253 || (host.startsWith('[') && !isIPv6(host.slice(1, -1)))) return undefined;
  const port = match[2] ? Number(match[2]) : DEFAULT_PORT[scheme];
  if (port < 1 || port > 65_535) return undefined;
  return { host, authority: port === DEFAULT_PORT[scheme] ? host : `${host}:${port}` };
}
