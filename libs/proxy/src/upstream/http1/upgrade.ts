import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Forwarding, ForwardPhase, ForwardSink, UpstreamRequest } from '../../forward';
import { isSendable } from '../../headers-out';
import { limits } from '../../limits';
import { fieldValue, type RawFields } from '../../raw-fields';
import { upstreamFailure } from '../../upstream-failure';
import { acceptOf } from '../../websocket';
import { Alarm } from '../alarm';
import { ExchangeError, tooSlow, UnsendableRequest, type Wait } from '../exchange-error';
import { ResponseParser } from './response-parser';

const NOTHING = Buffer.alloc(0);

/**
 * Asks an upstream to speak WebSocket (RFC 6455 §4.1), over a connection of its own. Nothing but the handshake is sent
 * before the upstream has agreed; an answer that is none of a WebSocket is passed on like any other.
 */
export class Upgrading implements Forwarding {
  over = false;
  /** Set while the handshake waits for a connection. */
  leaveQueue: (() => void) | undefined;
  /** Runs until there is a connection. */
  connectTimer: NodeJS.Timeout | undefined;
  private phase: ForwardPhase = 'connect';
  private socket: Socket | undefined;
  private waitsFor: Wait = 'first byte';
  private paused = false;
  private readonly parser = new ResponseParser(limits.upstream.headBytes);
  private readonly alarm = new Alarm(() => this.fail(tooSlow(this.waitsFor)));
  private readonly read = (chunk: Buffer): void => this.take(chunk);
  private readonly failed = (error: Error): void => this.fail(error);
  private readonly ended = (): void => this.end();

  constructor(
    readonly request: UpstreamRequest,
    private readonly sink: ForwardSink,
  ) {}

  get heldUp(): boolean {
    return this.leaveQueue !== undefined;
  }

  /** @param socket a connection that nothing was sent on; it is this handshake's own from here on */
  start(socket: Socket): void {
    clearTimeout(this.connectTimer);
    this.socket = socket;
    socket.on('error', this.failed);
    socket.on('end', this.ended);
    socket.on('close', this.ended);
    socket.on('data', this.read);
    this.parser.begin('GET', true);
    try {
      socket.write(handshake(this.request), 'latin1');
    } catch (error) {
      return this.fail(error as Error);
    }
    this.phase = 'request';
    this.wait('first byte', this.request.timeouts.firstByteMs);
  }

  resume(): void {
    if (this.over || !this.paused) return;
    this.paused = false;
    this.wait('next byte', this.request.timeouts.idleMs);
    this.socket!.resume();
  }

  abort(): void {
    if (this.over) return;
    this.settle();
    this.socket?.destroy();
  }

  fail(error: Error): void {
    if (this.over) return;
    this.abort();
    this.sink.onFailure(upstreamFailure(error, this.phase, this.request.timeouts), this.phase);
  }

  private take(chunk: Buffer): void {
    if (this.over) return;
    const { parser } = this;
    parser.feed(chunk);
    if (parser.fault !== undefined) return this.fail(broken(parser.fault));
    try {
      if (parser.status === 101) this.judge();
      else if (parser.status !== 0) this.passOn();
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  private judge(): void {
    const { parser, request } = this;
    const fault = switchFault(parser.fields, request);
    if (fault !== undefined) return this.fail(broken(fault));
    const socket = this.settle()!;
    socket.off('data', this.read).off('end', this.ended).off('close', this.ended);
    socket.pause();
    this.sink.onSwitched!(parser.fields, socket, parser.pieces[0] ?? NOTHING);
  }

  /** An answer that is no agreement, such as a 401. */
  private passOn(): void {
    const { parser, sink } = this;
    if (this.phase !== 'response') {
      this.phase = 'response';
      sink.onHead(parser.status, parser.fields, parser.endsWithConnection && this.socket instanceof TLSSocket);
    }
    for (const piece of parser.pieces) if (!this.over && !sink.onData(piece)) this.paused = true;
    if (this.over) return;
    if (parser.complete) return this.finish();
    if (this.paused) {
      // The client is slow, not the upstream.
      this.alarm.rest();
      this.socket!.pause();
    } else this.wait('next byte', this.request.timeouts.idleMs);
  }

  private end(): void {
    if (this.over) return;
    if (this.parser.endsWithConnection) this.finish();
    else this.fail(broken('the upstream closed the connection'));
  }

  private finish(): void {
    this.settle()!.destroy();
    this.sink.onEnd();
  }

  private settle(): Socket | undefined {
    this.over = true;
    this.leaveQueue?.();
    clearTimeout(this.connectTimer);
    this.alarm.stop();
    return this.socket;
  }

  private wait(what: Wait, ms: number): void {
    this.waitsFor = what;
    this.alarm.set(ms);
  }
}

/** @throws UnsendableRequest */
function handshake({ path, fields }: UpstreamRequest): string {
  if (!/^[\x21-\x7e]+$/.test(path)) throw new UnsendableRequest('path');
  let head = `GET ${path} HTTP/1.1\r\n`;
  for (let at = 0; at < fields.length; at += 2) {
    if (!isSendable(fields[at]!, fields[at + 1]!)) throw new UnsendableRequest(`field ${fields[at]}`);
    head += `${fields[at]}: ${fields[at + 1]}\r\n`;
  }
  return `${head}connection: Upgrade\r\nupgrade: websocket\r\n\r\n`;
}

/** RFC 6455 §4.1: what makes an answer the agreement that was asked for. */
function switchFault(fields: RawFields, request: UpstreamRequest): string | undefined {
  const names = fields.filter((_, at) => at % 2 === 0);
  const once = ['sec-websocket-accept', 'sec-websocket-protocol', 'upgrade'];
  if (once.some((name) => names.filter((other) => other === name).length > 1))
    return 'a field of its agreement stands twice';
  const tokens = (fieldValue(fields, 'connection') ?? '').toLowerCase().split(',');
  if (
    fieldValue(fields, 'upgrade')?.toLowerCase() !== 'websocket' ||
    !tokens.some((token) => token.trim() === 'upgrade')
  )
    return 'it changed to another protocol than WebSocket';
  const key = fieldValue(request.fields, 'sec-websocket-key') ?? '';
  if (fieldValue(fields, 'sec-websocket-accept') !== acceptOf(key))
    return 'its Sec-WebSocket-Accept is not that of the key';
  if (names.includes('sec-websocket-extensions')) return 'it chose an extension that nobody offered';
  const chosen = fieldValue(fields, 'sec-websocket-protocol');
  return chosen === undefined || offered(request.fields).includes(chosen)
    ? undefined
    : 'it chose a subprotocol that nobody offered';
}

/** RFC 6455 §11.3.4: a client may name its subprotocols in several fields. */
function offered(fields: RawFields): readonly string[] {
  return fields.flatMap((name, at) =>
    at % 2 === 0 && name === 'sec-websocket-protocol' ? fields[at + 1]!.split(',').map((one) => one.trim()) : [],
  );
}

function broken(reason: string): ExchangeError {
  return new ExchangeError('SALLYPORT_BAD_ANSWER', reason);
}
