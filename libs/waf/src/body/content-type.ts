import type { Bytes } from '../bytes';
import { asciiLowerCase, isSpace, skipSpace } from './ascii';
import type { BodyProcessor, MultipartFault } from './parsed-body';

/** @returns the media type a Content-Type names, in lower case: what stands before the first `;`, `,` or white space. */
export function mediaTypeOf(contentType: Bytes): Bytes {
  const from = skipSpace(contentType, 0);
  let to = from;
  while (to < contentType.length && !endsMediaType(contentType.charCodeAt(to))) to += 1;
  return asciiLowerCase(contentType.slice(from, to));
}

/**
 * Which reader a body belongs to. The type decides and not what else the field says, so that `application/json garbage` is
 * still read as JSON.
 * @returns undefined for a type whose body has no arguments.
 */
export function processorOf(contentType: Bytes): BodyProcessor | undefined {
  const mediaType = mediaTypeOf(contentType);
  if (mediaType === 'application/x-www-form-urlencoded') return 'URLENCODED';
  if (mediaType === 'multipart/form-data') return 'MULTIPART';
  if (isJson(mediaType) || isJsonLines(mediaType)) return 'JSON';
  return isXml(mediaType) ? 'XML' : undefined;
}

/** `application/json`, `text/json` and every `+json` (RFC 6839 §3.1). */
function isJson(mediaType: Bytes): boolean {
  return mediaType === 'application/json' || mediaType === 'text/json' || mediaType.endsWith('+json');
}

/** Types of bodies that hold one document a line. */
const JSON_LINES: ReadonlySet<Bytes> = new Set([
  'application/x-ndjson',
  'application/ndjson',
  'application/jsonl',
  'application/x-jsonlines',
  'application/jsonlines',
]);

export function isJsonLines(mediaType: Bytes): boolean {
  return JSON_LINES.has(mediaType);
}

/** RFC 7303 §4. */
function isXml(mediaType: Bytes): boolean {
  return mediaType === 'application/xml' || mediaType === 'text/xml' || mediaType.endsWith('+xml');
}

/** The boundary of a form, and what is odd about it. */
export interface Boundary {
  /** Undefined where none can be told. */
  readonly text: Bytes | undefined;
  readonly error: string | undefined;
  readonly faults: readonly MultipartFault[];
}

const noBoundary = (error: string): Boundary => ({ text: undefined, error, faults: [] });

/** RFC 2046 §5.1.1: the longest there may be. */
const MAX_BOUNDARY = 70;

/**
 * Finds the boundary in a Content-Type of `multipart/form-data`. The name is searched for anywhere, as ModSecurity does: a
 * reader that finds another one cuts the form into other parts, so more than one is an error.
 */
export function boundaryOf(contentType: Bytes): Boundary {
  const lowerCase = asciiLowerCase(contentType);
  const [first, more] = parametersNamed('boundary', lowerCase);
  if (first === undefined) return noBoundary('no boundary in the Content-Type');
  if (more !== undefined) return noBoundary('more than one boundary in the Content-Type');
  const faults: MultipartFault[] = [];
  if (!lowerCase.slice(0, first).includes(';')) faults.push('MULTIPART_MISSING_SEMICOLON');
  const equals = skipSpace(lowerCase, first);
  if (equals > first) faults.push('MULTIPART_BOUNDARY_WHITESPACE');
  return readBoundary(contentType, equals + 1, faults);
}

/** @returns the places behind a name that an equals sign follows */
function parametersNamed(name: Bytes, lowerCase: Bytes): number[] {
  const found: number[] = [];
  for (let at = lowerCase.indexOf(name); at >= 0; at = lowerCase.indexOf(name, at + 1)) {
    const end = at + name.length;
    if (lowerCase.charAt(skipSpace(lowerCase, end)) === '=') found.push(end);
  }
  return found;
}

function readBoundary(contentType: Bytes, from: number, faults: MultipartFault[]): Boundary {
  const start = skipSpace(contentType, from);
  if (start > from) faults.push('MULTIPART_BOUNDARY_WHITESPACE');
  const quoted = contentType.charAt(start) === '"';
  const end = quoted ? contentType.indexOf('"', start + 1) : endOfToken(contentType, start);
  if (end < 0) return noBoundary('a boundary without its closing quote');
  const text = contentType.slice(quoted ? start + 1 : start, end);
  if (quoted) faults.push('MULTIPART_BOUNDARY_QUOTED');
  const after = contentType.slice(quoted ? end + 1 : end);
  if (after !== '' && !endsParameter(after)) faults.push('MULTIPART_BOUNDARY_WHITESPACE');
  if (text === '' || text.length > MAX_BOUNDARY || !isBoundary(text)) return noBoundary('a malformed boundary');
  return { text, error: undefined, faults };
}

/** An unquoted boundary goes up to a `;` or the end; white space before them does not belong to it. */
function endOfToken(contentType: Bytes, from: number): number {
  const semicolon = contentType.indexOf(';', from);
  let to = semicolon < 0 ? contentType.length : semicolon;
  while (to > from && isSpace(contentType.charCodeAt(to - 1))) to -= 1;
  return to;
}

function endsParameter(text: Bytes): boolean {
  const at = skipSpace(text, 0);
  return at === text.length || text.charAt(at) === ';';
}

/** RFC 2046 §5.1.1: `bchars`, and no space at the end. */
function isBoundary(text: Bytes): boolean {
  for (let at = 0; at < text.length; at++) {
    if (!isAlphanumeric(text.charCodeAt(at)) && !"'()+_,-./:=? ".includes(text.charAt(at))) return false;
  }
  return !text.endsWith(' ');
}

function isAlphanumeric(byte: number): boolean {
  const folded = byte | 0x20;
  return (byte >= 0x30 && byte <= 0x39) || (folded >= 0x61 && folded <= 0x7a);
}

function endsMediaType(byte: number): boolean {
  return isSpace(byte) || byte === 0x3b || byte === 0x2c;
}
