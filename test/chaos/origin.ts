// The API behind the gateway, in a process of its own. It names in each answer the request it was asked with, and counts what
// reaches it by the first segment of the path.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const EVENT_GAP_MS = 50;
const PIECE = Buffer.alloc(64 * 1024, 'x');

const rows = Buffer.from(
  JSON.stringify({ rows: Array.from({ length: 500 }, (_, row) => ({ row, name: `row ${row}`, even: row % 2 === 0 })) }),
);

const hits: Record<string, number> = {};
let received = 0;
let largest = 0;
let aborted = 0;
let denied = 0;

function serve(request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url!, 'http://origin');
  const segments = url.pathname.split('/');
  hits[segments[1] ?? ''] = (hits[segments[1] ?? ''] ?? 0) + 1;
  if (request.headers['x-chaos-kind'] === 'denied') denied++;
  let bytes = 0;
  request.on('data', (piece: Buffer) => {
    bytes += piece.length;
    received += piece.length;
    largest = Math.max(largest, bytes);
  });
  request.once('error', () => undefined);
  response.once('close', () => {
    if (!response.writableFinished) aborted++;
  });
  const number = (name: string, fallback: number): number => Number(url.searchParams.get(name) ?? fallback);
  const id = request.headers['x-chaos-id'];
  if (id !== undefined) response.setHeader('x-chaos-id', id);
  request.once('end', () => {
    switch (segments.at(-1)) {
      case 'stream':
        return sendEvents(response, number('events', 20), number('gap', EVENT_GAP_MS));
      case 'big':
        return sendBytes(response, number('bytes', 1024));
      case 'rows':
        return sendText(response, 200, rows);
      case 'slow':
        return void setTimeout(() => sendJson(response, 200, { id, bytes }), number('ms', 1000));
      case 'broken':
        return sendJson(response, 500, { id });
      default:
        return sendJson(response, 200, { id, path: url.pathname, bytes });
    }
  });
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  sendText(response, status, Buffer.from(JSON.stringify(value)));
}

function sendText(response: ServerResponse, status: number, body: Buffer): void {
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length }).end(body);
}

function sendEvents(response: ServerResponse, count: number, gapMs: number): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  let number = 0;
  const timer = setInterval(() => {
    number++;
    response.write(`event: ${number === count ? 'last' : 'next'}\nid: ${number}\ndata: {"at":${Date.now()}}\n\n`);
    if (number < count) return;
    clearInterval(timer);
    response.end();
  }, gapMs);
  response.once('close', () => clearInterval(timer));
}

function sendBytes(response: ServerResponse, bytes: number): void {
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': bytes });
  let left = bytes;
  const more = (): void => {
    while (left > 0) {
      const piece = left >= PIECE.length ? PIECE : PIECE.subarray(0, left);
      left -= piece.length;
      if (!response.write(piece)) return void response.once('drain', more);
    }
    response.end();
  };
  more();
}

const server = createServer({ keepAliveTimeout: 120_000 }, serve);
// A thousand connections at once must not fail here: it is not the origin that is tried.
server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, () =>
  process.send!({ port: (server.address() as AddressInfo).port }),
);
process.on('message', (question: number) => {
  server.getConnections((_error, connections) => {
    process.send!({ question, hits, received, largest, aborted, denied, connections });
  });
});
process.once('disconnect', () => process.exit());
