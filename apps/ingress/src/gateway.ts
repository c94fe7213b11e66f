import { isRefusal, refuse, requestId, type Refusal } from '@sallyport/contracts';
import { canonicalRequest } from '@sallyport/proxy';
import { Exchange } from './exchange';
import type { GatewayParts } from './gateway-parts';
import type { Connection, Incoming, Outgoing } from './listeners/connection';
import { matchDestination, type Destination } from './match';
import { admit } from './admit';
import { inspectRefused } from './inspect';
import { ExchangeList } from './open-exchanges';
import { beginTrace } from './trace';

/** Answers one request: the whole way, on one screen. */
export class Gateway {
  /** Exchanges under way, so that a drain can wait for them and end them. */
  readonly open = new ExchangeList();

  constructor(private readonly parts: GatewayParts) {}

  readonly handle = (incoming: Incoming, response: Outgoing, connection: Connection): void => {
    const exchange = this.begin(incoming, response, connection);
    try {
      this.serve(exchange);
    } catch (error) {
      this.parts.failed(exchange, error);
    }
  };

  private serve(exchange: Exchange): void {
    const { incoming, connection } = exchange;
    if (incoming.fault !== undefined)
      return this.parts.refuse(exchange, refuse('REQUEST_MALFORMED', { reason: incoming.fault }), 'close');
    const request = canonicalRequest(
      {
        method: incoming.method ?? '',
        target: incoming.url ?? '',
        rawHeaders: incoming.rawHeaders,
        httpVersion: incoming.httpVersion,
        remoteAddress: incoming.socket.remoteAddress ?? '',
        encrypted: connection.encrypted,
        trustedProxies: connection.trustedProxies,
        upgradable: incoming.takeOver !== undefined,
        bodyFollows: incoming.bodyFollows,
      },
      connection.limits.head,
    );
    if (isRefusal(request))
      return inspectRefused(exchange, this.parts, () => this.parts.refuse(exchange, request, 'close'));
    exchange.request = request;

    const destination = this.destination(exchange);
    const { overload } = this.parts;
    if (overload.pressed || this.open.size > overload.limit) {
      const turnedAway = exchange.compiled && overload.judge(exchange, this.open.size);
      if (turnedAway) return this.parts.refuse(exchange, turnedAway);
    }
    beginTrace(exchange, this.parts.tracer);
    if (isRefusal(destination)) return this.parts.refuse(exchange, destination);
    if ('page' in destination) return this.parts.showPage(exchange, destination);

    admit(exchange, this.parts, () => destination.send(exchange, this.parts));
  }

  private destination(exchange: Exchange): Destination | Refusal {
    exchange.configuration = this.parts.configuration();
    if (!exchange.configuration) return refuse('INGRESS_NOT_READY');
    return matchDestination(exchange, exchange.configuration);
  }

  private begin(incoming: Incoming, response: Outgoing, connection: Connection): Exchange {
    const { random, clock } = this.parts;
    const exchange = new Exchange(requestId(random), clock.now(), incoming, response, connection, this.parts);
    this.open.enter(exchange);
    response.on('close', () => {
      this.open.leave(exchange);
      this.parts.left(exchange);
    });
    return exchange;
  }
}
