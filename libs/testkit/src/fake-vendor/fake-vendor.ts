import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { streamEvents, wholeAnswer, type OpenAiUsage, type UsagePlace } from './openai-chat';

/** How the vendor treats one request; all defaults make one good answer. */
export interface VendorAct {
  /** Anything but 200 is answered with `errorBody`. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly errorBody?: string;
  /** Milliseconds before the head. */
  readonly delayMs?: number;
  /** Milliseconds before each event. */
  readonly gapMs?: number;
  readonly words?: readonly string[];
  readonly usage?: OpenAiUsage;
  readonly usagePlace?: UsagePlace;
  /** Sends its bytes in pieces of so many, whatever they cut through. */
  readonly chunkBytes?: number;
  readonly lineEnd?: '\n' | '\r\n';
  /** Sent instead of the answer, as it is. */
  readonly rawBody?: string | Buffer;
  readonly contentType?: string;
  /**
   * What goes wrong once `afterEvents` events of a stream are out (0: before the first; an answer in one piece counts
   * as one): `stall` says nothing more; `reset` cuts the connection; `half-event` sends half of the next one and ends;
   * `error` sends an error event and ends; `no-end` ends without finish and end marker; `no-marker` sends everything
   * but the end marker. `never-answer` and `reset-before-head` come before all of that.
   */
  readonly fault?:
    'stall' | 'reset' | 'half-event' | 'error' | 'no-end' | 'no-marker' | 'never-answer' | 'reset-before-head';
  readonly afterEvents?: number;
}

/** A request as the vendor saw it. */
export interface VendorRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  /** Resolves with the moment (`performance.now()`) at which the connection or the answer ended before it was whole. */
  readonly aborted: Promise<number>;
}

export interface BillLine {
  readonly model: string;
  readonly usage: OpenAiUsage;
}

export interface FakeVendor {
  /** As an account's base URL: `http://127.0.0.1:<port>/v1` */
  readonly baseUrl: string;
  /** Acts for the next requests, in order; after them every answer is good. */
  script(...acts: VendorAct[]): void;
  readonly requests: readonly VendorRequest[];
  /** What it charges: one line for each answer that was sent whole. */
  readonly bill: readonly BillLine[];
  /** Resolves once this many requests have come. */
  received(count: number): Promise<void>;
  /** Connections that are open. */
  connections(): number;
  close(): Promise<void>;
}

export const VENDOR_WORDS = ['Hello', ' from', ' the', ' vendor', ' – héllo', ' 🎉.'];
export const VENDOR_USAGE: OpenAiUsage = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 };

/** A model vendor on loopback that speaks openai-chat, does what it is told to, and keeps its own bill. */
export async function startFakeVendor(): Promise<FakeVendor> {
  const vendor = new Vendor();
  await vendor.listen();
  return vendor;
}

class Vendor implements FakeVendor {
  baseUrl = '';
  readonly requests: VendorRequest[] = [];
  readonly bill: BillLine[] = [];
  private readonly acts: VendorAct[] = [];
  private readonly sockets = new Set<Socket>();
  private readonly waiting = new Set<() => void>();
  private readonly server: Server = createServer((request, response) => this.receive(request, response));

