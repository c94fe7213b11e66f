import type { Bytes } from '../bytes';
import { hexDigit } from './ascii';
import type { BodyArgument } from './parsed-body';

/** Arguments of a query or of a form. */
export interface SplitArguments {
  /** In order, repeated names kept; `+` is a space, and a broken escape stays as it is. */
  readonly arguments: readonly BodyArgument[];
  /** A `%` that no two hex digits follow was seen. */
  readonly invalidEscapes: boolean;
  /** There were more than asked for, and the rest was not read. */
  readonly tooMany: boolean;
}

const AMPERSAND = 0x26;
const EQUALS = 0x3d;
const PERCENT = 0x25;
const PLUS = 0x2b;

/**
 * Splits once at `&`, then at the first `=`, as ModSecurity does: an empty piece between two separators is an argument
 * without a name, one after the last separator is none.
 * @param most arguments that are read
 */
export function splitArguments(text: Bytes, most = Infinity): SplitArguments {
  const found: BodyArgument[] = [];
  let invalidEscapes = false;
  let from = 0;
  while (from < text.length) {
    if (found.length === most) return { arguments: found, invalidEscapes, tooMany: true };
    const piece = readPiece(text, from);
    const nameEnd = piece.equals < 0 ? piece.end : piece.equals;
    let name = text.slice(from, nameEnd);
    let value = piece.equals < 0 ? '' : text.slice(piece.equals + 1, piece.end);
    if (piece.plus) {
      name = name.replaceAll('+', ' ');
      value = value.replaceAll('+', ' ');
    }
    if (piece.percent) {
      invalidEscapes ||= hasInvalidEscape(text, from, piece.end);
      name = unescapePercent(name);
      value = unescapePercent(value);
    }
    found.push({ name, value });
    from = piece.end + 1;
  }
  return { arguments: found, invalidEscapes, tooMany: false };
}

interface Piece {
  readonly end: number;
  /** -1: there is none. */
  readonly equals: number;
  readonly plus: boolean;
  readonly percent: boolean;
}

function readPiece(text: Bytes, from: number): Piece {
  let equals = -1;
  let plus = false;
  let percent = false;
  let at = from;
  for (; at < text.length; at++) {
    const byte = text.charCodeAt(at);
    if (byte === AMPERSAND) break;
    if (byte === EQUALS) equals = equals < 0 ? at : equals;
    else if (byte === PLUS) plus = true;
    else if (byte === PERCENT) percent = true;
  }
  return { end: at, equals, plus, percent };
}

function hasInvalidEscape(text: Bytes, from: number, to: number): boolean {
  for (let at = text.indexOf('%', from); at >= 0 && at < to; at = text.indexOf('%', at + 1)) {
    if (escapedByte(text, at) < 0 || at + 2 >= to) return true;
  }
  return false;
}

/** Decodes every well-formed escape once. */
export function unescapePercent(text: Bytes): Bytes {
  let at = text.indexOf('%');
  if (at < 0) return text;
  let decoded = '';
  let from = 0;
  while (at >= 0) {
    const byte = escapedByte(text, at);
    if (byte >= 0) {
      decoded += text.slice(from, at) + String.fromCharCode(byte);
      from = at + 3;
    }
    at = text.indexOf('%', byte >= 0 ? from : at + 1);
  }
  return decoded + text.slice(from);
}

/** @returns the byte that the escape at a place stands for; -1 when there is no well-formed one. */
function escapedByte(text: Bytes, at: number): number {
  const high = hexDigit(text.charCodeAt(at + 1));
  const low = hexDigit(text.charCodeAt(at + 2));
  return high < 0 || low < 0 ? -1 : (high << 4) | low;
}
