import type { Socket } from 'node:net';
import type { Forwarding, ForwardPhase, UpgradeRequest, UpgradeSink } from '../../forward';
import { isSendable } from '../../headers-out';
import { limits } from '../../limits';
import { fieldValue, type RawFields } from '../../raw-fields';
import { upstreamFailure } from '../../upstream-failure';
import { acceptOf } from '../../websocket';
import type { Connector } from '../connector';
import { UnsendableRequest } from '../exchange-error';
import { ResponseParser } from './response-parser';

const SWITCHES = Buffer.from('HTTP/1.1 101');
const END_OF_HEAD = Buffer.from('\r\n\r\n');

/**
 * Asks an upstream to speak WebSocket (RFC 6455 §4.1), over a connection of its own. Nothing but the handshake is sent
 * before the upstream has agreed; an answer that is none of a WebSocket is passed on like any other.
 */
export class Upgrading implements Forwarding {
  private phase: ForwardPhase = 'connect';
  private over = false;
  private socket: Socket | undefined;
  private timer: NodeJS.Timeout | undefined;
  private received = Buffer.alloc(0);
  private parser: ResponseParser | undefined;
  private readonly giveUp: () => void;
  private readonly read = (chunk: Buffer): void => this.take(chunk);
  private readonly broken = (error?: Error): void => this.fail(error ?? broke('the connection ended'));
  private readonly ended = (): void => this.end();

  constructor(
    connector: Connector,
    private readonly request: UpgradeRequest,
    private readonly sink: UpgradeSink,
  ) {
    this.giveUp = connector.connect((error, socket) => (socket ? this.ask(socket) : this.fail(error!)));
  }

  resume(): void {
    this.socket?.resume();
  }

  abort(): void {
    if (this.over) return;
    this.over = true;
    this.giveUp();
    clearTimeout(this.timer);
    this.socket?.destroy();
  }

  private ask(socket: Socket): void {
    this.socket = socket;
    const { firstByteMs } = this.request.timeouts;
    this.timer = setTimeout(() => this.fail(tooLate()), firstByteMs);
    socket.on('error', this.broken);
    socket.on('end', this.ended);
    socket.on('close', this.ended);
    socket.on('data', this.read);
    try {
      socket.write(handshake(this.request), 'latin1');
      this.phase = 'request';
    } catch (error) {
      this.fail(error as Error);
    }
  }

  private take(chunk: Buffer): void {
    if (this.over) return;
    if (this.parser) return this.passOn(chunk);
    this.received = Buffer.concat([this.received, chunk]);
    const compared = Math.min(this.received.length, SWITCHES.length);
    if (!this.received.subarray(0, compared).equals(SWITCHES.subarray(0, compared))) {
      this.parser = new ResponseParser(limits.upstream.headBytes);
      this.parser.begin('GET');
      return this.passOn(this.received);
    }
    const end = this.received.indexOf(END_OF_HEAD);
    if (end >= 0) this.judge(end);
    else if (this.received.length > limits.upstream.headBytes) this.fail(broke('the head of its answer is too long'));
  }

  private judge(end: number): void {
    const fields = readFields(this.received.toString('latin1', 0, end));
    const fault = fields ? switchFault(fields, this.request) : 'a line of its answer is no field';
    if (fault !== undefined) return this.fail(broke(fault));
    const socket = this.settle();
    this.sink.onSwitched(fields!, socket, this.received.subarray(end + END_OF_HEAD.length));
  }

  /** An answer that is no agreement, such as a 401. */
  private passOn(chunk: Buffer): void {
    const parser = this.parser!;
    parser.feed(chunk);
    if (parser.fault !== undefined) return this.fail(broke(parser.fault));
    if (parser.status !== 0 && this.phase !== 'response') {
      this.phase = 'response';
      clearTimeout(this.timer);
      this.sink.onHead(parser.status, parser.fields);
    }
    for (const piece of parser.pieces) if (!this.over && !this.sink.onData(piece)) this.socket!.pause();
    if (parser.complete) this.finish();
  }

  private end(): void {
    if (this.over) return;
    if (this.parser?.endsWithConnection) this.finish();
    else this.fail(broke('the connection ended'));
  }

  private finish(): void {
    if (this.over) return;
    this.settle().destroy();
    this.sink.onEnd();
  }

  private fail(error: Error): void {
    if (this.over) return;
    this.over = true;
    this.giveUp();
    clearTimeout(this.timer);
    this.socket?.destroy();
    this.sink.onFailure(upstreamFailure(error, this.phase, this.request.timeouts), this.phase);
  }

  private settle(): Socket {
    const socket = this.socket!;
    this.over = true;
    clearTimeout(this.timer);
    socket.off('data', this.read).off('end', this.ended).off('close', this.ended);
    socket.pause();
    return socket;
  }
}

function handshake({ path, fields }: UpgradeRequest): string {
  if (!/^[\x21-\x7e]+$/.test(path)) throw new UnsendableRequest('path');
  let head = `GET ${path} HTTP/1.1\r\n`;
  for (let at = 0; at < fields.length; at += 2) {
    if (!isSendable(fields[at]!, fields[at + 1]!)) throw new UnsendableRequest(`field ${fields[at]}`);
    head += `${fields[at]}: ${fields[at + 1]}\r\n`;
  }
  return `${head}connection: Upgrade\r\nupgrade: websocket\r\n\r\n`;
}

/** @returns undefined when a line is anything but one field. */
function readFields(head: string): RawFields | undefined {
  const [status = '', ...lines] = head.split('\r\n');
  if (!/^HTTP\/1\.1 101( [\t\x20-\x7e\x80-\xff]*)?$/.test(status)) return undefined;
  const fields: string[] = [];
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).replace(/^[\t ]+|[\t ]+$/g, '');
    if (colon < 1 || !isSendable(name, value)) return undefined;
    fields.push(name, value);
  }
  return fields;
}

/** RFC 6455 §4.1: what makes an answer the agreement that was asked for. */
function switchFault(fields: RawFields, request: UpgradeRequest): string | undefined {
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
  if (names.includes('transfer-encoding') || (fieldValue(fields, 'content-length') ?? '0') !== '0')
    return 'its agreement has a body';
  const chosen = fieldValue(fields, 'sec-websocket-protocol');
  const offered = (fieldValue(request.fields, 'sec-websocket-protocol') ?? '').split(',').map((one) => one.trim());
  return chosen === undefined || offered.includes(chosen) ? undefined : 'it chose a subprotocol that nobody offered';
}

function broke(message: string): Error {
  return Object.assign(new Error(message), { code: 'SALLYPORT_UPSTREAM_BROKE' });
}

function tooLate(): Error {
  return Object.assign(new Error('no answer to the handshake'), { code: 'SALLYPORT_FIRST_BYTE' });
}
