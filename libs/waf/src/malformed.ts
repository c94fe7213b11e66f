import { isSpace, skipSpace, trimEnd } from './body/ascii';
import type { Bytes } from './bytes';
import type { HeaderField } from './variables/facts';

/** What could be read of bytes that no request could be read from. */
export interface MalformedHead {
  /** The request line as received, without its line end. */
  readonly line: Bytes;
  readonly method: Bytes;
  readonly target: Bytes;
  /** `HTTP/1.1`; `HTTP/0.9` where the line names none (RFC 1945 §4.1). */
  readonly protocol: Bytes;
  /** In order, repeated names kept, names as received. */
  readonly fields: readonly HeaderField[];
}

/** Bytes of a packet that are looked at. */
const MOST = 16 * 1024;

/**
 * Reads request line and fields of bytes that the parser of HTTP has rejected, so that rules can say what they were. It
 * forgives whatever it meets and guesses nothing about framing: there is no body, and nothing after the first head.
 */
export function readMalformed(packet: Uint8Array): MalformedHead {
  const text = Buffer.from(packet.buffer, packet.byteOffset, Math.min(packet.length, MOST)).toString('latin1');
  const lines = new Lines(text);
  // RFC 9112 §2.2: empty lines before the request line are passed over.
  let line = lines.next();
  while (line === '') line = lines.next();
  return { ...readRequestLine(line ?? ''), fields: readFields(lines) };
}

/** Lines of a text; each of CR LF, LF and CR alone ends one, since there are readers for whom it does. */
class Lines {
  private at = 0;

  constructor(private readonly text: Bytes) {}

  /** @returns undefined after the last. */
  next(): Bytes | undefined {
    if (this.at >= this.text.length) return undefined;
    const start = this.at;
    while (this.at < this.text.length && !'\r\n'.includes(this.text.charAt(this.at))) this.at += 1;
    const line = this.text.slice(start, this.at);
    this.at += this.text.startsWith('\r\n', this.at) ? 2 : 1;
    return line;
  }
}

/** A target may hold spaces; the method has none, and neither has the protocol. */
function readRequestLine(line: Bytes): Omit<MalformedHead, 'fields'> {
  const methodEnd = endOfWord(line);
  const protocolStart = startOfProtocol(line, methodEnd);
  const target = trimEnd(line.slice(skipSpace(line, methodEnd), protocolStart));
  const protocol = trimEnd(line.slice(protocolStart)) || 'HTTP/0.9';
  return { line, method: line.slice(0, methodEnd), target, protocol };
}

function endOfWord(line: Bytes): number {
  let at = 0;
  while (at < line.length && !isSpace(line.charCodeAt(at))) at += 1;
  return at;
}

/** @returns the end of the line where its last word is no protocol */
function startOfProtocol(line: Bytes, methodEnd: number): number {
  const end = trimEnd(line).length;
  let at = end;
  while (at > methodEnd && !isSpace(line.charCodeAt(at - 1))) at -= 1;
  const slash = line.indexOf('/', at);
  const named = at > methodEnd && slash > at && slash < end && isWord(line, at, slash);
  return named ? at : line.length;
}

function isWord(line: Bytes, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    const folded = line.charCodeAt(at) | 0x20;
    if (folded < 0x61 || folded > 0x7a) return false;
  }
  return true;
}

function readFields(lines: Lines): HeaderField[] {
  const fields: { name: Bytes; value: Bytes }[] = [];
  for (let line = lines.next(); line !== undefined && line !== ''; line = lines.next()) {
    const last = fields.at(-1);
    if (last && isSpace(line.charCodeAt(0))) last.value += ` ${trim(line)}`;
    else fields.push(readField(line));
  }
  return fields;
}

function readField(line: Bytes): HeaderField {
  const colon = line.indexOf(':');
  if (colon < 0) return { name: trim(line), value: '' };
  return { name: trim(line.slice(0, colon)), value: trim(line.slice(colon + 1)) };
}

function trim(text: Bytes): Bytes {
  return trimEnd(text.slice(skipSpace(text, 0)));
}
