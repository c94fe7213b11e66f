import type { Bytes } from '../bytes';
import { unescapePercent } from './arguments';
import { asciiLowerCase, isSpace, skipSpace, trimEnd } from './ascii';
import { boundaryOf } from './content-type';
import type { BodyArgument, BodyFile, BodyLimits, MultipartFault, PartHeader } from './parsed-body';

/** A form of several parts as rules see it. */
export interface Form {
  readonly arguments: readonly BodyArgument[];
  readonly files: readonly BodyFile[];
  readonly partHeaders: readonly PartHeader[];
  readonly error: string | undefined;
  readonly faults: readonly MultipartFault[];
}

/**
 * Reads a body of `multipart/form-data` (RFC 7578) in one pass. Readers of such forms differ in what they forgive, so
 * whatever one of them might read otherwise is a fault; reading goes on after it, so that what is meant for the more
 * forgiving reader is seen as well.
 */
export function readMultipart(contentType: Bytes, body: Bytes, limits: BodyLimits): Form {
  const boundary = boundaryOf(contentType);
  const reader = new MultipartReader(body, limits, boundary.faults);
  if (boundary.text === undefined) reader.fail(boundary.error!);
  // A body without a byte is no form and no fault.
  else if (body !== '') reader.read(boundary.text);
  return reader;
}

/** What was found of a line that begins like the boundary. */
interface Delimiter {
  /** Where its line begins, and where the next one does. */
  readonly start: number;
  readonly next: number;
  readonly isLast: boolean;
}

/** A part as far as its head says. */
interface Part {
  readonly headers: Bytes[];
  name: Bytes | undefined;
  fileName: Bytes | undefined;
  extendedName: Bytes | undefined;
}

class MultipartReader implements Form {
  readonly arguments: BodyArgument[] = [];
  readonly files: BodyFile[] = [];
  readonly partHeaders: PartHeader[] = [];
  error: string | undefined;
  private readonly found: Set<MultipartFault>;
  private delimiter = '';
  private crlfLines = false;
  private lfLines = false;
  private parts = 0;
  /** Of the gaps, those that were found in files. */
  private gapsInFiles = 0;

  constructor(
    private readonly body: Bytes,
    private readonly limits: BodyLimits,
    faults: readonly MultipartFault[],
  ) {
    this.found = new Set(faults);
  }

  get faults(): MultipartFault[] {
    return [...this.found];
  }

  /** Only the first error is told. */
  fail(what: string): void {
    this.error ??= `Multipart: ${what}`;
  }

  read(boundary: Bytes): void {
    this.delimiter = `--${boundary}`;
    let at = this.findDelimiter(0);
    if (at === undefined) return this.breakOff('no boundary in the body');
    if (at.start > 0) this.found.add('MULTIPART_DATA_BEFORE');
    while (!at.isLast) {
      if (++this.parts > this.limits.parts) return this.fail(`more than ${this.limits.parts} parts`);
      const next = this.readPart(at.next);
      if (next === undefined) return this.breakOff('no final boundary');
      at = next;
    }
    if (at.next < this.body.length) this.found.add('MULTIPART_DATA_AFTER');
    this.judgeLines();
    // Nothing but content of files may be missing.
    if (this.gapsInFiles < this.limits.gaps.length) this.fail('a file that is no file to this reader');
  }

  /** Where the body was cut, its end is missing for another reason. */
  private breakOff(what: string): void {
    if (!this.limits.cut) this.fail(what);
    this.judgeLines();
  }

  private judgeLines(): void {
    if (this.lfLines) this.found.add(this.crlfLines ? 'MULTIPART_CRLF_LF_LINES' : 'MULTIPART_LF_LINE');
  }

  /** Looks for a boundary that is a line of its own, from a beginning of a line on. */
  private findDelimiter(from: number): Delimiter | undefined {
    for (let start = this.body.indexOf(this.delimiter, from); start >= 0;) {
      const delimiter = start === from || this.body.charAt(start - 1) === '\n' ? this.readDelimiter(start) : undefined;
      if (delimiter) return delimiter;
      start = this.body.indexOf(this.delimiter, start + 1);
    }
    return undefined;
  }

