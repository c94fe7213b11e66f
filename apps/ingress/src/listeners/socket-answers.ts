import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { headers, problemOf, refuse, requestId, type Refusal } from '@sallyport/contracts';
import type { Runtime } from '@sallyport/platform';
import { limits } from '@sallyport/proxy';

/** Answers what has no response object: bytes that Node's parser took for no request, and tunnels nobody digs here. */
export class SocketAnswers {
  constructor(
    private readonly runtime: Runtime,
    private readonly publicUrl: string,
  ) {}

  readonly broken = (error: NodeJS.ErrnoException, socket: Socket): void => {
    if (error.code === 'ECONNRESET') return void socket.destroy();
    this.refuse(socket, refusalOf(error), error.code);
  };

  readonly tunnel = (incoming: IncomingMessage, socket: Socket): void => {
    this.refuse(socket, refuse('METHOD_NOT_ALLOWED', { method: 'CONNECT', allow: '' }), incoming.method);
  };

  private refuse(socket: Socket, refusal: Refusal, cause: string | undefined): void {
    // The parser can fail in the middle of a message whose answer is already under way; then nothing sensible can follow.
    if (!socket.writable || answering(socket)) return void socket.destroy();
    const id = requestId(this.runtime.random);
    const { status, headers: fields, body } = problemOf(refusal, { requestId: id, publicUrl: this.publicUrl });
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

/** Whether Node has an answer under way on this socket. */
function answering(socket: Socket): boolean {
  const { _httpMessage: message } = socket as { _httpMessage?: { headersSent: boolean; writableEnded: boolean } };
  return message?.headersSent === true && !message.writableEnded;
}
