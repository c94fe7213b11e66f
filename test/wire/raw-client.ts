import { connect, type Socket } from 'node:net';

/** One answer as a client saw it. */
export interface SeenAnswer {
  readonly status: number;
  /** By lower-case name. */
  readonly fields: ReadonlyMap<string, string>;
  readonly body: string;
  /** `code` of a problem document. */
  readonly code: string | undefined;
}

/** What came back over one connection. */
export interface Conversation {
  readonly answers: readonly SeenAnswer[];
  /** Whether the gateway closed the connection. */
  readonly closed: boolean;
  /** Milliseconds from the first byte sent. */
  readonly took: number;
  /** Everything that was received. */
  readonly text: string;
}

export interface Talk {
  /** Longest wait for the gateway, in milliseconds. */
  readonly patience?: number;
  /** After a whole answer: how long the connection must be silent before it counts as kept open, in milliseconds. */
  readonly quiet?: number;
  /** Between the pieces, in milliseconds. */
  readonly pause?: number;
  readonly host?: string;
}

/**
 * Sends bytes as they are (latin1), piece by piece, and listens until the gateway closes the connection, or has given a
 * whole answer and falls silent.
 */
export async function talk(port: number, pieces: string | readonly string[], talk: Talk = {}): Promise<Conversation> {
  const { patience = 3_000, quiet = 40, pause = 15, host = '127.0.0.1' } = talk;
  const socket = connect({ port, host, noDelay: true });
  const started = performance.now();
  let text = '';
  let closed = false;
  let wake: () => void = () => undefined;
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
    wake();
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    closed = true;
    wake();
  });
  const silence = (ms: number) =>
    new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(true), ms);
      wake = () => {
        clearTimeout(timer);
        resolve(false);
      };
    });
  await sendAll(socket, typeof pieces === 'string' ? [pieces] : pieces, pause);
  for (;;) {
    const left = patience - (performance.now() - started);
    if (closed || left <= 0) break;
    const { answers, whole } = answersIn(text);
    const kept = whole && answers.at(-1)!.fields.get('connection') !== 'close';
    if ((await silence(Math.min(left, kept ? quiet : left))) && kept) break;
  }
  const took = performance.now() - started;
  socket.destroy();
  return { answers: answersIn(text).answers, closed, took, text };
}

async function sendAll(socket: Socket, pieces: readonly string[], pause: number): Promise<void> {
  for (const [index, piece] of pieces.entries()) {
    if (index > 0) await new Promise((resolve) => setTimeout(resolve, pause));
    if (socket.destroyed) return;
    socket.write(Buffer.from(piece, 'latin1'));
  }
}

/** @returns the answers, and whether the last one came to its end. */
export function answersIn(text: string): { answers: SeenAnswer[]; whole: boolean } {
  const answers: SeenAnswer[] = [];
  let rest = text;
  while (rest !== '') {
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0) return { answers, whole: false };
    const [line = '', ...lines] = rest.slice(0, end).split('\r\n');
    const fields = new Map(lines.map((field) => splitField(field)));
    rest = rest.slice(end + 4);
    const status = Number(line.split(' ')[1]);
    if (status === 100) continue;
    const body = bodyOf(rest, fields);
    if (!body) return { answers, whole: false };
    rest = rest.slice(body.bytes);
    answers.push({ status, fields, body: body.text, code: codeOf(body.text) });
  }
  return { answers, whole: answers.length > 0 };
}

function splitField(field: string): [string, string] {
  const colon = field.indexOf(':');
  return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()];
}

function bodyOf(rest: string, fields: ReadonlyMap<string, string>): { text: string; bytes: number } | undefined {
  if (fields.get('transfer-encoding') === 'chunked') return chunksOf(rest);
  const length = Number(fields.get('content-length') ?? 0);
  return rest.length < length ? undefined : { text: rest.slice(0, length), bytes: length };
}

function chunksOf(rest: string): { text: string; bytes: number } | undefined {
  let text = '';
  for (let at = 0; ;) {
    const end = rest.indexOf('\r\n', at);
    if (end < 0) return undefined;
    const size = Number.parseInt(rest.slice(at, end), 16);
    if (rest.length < end + 2 + size + 2) return undefined;
    text += rest.slice(end + 2, end + 2 + size);
    at = end + 2 + size + 2;
    if (size === 0) return { text, bytes: at };
  }
}

function codeOf(body: string): string | undefined {
  return /"code":"([A-Z_]+)"/.exec(body)?.[1];
}