  async listen(): Promise<void> {
    this.server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.baseUrl = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/v1`;
  }

  script(...acts: VendorAct[]): void {
    this.acts.push(...acts);
  }

  async received(count: number): Promise<void> {
    while (this.requests.length < count) await new Promise<void>((resolve) => this.waiting.add(resolve));
  }

  connections(): number {
    return this.sockets.size;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  private receive(request: IncomingMessage, response: ServerResponse): void {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const body = Buffer.concat(parts).toString('utf8');
      const aborted = new Promise<number>((resolve) => {
        response.on('close', () => {
          if (!response.writableFinished) resolve(performance.now());
        });
      });
      this.requests.push({ path: request.url ?? '', headers: request.headers, body, aborted });
      for (const wake of this.waiting) wake();
      this.waiting.clear();
      void new Performance(this.acts.shift() ?? {}, body, response, (line) => this.bill.push(line)).play();
    });
  }
}

/** One request being answered as its act says. */
class Performance {
  private readonly model: string;
  private readonly stream: boolean;
  private readonly includeUsage: boolean;
  private readonly usage: OpenAiUsage;
  private readonly words: readonly string[];

  constructor(
    private readonly act: VendorAct,
    body: string,
    private readonly response: ServerResponse,
    private readonly charge: (line: BillLine) => void,
  ) {
    const asked = JSON.parse(body) as { model: string; stream?: boolean; stream_options?: { include_usage?: boolean } };
    this.model = asked.model;
    this.stream = asked.stream === true;
    this.includeUsage = asked.stream_options?.include_usage === true;
    this.usage = act.usage ?? VENDOR_USAGE;
    this.words = act.words ?? VENDOR_WORDS;
  }

  async play(): Promise<void> {
    const { act, response } = this;
    if (act.fault === 'never-answer') return;
    if (act.fault === 'reset-before-head') return void response.destroy();
    if (act.delayMs) await pause(act.delayMs);
    if (act.status !== undefined && act.status !== 200) return this.answerError(act.status);
    response.writeHead(200, {
      'content-type': act.contentType ?? (this.stream ? 'text/event-stream' : 'application/json'),
      ...act.headers,
    });
    if (act.rawBody !== undefined) {
      await this.send(Buffer.from(act.rawBody));
      response.end();
    } else if (this.stream) await this.answerStream();
    else await this.answerWhole();
  }

  private answerError(status: number): void {
    const body =
      this.act.errorBody ?? JSON.stringify({ error: { message: 'the vendor says no', type: 'x', code: null } });
    this.response.writeHead(status, { 'content-type': 'application/json', ...this.act.headers });
    this.response.end(body);
  }

  private async answerWhole(): Promise<void> {
    const text = wholeAnswer(this.answer(), this.act.usagePlace !== 'none');
    const { fault } = this.act;
    if (fault === undefined) {
      await this.send(Buffer.from(text));
      this.charge({ model: this.model, usage: this.usage });
      this.response.end();
      return;
    }
    await this.send(Buffer.from(text).subarray(0, text.length >> 1));
    if (fault === 'reset') this.response.destroy();
    else if (fault !== 'stall') this.response.end();
  }

  private async answerStream(): Promise<void> {
    const lineEnd = this.act.lineEnd ?? '\n';
    const place = this.act.usagePlace ?? (this.includeUsage ? 'own-chunk' : 'none');
    const events = streamEvents(this.answer(), place);
    const { fault, afterEvents = events.length } = this.act;
    this.response.flushHeaders();
    for (const [index, event] of events.entries()) {
      if (fault && fault !== 'no-marker' && index === afterEvents) return this.goWrong(fault, event);
      if (this.act.gapMs) await pause(this.act.gapMs);
      if (this.response.destroyed) return;
      await this.send(Buffer.from(`data: ${event}${lineEnd}${lineEnd}`));
    }
    this.charge({ model: this.model, usage: this.usage });
    if (fault !== 'no-marker') await this.send(Buffer.from(`data: [DONE]${lineEnd}${lineEnd}`));
    this.response.end();
  }

  private async goWrong(fault: NonNullable<VendorAct['fault']>, event: string): Promise<void> {
    if (fault === 'stall') return;
    // What was written must be out first, or the cut would swallow it.
    if (fault === 'reset') return void setImmediate(() => this.response.destroy());
    if (fault === 'half-event') await this.send(Buffer.from(`data: ${event.slice(0, event.length >> 1)}`));
    if (fault === 'error')
      await this.send(Buffer.from('data: {"error":{"message":"canary-overloaded","code":null}}\n\n'));
    this.response.end();
  }

  private answer() {
    return { id: 'chatcmpl-vendor', model: this.model, words: this.words, usage: this.usage };
  }

  /** Writes in the pieces the act asks for, and waits when the other side is slow. */
  private async send(bytes: Buffer): Promise<void> {
    const size = this.act.chunkBytes ?? bytes.length;
    for (let at = 0; at < bytes.length && !this.response.destroyed; at += size) {
      const taken = this.response.write(bytes.subarray(at, at + size));
      if (this.act.chunkBytes) await new Promise<void>((resolve) => setImmediate(resolve));
      if (!taken) await this.room();
    }
  }

  /** Until the other side takes more, or is gone. */
  private room(): Promise<void> {
    const { response } = this;
    return new Promise((resolve) => {
      const go = () => {
        response.off('drain', go).off('close', go);
        resolve();
      };
      response.on('drain', go).on('close', go);
    });
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
