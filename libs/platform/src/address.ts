/** Where something listens: TCP, or a unix socket. */
export type Address = { readonly host: string; readonly port: number } | { readonly path: string };

/** Something that was started and is ended exactly once, however often it is asked. */
export interface Closable {
  close(): Promise<void>;
}

/** `http://host:port`, with an IPv6 host in brackets (RFC 3986 §3.2.2), or `unix:/path`. */
export function describeAddress(address: Address): string {
  return 'path' in address ? `unix:${address.path}` : `http://${authorityOf(address.host, address.port)}`;
}

/** `host:port` as a URL writes it. */
export function authorityOf(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
