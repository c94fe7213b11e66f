import { request as httpRequest, type IncomingMessage, type IncomingHttpHeaders, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';

/** Where a call goes: a URL, or a unix socket of this host. */
export type Door = { readonly url: URL } | { readonly socket: string };

export interface Call {
  readonly method: string;
  /** Path and query, from the root of the door. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Milliseconds until the head of the answer, and between its bytes. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** An answer with its whole body. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** No admin answer is larger; one that is comes from something that is not Sallyport. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** Nobody answered, or not in time; `cause` says what the system said. */
export class NoAnswer extends Error {
  constructor(
    readonly door: Door,
    reason: string,
    cause?: unknown,
  ) {
    super(reason, { cause });
    this.name = 'NoAnswer';
  }
}

/** `http://host:port` or `unix:/path`. */
export function describeDoor(door: Door): string {
  return 'url' in door ? door.url.href.replace(/\/$/, '') : `unix:${door.socket}`;
}

/**
 * Calls and gives the answer as soon as its head is there.
 * @throws NoAnswer
 */
export function open(door: Door, { method, path, headers, body, timeoutMs, signal }: Call): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const options: RequestOptions = {
      method,
      headers: { ...headers, ...(body !== undefined && { 'content-length': String(Buffer.byteLength(body)) }) },
      // One process makes few calls, and must end when they are answered.
      agent: false,
      signal,
      timeout: timeoutMs,
    };
    const outgoing =
      'socket' in door
        ? httpRequest({ ...options, socketPath: door.socket, path })
        : (door.url.protocol === 'https:' ? httpsRequest : httpRequest)(addressOf(door.url, path), options);
    outgoing.once('response', resolve);
    outgoing.once('timeout', () => outgoing.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)));
    outgoing.once('error', (error: NodeJS.ErrnoException) => reject(new NoAnswer(door, reasonOf(error), error)));
    outgoing.end(body);
  });
}

/** @throws NoAnswer */
export async function call(door: Door, what: Call): Promise<Answer> {
  const incoming = await open(door, what);
  const parts: Buffer[] = [];
  let size = 0;
  try {
    for await (const part of incoming as AsyncIterable<Buffer>) {
      size += part.length;
      if (size > MAX_ANSWER_BYTES) throw new Error(`the answer is larger than ${MAX_ANSWER_BYTES} bytes`);
      parts.push(part);
    }
  } catch (error) {
    throw new NoAnswer(door, reasonOf(error as NodeJS.ErrnoException), error);
  }
  return { status: incoming.statusCode ?? 0, headers: incoming.headers, text: Buffer.concat(parts).toString('utf8') };
}

/** A door may stand behind a prefix: `https://example.com/gateway`. */
function addressOf(base: URL, path: string): URL {
  return new URL(`${base.pathname.replace(/\/$/, '')}${path}`, base);
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection broke off',
  ENOENT: 'the socket is not there',
  ENOTFOUND: 'the host name is not known',
  EAI_AGAIN: 'the host name cannot be looked up now',
  EHOSTUNREACH: 'the host cannot be reached',
  ETIMEDOUT: 'the host does not answer',
  EACCES: 'the socket belongs to another user',
};

function reasonOf(error: NodeJS.ErrnoException): string {
  // Several addresses of one name were tried, and each has failed for its own reason.
  const [first] = error instanceof AggregateError ? (error.errors as NodeJS.ErrnoException[]) : [error];
  return reasons[first?.code ?? ''] ?? first?.message ?? 'the call failed';
}
