import type { Socket } from 'node:net';
import { isRefusal, refuse, type Refusal } from '@sallyport/contracts';
import { BodyCap, fieldsToClient, handshakeRefusal, type RawFields, type UpstreamRequest } from '@sallyport/proxy';
import type { Exchange } from '../exchange';
import type { GatewayParts } from '../gateway-parts';
import { prepareRequest } from '../hooks/request-hooks';
import { ProxiedCall, sendThrough } from './proxied-api';
import type { Target } from './upstreams';
import { WebSocketTunnel } from './websocket-tunnel';

/** Fields of the handshake that end here: without extensions a message weighs what it says (RFC 6455 §9). */
const ENDS_HERE = ['sec-websocket-extensions'] as const;

/** Opens a WebSocket for an admitted request, and not one byte of it before the upstream has agreed. */
export function sendWebSocket(exchange: Exchange, parts: GatewayParts): void {
  const refusal = handshakeRefusal(exchange.request!.field) ?? earlyRefusal(exchange);
  if (refusal) return parts.refuse(exchange, refusal, 'close');
  prepareRequest(exchange, parts, (body) => {
    sendThrough(exchange, parts, (group) => {
      if (group.settings.protocol === 'http2')
        return refuse('UPSTREAM_UNREACHABLE', {}, { reason: 'HTTP/2 upstreams take no WebSocket' });
      return new WebSocketCall(exchange, parts, group, body);
    });
  });
}

function earlyRefusal({ incoming }: Exchange): Refusal | undefined {
  if (incoming.takeOver!.early.length === 0) return undefined;
  return refuse('REQUEST_MALFORMED', { reason: 'something was sent before the protocol had changed' });
}

/** A handshake is a call like any other: limited, judged, and made elsewhere where nothing was sent; then there is a tunnel. */
class WebSocketCall extends ProxiedCall {
  /** Whoever has got the handshake may have begun something for it. */
  override get repeatable(): boolean {
    return false;
  }

  protected override get endsHere(): readonly string[] {
    return [...super.endsHere, ...ENDS_HERE];
  }

  override requestFor(target: Target, attempt: number): UpstreamRequest | Refusal {
    const request = super.requestFor(target, attempt);
    return isRefusal(request) ? request : { ...request, upgrade: true };
  }

  /** Nobody would speak through the tunnel of a copy. */
  override mirror(): void {}

  onSwitched(fields: RawFields, upstream: Socket, early: Buffer): void {
    const { exchange, parts } = this;
    this.endSpan(101, undefined);
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
}

/** RFC 6455 §4.2.2 */
function agreement(fields: RawFields): string {
  let head = 'HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n';
  for (let at = 0; at < fields.length; at += 2) head += `${fields[at]}: ${fields[at + 1]}\r\n`;
  return `${head}\r\n`;
}
