import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

/** One request as an upstream saw it, byte for byte. */
export interface SeenRequest {
  /** Number of the connection it came over. */
  readonly connection: number;
  readonly line: string;
  /** Name and value of each field, in order; names as received. */
  readonly fields: readonly (readonly [string, string])[];
  body: string;
  /** Whether it came to its end. */
  complete: boolean;
  /** Where it is not what a gateway should send (RFC 9112): anything but canonical framing. */
  fault: string | undefined;
}

/** What the origin does with a request that is complete. */
export type Respond = (socket: Socket, request: SeenRequest) => void;

const OK = 'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok';

/** An HTTP/1.1 origin on a bare socket: it forgives nothing and remembers everything. */
export class RawOrigin {
  readonly requests: SeenRequest[] = [];
  /** Connections that were opened, and that were closed since. */
  opened = 0;
  closed = 0;
  respond: Respond = (socket) => void socket.write(OK);
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();

  constructor() {
    this.server = createServer((socket) => this.serve(socket));
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** Requests whose target has a part. */
  seen(part: string): SeenRequest[] {
    return this.requests.filter(({ line }) => line.includes(part));
  }

  reset(): void {
    this.requests.length = 0;
    this.respond = (socket) => void socket.write(OK);
  }

  private serve(socket: Socket): void {
    const reader = new RequestReader(this.opened++, this.requests, (request) => this.respond(socket, request));
    this.sockets.add(socket);
    socket.on('data', (chunk: Buffer) => reader.push(chunk.toString('latin1')));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.closed++;
      this.sockets.delete(socket);
    });
  }
}

/** Reads requests one after the other, and nothing that is not framed as it should be. */
class RequestReader {
  private text = '';
  private current: SeenRequest | undefined;
  /** Bytes of the body still to come; `chunked` while chunks come. */
  private left: number | 'chunked' = 0;

  constructor(
    private readonly connection: number,
    private readonly requests: SeenRequest[],
    private readonly done: (request: SeenRequest) => void,
  ) {}

  push(text: string): void {
    this.text += text;
    while (this.current ? this.readBody(this.current) : this.readHead());
  }

  private readHead(): boolean {
    const end = this.text.indexOf('\r\n\r\n');
    if (end < 0) return false;
    const [line = '', ...rest] = this.text.slice(0, end).split('\r\n');
    this.text = this.text.slice(end + 4);
    const fields = rest.map((field): [string, string] => {
      const colon = field.indexOf(': ');
      return [field.slice(0, colon), field.slice(colon + 2)];
    });
    this.current = { connection: this.connection, line, fields, body: '', complete: false, fault: undefined };
    this.requests.push(this.current);
    this.frame(this.current);
    return true;
  }

  private frame(request: SeenRequest): void {
    const valuesOf = (name: string) => request.fields.filter(([key]) => key.toLowerCase() === name).map(([, v]) => v);
    const lengths = valuesOf('content-length');
    const encodings = valuesOf('transfer-encoding');
    if (!/^[A-Z]+ \/[\x21-\x7e]* HTTP\/1\.1$/.test(request.line)) request.fault = `request line ${request.line}`;
    if (request.fields.some(([name, value]) => !/^[a-z0-9!#$%&'*+.^`|~-]+$/i.test(name) || /[\r\n\0]/.test(value)))
      request.fault = 'a field that is none';
    if (valuesOf('host').length !== 1) request.fault = `${valuesOf('host').length} hosts`;
    if (lengths.length + encodings.length > 1) request.fault = 'framed twice';
    if (lengths[0] !== undefined && !/^\d+$/.test(lengths[0])) request.fault = `length ${lengths[0]}`;
    if (encodings[0] !== undefined && encodings[0] !== 'chunked') request.fault = `encoding ${encodings[0]}`;
    this.left = encodings.length > 0 ? 'chunked' : Number(lengths[0] ?? 0);
  }

  private readBody(request: SeenRequest): boolean {
    if (this.left === 'chunked') return this.readChunk(request);
    const part = this.text.slice(0, this.left);
    this.text = this.text.slice(part.length);
    request.body += part;
    this.left -= part.length;
    return this.left === 0 ? this.finish(request) : false;
  }

  private readChunk(request: SeenRequest): boolean {
    const end = this.text.indexOf('\r\n');
    if (end < 0) return false;
    const size = this.text.slice(0, end);
    if (!/^[0-9a-f]+$/i.test(size)) request.fault = `chunk size ${size}`;
    const length = Number.parseInt(size, 16);
    if (this.text.length < end + 2 + length + 2) return false;
    request.body += this.text.slice(end + 2, end + 2 + length);
    if (this.text.slice(end + 2 + length, end + 4 + length) !== '\r\n') request.fault = 'chunk without an end';
    this.text = this.text.slice(end + 4 + length);
    return length === 0 ? this.finish(request) : true;
  }

  private finish(request: SeenRequest): boolean {
    request.complete = true;
    this.current = undefined;
    this.done(request);
    return true;
  }
}