  /** @returns undefined for a line that only begins like a boundary. */
  private readDelimiter(start: number): Delimiter | undefined {
    const after = start + this.delimiter.length;
    const isLast = this.body.startsWith('--', after);
    const end = isLast ? after + 2 : after;
    const blank = this.skipBlanks(end);
    if (blank === this.body.length) return isLast ? { start, next: blank, isLast } : undefined;
    const lineEnd = this.lineEndAt(blank);
    if (lineEnd === 0) {
      this.found.add('MULTIPART_UNMATCHED_BOUNDARY');
      // Some readers know the last boundary by its dashes alone.
      return isLast ? { start, next: end, isLast } : undefined;
    }
    // RFC 2046 §5.1.1 allows the padding, which not every reader knows.
    if (blank > end) this.found.add('MULTIPART_UNMATCHED_BOUNDARY');
    this.countLine(lineEnd);
    return { start, next: blank + lineEnd, isLast };
  }

  private skipBlanks(from: number): number {
    let at = from;
    while (this.body.charAt(at) === ' ' || this.body.charAt(at) === '\t') at += 1;
    return at;
  }

  /** @returns bytes of the line end at a place: 2, 1 or 0. */
  private lineEndAt(at: number): number {
    if (this.body.charAt(at) === '\n') return 1;
    return this.body.startsWith('\r\n', at) ? 2 : 0;
  }

  private countLine(lineEnd: number): void {
    if (lineEnd === 2) this.crlfLines = true;
    else this.lfLines = true;
  }

  /** @returns the boundary after the part; undefined where the body ends before. */
  private readPart(from: number): Delimiter | undefined {
    const part: Part = { headers: [], name: undefined, fileName: undefined, extendedName: undefined };
    const dataStart = this.readHead(from, part);
    this.keepHeaders(part);
    const next = dataStart === undefined ? undefined : this.findDelimiter(dataStart);
    if (dataStart === undefined) return undefined;
    this.keepData(part, dataStart, next ? this.endOfData(dataStart, next.start) : this.body.length);
    return next;
  }

  /** The line end before a boundary belongs to the boundary. */
  private endOfData(dataStart: number, boundary: number): number {
    if (boundary <= dataStart) return dataStart;
    const carriageReturn = boundary - 2 >= dataStart && this.body.charAt(boundary - 2) === '\r';
    this.countLine(carriageReturn ? 2 : 1);
    return carriageReturn ? boundary - 2 : boundary - 1;
  }

  /** @returns where the data begin; undefined where the body ends within the head. */
  private readHead(from: number, part: Part): number | undefined {
    for (let at = from; at < this.body.length;) {
      const newline = this.body.indexOf('\n', at);
      if (newline < 0) return undefined;
      const carriageReturn = newline > at && this.body.charAt(newline - 1) === '\r';
      this.countLine(carriageReturn ? 2 : 1);
      const line = this.body.slice(at, carriageReturn ? newline - 1 : newline);
      if (line === '') return newline + 1;
      if (line.startsWith(this.delimiter)) {
        // A part without the empty line: its reader and ours would not agree on where it ends.
        this.found.add('MULTIPART_INVALID_PART');
        return at;
      }
      this.readHeader(line, part);
      at = newline + 1;
    }
    return undefined;
  }

  private readHeader(line: Bytes, part: Part): void {
    if (isSpace(line.charCodeAt(0))) {
      this.found.add('MULTIPART_HEADER_FOLDING');
      const folded = `${part.headers.pop() ?? ''} ${line.slice(skipSpace(line, 0))}`;
      part.headers.push(folded);
      return;
    }
    part.headers.push(line);
    const colon = line.indexOf(':');
    if (colon <= 0) return this.fail('a header without a colon');
    if (!isHeaderName(line.slice(0, colon))) this.found.add('MULTIPART_INVALID_PART');
    const name = asciiLowerCase(trimEnd(line.slice(0, colon)));
    if (name === 'content-disposition') this.readDisposition(line.slice(colon + 1), part);
    else if (name === 'content-transfer-encoding') this.found.add('MULTIPART_TRANSFER_ENCODING');
    else if (name === 'content-type' && asciiLowerCase(line.slice(colon + 1)).includes('multipart/'))
      this.found.add('MULTIPART_NESTED');
  }

  private readDisposition(text: Bytes, part: Part): void {
    const type = skipSpace(text, 0);
    const typeEnd = endOfToken(text, type);
    if (asciiLowerCase(text.slice(type, typeEnd)) !== 'form-data') this.found.add('MULTIPART_INVALID_PART');
    for (let at = skipSpace(text, typeEnd); at < text.length;) {
      if (text.charAt(at) !== ';') this.found.add('MULTIPART_INVALID_PART');
      else at = skipSpace(text, at + 1);
      if (at < text.length) at = skipSpace(text, this.readParameter(text, at, part));
    }
  }

