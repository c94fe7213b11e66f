import type { Socket } from 'node:net';
import type { Lookup } from '../../address-guard';
import type { Forwarding, ForwardSink, UpstreamClient, UpstreamRequest } from '../../forward';
import { limits } from '../../limits';
import type { UpstreamOrigin } from '../../pool';
import { ConnectError, Connector, notInTime } from '../connector';
import type { PooledTransport } from '../transport';
import { type ConnectionOwner, Http1Connection, Http1Exchange } from './http1-connection';
import { Upgrading } from './upgrade';

/**
 * The connections to one origin over HTTP/1.1. The one that was free last is used first, so that those a burst has opened
 * are closed again when it is over.
 */
export class Http1Client implements UpstreamClient, ConnectionOwner, PooledTransport {
  readonly origin: string;
  readonly authority: string;
  private readonly connector: Connector;
  private readonly most: number;
  private readonly free: Http1Connection[] = [];
  private readonly connections = new Set<Http1Connection>();
  /** Connections of handshakes, and of the tunnels they became. */
  private readonly tunnels = new Set<Socket>();
  /** Connections that stand or are being made. */
  private open = 0;
  private readonly waiting = new Set<Http1Exchange | Upgrading>();
  private readonly connecting = new Set<() => void>();
  private retired = false;
  private whenEmpty: (() => void) | undefined;

  constructor(
    private readonly upstream: UpstreamOrigin,
    lookup: Lookup,
  ) {
    const url = new URL(upstream.url);
    this.origin = url.origin;
    this.authority = url.host;
    this.connector = new Connector(upstream, lookup, 'http/1.1');
    this.most = upstream.connections ?? limits.upstream.connections;
  }

  forward(request: UpstreamRequest, sink: ForwardSink): Forwarding {
    if (request.upgrade) return this.upgrade(new Upgrading(request, sink));
    const exchange = new Http1Exchange(request, sink);
    const connection = this.takeFree();
    if (connection) this.start(connection, exchange);
    else this.wait(exchange);
    return exchange;
  }

  onFree(connection: Http1Connection): void {
    const next = this.firstWaiting();
    if (next instanceof Upgrading) return connection.destroy(); // whose place it takes, once that is closed
    if (next) {
      next.leaveQueue!();
      // Not in the stack of the answer before: that one is still being told of its end.
      setImmediate(() => this.startOrConnect(connection, next));
    } else if (this.retired) connection.destroy();
    else this.free.push(connection);
  }

  onGone(connection: Http1Connection): void {
    this.connections.delete(connection);
    const at = this.free.indexOf(connection);
    if (at >= 0) this.free.splice(at, 1);
    this.closedOne();
  }

  /** Closes what is free now and the rest after its exchange. @returns when nothing is open any more. */
  retire(): Promise<void> {
    this.retired = true;
    for (const connection of this.free.splice(0)) connection.destroy();
    if (this.open === 0) return Promise.resolve();
    return new Promise((resolve) => (this.whenEmpty = resolve));
  }

  /** Closes everything at once; exchanges under way fail. */
  destroy(): Promise<void> {
    const closed = this.retire();
    for (const exchange of [...this.waiting]) exchange.fail(gone());
    for (const cancel of [...this.connecting]) cancel();
    for (const connection of [...this.connections]) connection.destroy();
    for (const socket of [...this.tunnels]) socket.destroy();
    return closed;
  }

  /** A tunnel has a connection of its own; where there may be no more of them, one that is free makes room. */
  private upgrade(upgrading: Upgrading): Forwarding {
    const isFull = this.open >= this.most;
    this.wait(upgrading);
    if (isFull) this.takeFree()?.destroy();
    return upgrading;
  }

  private takeFree(): Http1Connection | undefined {
    for (;;) {
      const connection = this.free.pop();
      if (!connection || connection.usable) return connection;
    }
  }

  private start(connection: Http1Connection, exchange: Http1Exchange): void {
    clearTimeout(exchange.connectTimer);
    try {
      connection.start(exchange);
    } catch (error) {
      this.onFree(connection);
      exchange.fail(error as Error);
    }
  }

  private startOrConnect(connection: Http1Connection, exchange: Http1Exchange): void {
    if (exchange.over) return this.onFree(connection);
    if (connection.usable) return this.start(connection, exchange);
    this.connect(exchange);
  }

  /** The time is the exchange's own: a connection that it gives up is made all the same, and another may want it. */
  private wait(exchange: Http1Exchange | Upgrading): void {
    const { connectMs } = exchange.request.timeouts;
    exchange.connectTimer = setTimeout(
      () => exchange.fail(exchange.leaveQueue ? this.full() : notInTime(connectMs)),
      connectMs,
    );
    if (this.open < this.most) this.connect(exchange);
    else this.queue(exchange);
  }

  private full(): ConnectError {
    return new ConnectError('SALLYPORT_FULL', `none of ${this.most} connections was free`);
  }

  private connect(exchange: Http1Exchange | Upgrading): void {
    this.open++;
    let connection: Http1Connection | undefined;
    const connected = (error: Error | undefined, socket?: Socket): void => {
      this.connecting.delete(give);
      if (!socket) {
        exchange.fail(error!);
        return this.closedOne();
      }
      if (exchange instanceof Upgrading) return this.tunnel(exchange, socket);
      const { headBytes, keepAliveMs } = limits.upstream;
      connection = new Http1Connection(socket, this, headBytes, keepAliveMs);
      this.connections.add(connection);
      // Whoever asked may have left meanwhile; another may want it.
      if (exchange.over) this.onFree(connection);
      else this.start(connection, exchange);
    };
    const read = exchange instanceof Upgrading ? undefined : (bytes: Buffer) => connection?.read(bytes);
    const tryFor = Math.max(this.upstream.connectMs, exchange.request.timeouts.connectMs);
    const cancel = this.connector.connect(connected, read, tryFor);
    const give = (): void => {
      this.connecting.delete(give);
      cancel();
      exchange.fail(gone());
      this.closedOne();
    };
    this.connecting.add(give);
  }

  private tunnel(upgrading: Upgrading, socket: Socket): void {
    this.tunnels.add(socket);
    socket.once('close', () => {
      this.tunnels.delete(socket);
      this.closedOne();
    });
    if (upgrading.over) socket.destroy();
    else upgrading.start(socket);
  }

  private queue(exchange: Http1Exchange | Upgrading): void {
    this.waiting.add(exchange);
    exchange.leaveQueue = () => {
      this.waiting.delete(exchange);
      exchange.leaveQueue = undefined;
    };
  }

  private firstWaiting(): Http1Exchange | Upgrading | undefined {
    for (const exchange of this.waiting) return exchange;
    return undefined;
  }

  private closedOne(): void {
    this.open--;
    const next = this.open < this.most ? this.firstWaiting() : undefined;
    if (next) {
      next.leaveQueue!();
      this.connect(next);
    } else if (this.open === 0) this.whenEmpty?.();
  }
}

function gone(): ConnectError {
  return new ConnectError('SALLYPORT_NO_CONNECTION', 'the gateway closes its connections');
}
