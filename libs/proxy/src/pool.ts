import { lookup as systemLookup } from 'node:dns';
import type { UpstreamProtocol, UpstreamTls } from '@sallyport/contracts';
import type { Lookup } from './address-guard';
import type { UpstreamClient } from './forward';
import { Http1Client } from './upstream/http1/http1-client';
import { Http2Client } from './upstream/http2/http2-client';
import type { PooledTransport } from './upstream/transport';

/** What tells one pool of connections from another. */
export interface UpstreamOrigin {
  /** Scheme, host and port; a path is not part of it. */
  readonly url: string;
  /** Whether private and loopback addresses are meant. */
  readonly allowPrivate: boolean;
  /** How long a connection is tried, in milliseconds, or longer where the request it is made for has more time. */
  readonly connectMs: number;
  /** Left out: HTTP/1.1. */
  readonly protocol?: UpstreamProtocol;
  /** Of an https origin. */
  readonly tls?: UpstreamTls;
  /** How many there may be at a time. */
  readonly connections?: number;
}

/** Parsing a URL is slow, and a large configuration asks for thousands of origins at once, most of them again. */
const keys = new WeakMap<UpstreamOrigin, string>();

function keyOf(origin: UpstreamOrigin): string {
  let key = keys.get(origin);
  if (key === undefined) keys.set(origin, (key = keyText(origin)));
  return key;
}

function keyText({ url, allowPrivate, connectMs, protocol, tls, connections }: UpstreamOrigin): string {
  const more = protocol || tls || connections ? JSON.stringify([protocol, tls, connections]) : '';
  return `${new URL(url).origin} ${allowPrivate} ${connectMs} ${more}`;
}

/**
 * Connections to upstreams, one pool an origin. A pool belongs to this object alone and is closed only after its last
 * exchange, so that a change of configuration breaks none.
 */
export class UpstreamPools {
  private readonly clients = new Map<string, PooledTransport>();
  private readonly retiring = new Set<Promise<void>>();

  constructor(private readonly lookup: Lookup = systemLookup) {}

  /** The client of an origin; the same one for the same origin until it is retired. */
  client(origin: UpstreamOrigin): UpstreamClient {
    const key = keyOf(origin);
    let client = this.clients.get(key);
    if (!client) this.clients.set(key, (client = open(origin, this.lookup)));
    return client;
  }

  /** Retires every client whose origin is not among these; exchanges under way end in peace. */
  keepOnly(origins: Iterable<UpstreamOrigin>): void {
    const kept = new Set(Array.from(origins, keyOf));
    for (const [key, client] of this.clients) {
      if (kept.has(key)) continue;
      this.clients.delete(key);
      this.retire(client);
    }
  }

  /** Waits for the exchanges under way, then closes all connections. */
  async close(): Promise<void> {
    for (const client of this.clients.values()) this.retire(client);
    this.clients.clear();
    await Promise.all(this.retiring);
  }

  /** Closes all connections at once; exchanges under way fail. */
  async destroy(): Promise<void> {
    const clients = [...this.clients.values()];
    this.clients.clear();
    await Promise.all(clients.map((client) => client.destroy()));
  }

  private retire(client: PooledTransport): void {
    const closed: Promise<void> = client.retire().finally(() => this.retiring.delete(closed));
    this.retiring.add(closed);
  }
}

function open(origin: UpstreamOrigin, lookup: Lookup): PooledTransport {
  return origin.protocol === 'http2' ? new Http2Client(origin, lookup) : new Http1Client(origin, lookup);
}