  /** @returns where the parameter ends, always behind where it began. */
  private readParameter(text: Bytes, from: number, part: Part): number {
    const nameEnd = endOfToken(text, from);
    const name = text.slice(from, nameEnd);
    const equals = skipSpace(text, nameEnd);
    if (name === '' || text.charAt(equals) !== '=') {
      this.found.add('MULTIPART_INVALID_PART');
      return Math.max(nameEnd, from + 1);
    }
    const start = skipSpace(text, equals + 1);
    const quote = text.charAt(start);
    if (quote !== '"' && quote !== "'") {
      const end = endOfToken(text, start);
      this.setParameter(name, text.slice(start, end), part);
      return Math.max(end, equals + 1);
    }
    // RFC 9110 §5.6.4 knows only one kind of quote; some readers take the other for one as well.
    if (quote === "'") this.found.add('MULTIPART_INVALID_QUOTING');
    const { value, end } = unquote(text, start);
    if (end === undefined) this.found.add('MULTIPART_INVALID_PART');
    this.setParameter(name, value, part);
    return end ?? text.length;
  }

  private setParameter(written: Bytes, value: Bytes, part: Part): void {
    const name = asciiLowerCase(written);
    if (name !== written) this.found.add('MULTIPART_INVALID_PART');
    const key = PARAMETERS.get(name);
    if (key === undefined || part[key] !== undefined) this.found.add('MULTIPART_INVALID_PART');
    // The first of several: another reader may take the last, and the fault says so.
    if (key !== undefined) part[key] ??= value;
  }

  private keepHeaders({ headers, name = '' }: Part): void {
    for (const line of headers) this.partHeaders.push({ part: name, line });
  }

  private keepData({ name, fileName, extendedName }: Part, start: number, end: number): void {
    if (name === undefined) this.found.add('MULTIPART_INVALID_PART');
    if (fileName !== undefined && extendedName !== undefined && fileName !== decodeExtended(extendedName))
      this.found.add('MULTIPART_FILE_NAMES_DIFFER');
    const file = fileName ?? (extendedName === undefined ? undefined : decodeExtended(extendedName));
    // A field for a file that was left empty has a name without a letter.
    if (file) this.files.push({ field: name ?? '', fileName: file, size: this.sizeOfFile(start, end) });
    else if (this.arguments.length === this.limits.arguments) this.fail(`more than ${this.limits.arguments} arguments`);
    else this.arguments.push({ name: name ?? '', value: this.body.slice(start, end) });
  }

  /** What was left out of it belongs to it. */
  private sizeOfFile(start: number, end: number): number {
    const gaps = this.limits.gaps.filter(({ at }) => start <= at && at <= end);
    this.gapsInFiles += gaps.length;
    return gaps.reduce((size, { bytes }) => size + bytes, end - start);
  }
}

const PARAMETERS: ReadonlyMap<Bytes, 'name' | 'fileName' | 'extendedName'> = new Map([
  ['name', 'name'],
  ['filename', 'fileName'],
  ['filename*', 'extendedName'],
]);

/** Reads a quoted text, in which a backslash stands before a quote or another backslash. */
function unquote(text: Bytes, start: number): { value: Bytes; end: number | undefined } {
  const quote = text.charAt(start);
  let value = '';
  let from = start + 1;
  for (let at = from; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === quote) return { value: value + text.slice(from, at), end: at + 1 };
    const next = text.charAt(at + 1);
    // Internet Explorer sent whole paths; a backslash before anything else is one of those.
    if (character !== '\\' || (next !== quote && next !== '\\')) continue;
    value += text.slice(from, at);
    from = ++at;
  }
  return { value: value + text.slice(from), end: undefined };
}

/** The bytes that a text of RFC 8187 stands for, `UTF-8''a%20b`, whatever their encoding. */
function decodeExtended(written: Bytes): Bytes {
  return unescapePercent(written.slice(written.lastIndexOf("'") + 1));
}

function endOfToken(text: Bytes, from: number): number {
  let at = from;
  while (at < text.length && !isSpace(text.charCodeAt(at)) && !';="'.includes(text.charAt(at))) at += 1;
  return at;
}

/** RFC 5322 §2.2: what the name of a header is made of. */
function isHeaderName(name: Bytes): boolean {
  for (let at = 0; at < name.length; at++) {
    const byte = name.charCodeAt(at);
    if (byte <= 0x20 || byte >= 0x7f) return false;
  }
  return true;
}
