import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { headers, problemOf, refuse, requestId, type Refusal } from '@sallyport/contracts';
import type { Runtime } from '@sallyport/platform';
import { limits } from '@sallyport/proxy';
import type { Exchange } from '../exchange';
import type { GatewayParts } from '../gateway-parts';
import { markSpent } from './spent';

/** Answers what has no response object: bytes that Node's parser took for no request, and tunnels nobody digs here. */
export class SocketAnswers {
  private readonly complained = new WeakSet<Socket>();

  constructor(
    private readonly runtime: Runtime,
    private readonly parts: Pick<GatewayParts, 'publicUrl' | 'refuse'>,
    /** Exchanges under way. */
    private readonly open: ReadonlySet<Exchange>,
  ) {}

  readonly broken = (error: NodeJS.ErrnoException, socket: Socket): void => {
    if (error.code === 'ECONNRESET') return void socket.destroy();
    // The parser complains again with each further piece.
    if (this.complained.has(socket)) return;
    this.complained.add(socket);
    markSpent(socket);
    this.answerLast(socket, refusalOf(error), error.code);
  };

  /** Answers once everything is answered that came before on the same connection. */
  private answerLast(socket: Socket, refusal: Refusal, cause: string | undefined): void {
    const response = responseOn(socket);
    if (!response) return this.refuse(socket, refusal, cause);
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
    this.refuse(socket, refuse('METHOD_NOT_ALLOWED', { method: 'CONNECT', allow: '' }), incoming.method);
  };

  private refuse(socket: Socket, refusal: Refusal, cause: string | undefined): void {
    if (!socket.writable) return void socket.destroy();
    const id = requestId(this.runtime.random);
    const { status, headers: fields, body } = problemOf(refusal, { requestId: id, publicUrl: this.parts.publicUrl });
    const text = JSON.stringify(body);
    const all = { ...fields, [headers.requestId]: id, 'content-length': Buffer.byteLength(text), connection: 'close' };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.end(`HTTP/1.1 ${status} ${body.title}\r\n${lines.join('')}\r\n${text}`);
    this.runtime.logger.debug({ request_id: id, code: body.code, cause }, 'bytes that are no request');
  }
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
