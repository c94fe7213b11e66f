import { lookup as systemLookup } from 'node:dns';
import { isIP } from 'node:net';
import { Readable } from 'node:stream';
import type { UpstreamProtocol, UpstreamTls } from '@sallyport/contracts';
import { buildConnector, Pool, type Dispatcher } from 'undici';
import { AddressNotAllowed, guardedLookup, isAddressAllowed, type Lookup } from './address-guard';
import type { Forwarding, ForwardPhase, ForwardSink, UpstreamClient, UpstreamRequest } from './forward';
import { isSendable } from './headers-out';
import { limits } from './limits';
import { upstreamFailure } from './upstream-failure';

/** What tells one pool of connections from another. */
export interface UpstreamOrigin {
  /** Scheme, host and port; a path is not part of it. */
  readonly url: string;
  /** Whether private and loopback addresses are meant. */
  readonly allowPrivate: boolean;
  readonly connectMs: number;
  /** Left out: HTTP/1.1. */
  readonly protocol?: UpstreamProtocol;
  /** Of an https origin. */
  readonly tls?: UpstreamTls;
  /** How many there may be at a time. */
  readonly connections?: number;
}

function keyOf({ url, allowPrivate, connectMs, protocol, tls, connections }: UpstreamOrigin): string {
  const more = protocol || tls || connections ? JSON.stringify([protocol, tls, connections]) : '';
  return `${new URL(url).origin} ${allowPrivate} ${connectMs} ${more}`;
}

/**
 * Connections to upstreams, one pool an origin. A pool belongs to this object alone and is closed only after its last
 * exchange, so that a change of configuration breaks none.
 */
export class UpstreamPools {
  private readonly clients = new Map<string, PooledClient>();
  private readonly retiring = new Set<Promise<void>>();

  constructor(private readonly lookup: Lookup = systemLookup) {}

  /** The client of an origin; the same one for the same origin until it is retired. */
  client(origin: UpstreamOrigin): UpstreamClient {
    const key = keyOf(origin);
    let client = this.clients.get(key);
    if (!client) this.clients.set(key, (client = new PooledClient(origin, this.lookup)));
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

  private retire(client: PooledClient): void {
    const closed: Promise<void> = client.retire().finally(() => this.retiring.delete(closed));
    this.retiring.add(closed);
  }
}

/** One origin's connections, opened with the first exchange. */
class PooledClient implements UpstreamClient {
  readonly origin: string;
  readonly authority: string;
  /** Name for TLS: the upstream's own, also where Host is the client's. */
  private readonly serverName: string | undefined;
  private pool: Pool | undefined;

  constructor(
    private readonly upstream: UpstreamOrigin,
    private readonly lookup: Lookup,
  ) {
    const url = new URL(upstream.url);
    this.origin = url.origin;
    this.authority = url.host;
    this.serverName = isIP(url.hostname.replace(/^\[|\]$/g, '')) ? undefined : url.hostname;
  }

  forward(request: UpstreamRequest, sink: ForwardSink): Forwarding {
    // A request that chose its route before a retirement may come after it: it opens the pool once more.
    this.pool ??= this.open();
    const exchange = new Exchange(request, sink);
    const { method, path, fields, body, timeouts } = request;
    const options: Dispatcher.DispatchOptions & { servername?: string | undefined } = {
      method,
      path,
      headers: fields as string[],
      body: body ?? null,
      headersTimeout: timeouts.firstByteMs,
      bodyTimeout: timeouts.idleMs,
      servername: this.serverName,
    };
    this.pool.dispatch(options, exchange);
    return exchange;
  }

  async retire(): Promise<void> {
    const pool = this.pool;
    this.pool = undefined;
    await pool?.close();
  }

  async destroy(): Promise<void> {
    const pool = this.pool;
    this.pool = undefined;
    await pool?.destroy();
  }

  private open(): Pool {
    return new Pool(this.origin, {
      connect: guardedConnector(this.upstream, this.lookup),
      connections: this.upstream.connections ?? limits.upstream.connections,
      pipelining: 1,
      allowH2: false,
      keepAliveTimeout: limits.upstream.keepAliveMs,
      maxHeaderSize: limits.upstream.headBytes,
    });
  }
}

/** Connects to checked addresses only; a literal address is checked here since nobody looks it up. */
export function guardedConnector(
  { allowPrivate, connectMs }: UpstreamOrigin,
  lookup: Lookup,
): buildConnector.connector {
  const connect = buildConnector({
    timeout: connectMs,
    allowH2: false,
    lookup: guardedLookup(lookup, allowPrivate),
    autoSelectFamily: true,
  });
  return (options, callback) => {
    const { hostname } = options;
    if (isIP(hostname) && !isAddressAllowed(hostname, allowPrivate))
      return callback(new AddressNotAllowed(hostname, [hostname]), null);
    connect(options, callback);
  };
}

/** The reason undici is given when we leave; it never reaches a sink. */
const GIVEN_UP = new Error('given up');

/** One request and its answer, as undici reports them. */
class Exchange implements Dispatcher.DispatchHandler, Forwarding {
  private phase: ForwardPhase = 'connect';
  private over = false;
  private controller: Dispatcher.DispatchController | undefined;

  constructor(
    private readonly request: UpstreamRequest,
    private readonly sink: ForwardSink,
  ) {}

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    if (this.over) controller.abort(GIVEN_UP);
    else this.phase = 'request';
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (this.over || status < 200) return;
    const fields = readFields(controller.rawHeaders as Buffer[]);
    if (!fields) return this.break('a field of the answer holds bytes that no field may hold');
    this.phase = 'response';
    this.sink.onHead(status, fields);
    // RFC 9112 §6.3: these end with their head. undici counts bytes against a length they may still announce.
    if (status === 204 || status === 304) this.onResponseEnd();
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.over && !this.sink.onData(chunk)) controller.pause();
  }

  onResponseEnd(): void {
    if (this.over) return;
    this.over = true;
    this.sink.onEnd();
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    if (this.over) return;
    this.over = true;
    this.destroyBody();
    this.sink.onFailure(upstreamFailure(error, this.phase, this.request.timeouts), this.phase);
  }

  resume(): void {
    this.controller?.resume();
  }

  abort(): void {
    if (this.over) return;
    this.over = true;
    this.destroyBody();
    this.controller?.abort(GIVEN_UP);
  }

  private break(reason: string): void {
    this.over = true;
    this.destroyBody();
    this.controller?.abort(GIVEN_UP);
    const error = Object.assign(new Error(reason), { code: 'SALLYPORT_BAD_FIELD' });
    this.sink.onFailure(upstreamFailure(error, this.phase, this.request.timeouts), this.phase);
  }

  private destroyBody(): void {
    if (this.request.body instanceof Readable) this.request.body.destroy();
  }
}

/** @returns undefined when a field could not be written to a client as it is. */
function readFields(raw: readonly Buffer[]): string[] | undefined {
  const fields: string[] = [];
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at]!.toString('latin1').toLowerCase();
    const value = raw[at + 1]!.toString('latin1');
    if (!isSendable(name, value)) return undefined;
    fields.push(name, value);
  }
  return fields;
}
