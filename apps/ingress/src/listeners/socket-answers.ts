import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { errors, headers, problemOf, refuse, requestId, type Refusal } from '@sallyport/contracts';
import type { Runtime } from '@sallyport/platform';
import { limits, refuseTunnel } from '@sallyport/proxy';
import type { WafFacts } from '@sallyport/trail';
import type { Exchange } from '../exchange';
import type { OpenExchanges } from '../open-exchanges';
import type { GatewayParts } from '../gateway-parts';
import { packetOf } from '../inspect';
import { markSpent } from './spent';

/** Answers what has no response object: bytes that Node's parser took for no request, and tunnels nobody digs here. */
export class SocketAnswers {
  private readonly complained = new WeakSet<Socket>();

  constructor(
    private readonly runtime: Runtime,
    private readonly parts: Pick<
      GatewayParts,
      'publicUrl' | 'refuse' | 'consults' | 'malformedPlan' | 'recordBroken' | 'clock'
    >,
    /** Exchanges under way. */
    private readonly open: OpenExchanges,
  ) {}

  readonly broken = (error: ParserError, socket: Socket): void => {
    if (error.code === 'ECONNRESET') return void socket.destroy();
    // The parser complains again with each further piece.
    if (this.complained.has(socket)) return;
    this.complained.add(socket);
    markSpent(socket);
    this.answerLast(socket, refusalOf(error), error.code, packetOfFirst(error, socket));
  };

  /** Answers once everything is answered that came before on the same connection. */
  private answerLast(socket: Socket, refusal: Refusal, cause: string | undefined, packet?: Buffer): void {
    const response = responseOn(socket);
    if (!response) return this.refuse(socket, refusal, cause, packet);
    const exchange = this.exchangeOf(response);
    if (exchange && !exchange.incoming.complete) {
      // The body of this very request broke: it gets the refusal, unless it has one already, and nothing follows it.
      response.once('finish', () => socket.destroySoon());
      return this.parts.refuse(exchange, refusal, 'close');
    }
    response.once('finish', () => this.answerLast(socket, refusal, cause));
  }

  private exchangeOf(response: ServerResponse): Exchange | undefined {
    for (const exchange of this.open) if (exchange.response === response) return exchange;
    return undefined;
  }

  readonly tunnel = (incoming: IncomingMessage, socket: Socket): void => {
    this.refuse(socket, refuseTunnel(incoming.url!), incoming.method, packetOf(incoming));
  };

  /** @param packet what rules look at for the record; undefined: it cannot be told what was asked. */
  private refuse(socket: Socket, refusal: Refusal, cause: string | undefined, packet?: Buffer): void {
    const id = requestId(this.runtime.random);
    const { clock, consults, malformedPlan, recordBroken } = this.parts;
    const startedAt = clock.now();
    const { remoteAddress: clientAddress = 'unknown', remotePort: sourcePort } = socket;
    const answer = (waf: WafFacts | undefined): void => {
      const { http: status } = errors[refusal.code];
      const go = (): void => this.write(socket, refusal, id, cause);
      if (!waf) return go();
      recordBroken({ requestId: id, startedAt, clientAddress, sourcePort, status, refusal, waf }, go);
    };
    if (!packet) return answer(undefined);
    const shown = { packet, plan: malformedPlan, tenant: 'default', requestId: id, clientAddress };
    consults.inspector.malformed(shown, ({ verdict, hits, scores, ruleset }) =>
      answer({ verdict, hits, ...(scores && { scores }), ...(ruleset !== '' && { ruleset }) }),
    );
  }

  private write(socket: Socket, refusal: Refusal, id: string, cause: string | undefined): void {
    if (!socket.writable) return void socket.destroy();
    const { status, headers: fields, body } = problemOf(refusal, { requestId: id, publicUrl: this.parts.publicUrl });
    const text = JSON.stringify(body);
    const all = { ...fields, [headers.requestId]: id, 'content-length': Buffer.byteLength(text), connection: 'close' };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.end(`HTTP/1.1 ${status} ${body.title}\r\n${lines.join('')}\r\n${text}`);
    this.runtime.logger.debug({ request_id: id, code: body.code, cause }, 'bytes that are no request');
  }
}

/** What Node's parser says with its complaint. */
export type ParserError = NodeJS.ErrnoException & { readonly rawPacket?: Buffer };

const MOST_PACKET_BYTES = 16 * 1024;

/**
 * The bytes of a request that begins its connection. Of a later one, or of a head that came in pieces, it cannot be told where
 * it begins, and nothing is guessed.
 */
function packetOfFirst({ rawPacket }: ParserError, socket: Socket): Buffer | undefined {
  if (!rawPacket || rawPacket.length === 0 || responseOn(socket)) return undefined;
  const encrypted = 'encrypted' in socket && socket.encrypted === true;
  if (!encrypted && socket.bytesRead !== rawPacket.length) return undefined;
  return rawPacket.subarray(0, MOST_PACKET_BYTES);
}

function refusalOf({ code }: NodeJS.ErrnoException): Refusal {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return refuse('HEADERS_TOO_LARGE', { reason: `more than ${limits.head.blockBytes} bytes` });
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return refuse('REQUEST_TIMEOUT', { seconds: limits.listener.requestMs / 1000 });
  return refuse('REQUEST_MALFORMED', { reason: 'the bytes are not HTTP/1.1' });
}

/** The response that Node is about to write, or writes, on this socket. */
function responseOn(socket: Socket): ServerResponse | undefined {
  return (socket as { _httpMessage?: ServerResponse | null })._httpMessage ?? undefined;
}
