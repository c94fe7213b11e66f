import type { Socket } from 'node:net';
import { isRefusal, refuse, type Refusal } from '@sallyport/contracts';
import { formatTraceparent } from '@sallyport/platform';
import {
  BodyCap,
  fieldsToClient,
  fieldsToUpstream,
  handshakeFault,
  type ForwardPhase,
  type RawFields,
  type UpgradeSink,
} from '@sallyport/proxy';
import type { Exchange } from '../exchange';
import type { GatewayParts } from '../gateway-parts';
import { AnswerPipe } from '../hooks/answer-pipe';
import { prepareRequest } from '../hooks/request-hooks';
import { balanceKey, chooseUpstream } from './choose-upstream';
import { outcomeOf, pathOf } from './proxied-api';
import { WebSocketTunnel } from './websocket-tunnel';

/** Fields of the handshake that end here: without extensions a message weighs what it says (RFC 6455 §9). */
const ENDS_HERE = ['sec-websocket-extensions'] as const;

/** Opens a WebSocket for an admitted request, and not one byte of it before the upstream has agreed. */
export function sendWebSocket(exchange: Exchange, parts: GatewayParts): void {
  const fault = handshakeFault(exchange.request!.field) ?? earlyFault(exchange);
  if (fault !== undefined) return parts.refuse(exchange, refuse('REQUEST_MALFORMED', { reason: fault }), 'close');
  prepareRequest(exchange, parts, () => ask(exchange, parts));
}

function earlyFault({ incoming }: Exchange): string | undefined {
  return incoming.takeOver!.early.length > 0 ? 'something was sent before the protocol had changed' : undefined;
}

function ask(exchange: Exchange, parts: GatewayParts): void {
  const group = chooseUpstream(exchange, parts);
  if (!group) return parts.refuse(exchange, refuse('UPSTREAM_UNREACHABLE', {}, { reason: 'no such upstream' }));
  const { hashOn, settings } = group;
  const target = group.pick(hashOn === undefined ? '' : balanceKey(exchange, hashOn));
  if (isRefusal(target)) return parts.refuse(exchange, target);
  const path = pathOf(exchange, target);
  if (typeof path !== 'string') return parts.refuse(exchange, path);
  const { client } = target;
  exchange.upstreamHost = client.authority;
  if (!client.upgrade)
    return parts.refuse(exchange, refuse('UPSTREAM_UNREACHABLE', {}, { reason: 'HTTP/2 upstreams take no WebSocket' }));

  exchange.arrivals += 1;
  const opening = new Opening(exchange, parts);
  const timeouts = { ...settings.timeouts, ...exchange.compiled!.timeouts };
  const forwarding = client.upgrade({ path, fields: fieldsFor(exchange, client.authority), timeouts }, opening);
  opening.pipe.feedFrom(forwarding);
  exchange.onClose(() => forwarding.abort());
}

function fieldsFor(exchange: Exchange, host: string): RawFields {
  const request = exchange.draft?.head ?? exchange.request!;
  const { trustTrace } = exchange.route;
  const facts = {
    requestId: exchange.requestId,
    host,
    principal: exchange.principal,
    traceparent: exchange.trace && formatTraceparent(exchange.trace),
    tracestate: trustTrace ? request.field.get('tracestate') : undefined,
    keepBaggage: trustTrace,
    contentLength: undefined,
  };
  return fieldsToUpstream(request, facts, ENDS_HERE);
}

/** What becomes of a request for a WebSocket: a tunnel, or an answer like any other. */
class Opening implements UpgradeSink {
  readonly pipe: AnswerPipe;

  constructor(
    private readonly exchange: Exchange,
    private readonly parts: GatewayParts,
  ) {
    this.pipe = new AnswerPipe(exchange, parts, 'upstream');
  }

  onSwitched(fields: RawFields, upstream: Socket, early: Buffer): void {
    const { exchange, parts } = this;
    if (exchange.over) return void upstream.destroy();
    const client = exchange.incoming.takeOver!.socket;
    const { answer, bounds } = exchange;
    answer.switchProtocol();
    client.write(
      agreement([...fieldsToClient(101, fields), ...exchange.commonFields(parts.showConfigVersion)]),
      'latin1',
    );

    exchange.body = new BodyCap(Number.MAX_SAFE_INTEGER);
    const tunnel = new WebSocketTunnel({
      client,
      upstream,
      maxMessageBytes: bounds.webSocketMessageBytes,
      idleMs: bounds.webSocketIdleSeconds * 1000,
      clock: parts.clock,
      random: parts.random,
      onBytes: (from, bytes) => {
        if (from === 'client') exchange.body.count(bytes);
        else answer.bytes += bytes;
      },
      onEnd: (outcome, refusal) => {
        exchange.outcome ??= outcome;
        if (refusal) exchange.refusal ??= refusal;
      },
    });
    exchange.goAway = () => tunnel.goAway();
    exchange.onClose(() => tunnel.destroy());
    tunnel.start(early);
  }

  onHead(status: number, fields: RawFields): void {
    this.pipe.head(status, fieldsToClient(status, fields));
  }

  onData(chunk: Buffer): boolean {
    return this.pipe.data(chunk);
  }

  onEnd(): void {
    this.exchange.outcome ??= 'ok';
    this.pipe.end();
  }

  onFailure(refusal: Refusal, phase: ForwardPhase): void {
    const { exchange, parts } = this;
    exchange.outcome = outcomeOf(refusal);
    if (phase !== 'response' || exchange.answer.replaceable) return parts.refuse(exchange, refusal);
    exchange.refusal = refusal;
    exchange.answer.destroy();
  }
}

/** RFC 6455 §4.2.2 */
function agreement(fields: RawFields): string {
  let head = 'HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n';
  for (let at = 0; at < fields.length; at += 2) head += `${fields[at]}: ${fields[at + 1]}\r\n`;
  return `${head}\r\n`;
}
