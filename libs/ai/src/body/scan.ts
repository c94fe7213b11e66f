import { isUtf8 } from 'node:buffer';

/** Where the value of a member lies: bytes `start` to before `end`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** What a scan of one object found. */
export interface Scanned {
  /** The object itself, braces included. */
  readonly object: Span;
  readonly empty: boolean;
  /** Spans of the values of the members asked for, by name. */
  readonly members: ReadonlyMap<string, Span>;
}

/** The document cannot be read, or could be read in two ways; `reason` is fit for the caller. */
export class ScanError extends Error {
  constructor(readonly reason: string) {
    super(reason);
    this.name = 'ScanError';
  }
}

/** Containers within containers: what V8 parses happily can still overflow the stack of whoever prints it again. */
export const MAX_DEPTH = 64;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** A member name longer than this, escapes included, is none of ours: six bytes for each of 24 characters. */
const MAX_NAME_BYTES = 144;

/**
 * Reads a JSON document (RFC 8259) whose value is an object, without building it, and notes where the values of some
 * of its members lie. It accepts exactly what `JSON.parse` accepts, but for documents that are not UTF-8 or are nested
 * deeper than {@link MAX_DEPTH}. One pass, no recursion, no allocation but for the names of top-level members:
 * a conversation of megabytes goes on byte for byte, which a reader that builds values (`readJson` of pipeline) or one that
 * only judges (`JsonScanner` of waf) cannot do.
 *
 * @param names members to note. One that comes twice, or in another letter case, is an error: two readers of such a
 *   document would not agree on what it says.
 * @param range the part of the buffer to read; all of it unless given.
 * @throws ScanError
 */
export function scanObject(
  body: Buffer,
  names: readonly string[],
  range: Span = { start: 0, end: body.length },
): Scanned {
  if (!isUtf8(body.subarray(range.start, range.end))) throw new ScanError('it is not UTF-8');
  return new Scanner(body, names, range).scan();
}

/** The name in one letter case, whatever Unicode offers for it: `ſ` is an `s`, the Kelvin sign is a `k`. */
function fold(name: string): string {
  return name.toUpperCase().toLowerCase();
}

class Scanner {
  private at: number;
  private readonly end: number;
  private readonly members = new Map<string, Span>();

  constructor(
    private readonly body: Buffer,
    private readonly names: readonly string[],
    range: Span,
  ) {
    this.at = range.start;
    this.end = range.end;
  }

  scan(): Scanned {
    this.skipSpace();
    const start = this.at;
    if (this.peek() !== OPEN_BRACE) throw new ScanError('it is not a JSON object');
    this.at++;
    this.skipSpace();
    const empty = this.peek() === CLOSE_BRACE;
    if (empty) this.at++;
    else this.readMembers();
    const object = { start, end: this.at };
    this.skipSpace();
    if (this.at < this.end) throw this.unexpected();
    return { object, empty, members: this.members };
  }

  private readMembers(): void {
    for (;;) {
      const name = this.readName();
      this.skipSpace();
      const start = this.at;
      this.skipValue();
      if (name !== undefined) this.members.set(name, { start, end: this.at });
      this.skipSpace();
      const byte = this.peek();
      if (byte !== COMMA && byte !== CLOSE_BRACE) throw this.unexpected();
      this.at++;
      if (byte === CLOSE_BRACE) return;
      this.skipSpace();
    }
  }

  /** Reads a name and its colon. @returns the name when it is one of those asked for. */
  private readName(): string | undefined {
    const start = this.at;
    this.skipString();
    const end = this.at;
    this.skipColon();
    if (end - start > MAX_NAME_BYTES) return undefined;
    const name = JSON.parse(this.body.toString('utf8', start, end)) as string;
    const wanted = this.names.find((candidate) => candidate === fold(name));
    if (wanted === undefined) return undefined;
    if (name !== wanted) throw new ScanError(`the member “${wanted}” is written in another letter case`);
    if (this.members.has(wanted)) throw new ScanError(`the member “${wanted}” comes twice`);
    return wanted;
  }

  /** Steps over one value of any depth; `depth` and `objects` stand for the stack a recursive reader would use. */
  private skipValue(): void {
    // One flag per open container, the top-level object being the first: true for an object, false for an array.
    const objects: boolean[] = [];
    for (;;) {
      this.skipSpace();
      const byte = this.peek();
      if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        if (objects.length + 2 > MAX_DEPTH) throw new ScanError(`it is nested deeper than ${MAX_DEPTH} levels`);
        const isObject = byte === OPEN_BRACE;
        this.at++;
        this.skipSpace();
        if (this.peek() !== (isObject ? CLOSE_BRACE : CLOSE_BRACKET)) {
          objects.push(isObject);
          if (isObject) this.skipName();
          continue;
        }
        this.at++;
      } else this.skipScalar(byte);
      if (this.closeContainers(objects)) return;
    }
  }

  /** After a value: leaves the containers that end here. @returns whether the whole value has ended. */
  private closeContainers(objects: boolean[]): boolean {
    for (;;) {
      if (objects.length === 0) return true;
      const isObject = objects[objects.length - 1]!;
      this.skipSpace();
      const byte = this.peek();
      if (byte === COMMA) {
        this.at++;
        this.skipSpace();
        if (isObject) this.skipName();
        return false;
      }
      if (byte !== (isObject ? CLOSE_BRACE : CLOSE_BRACKET)) throw this.unexpected();
      this.at++;
      objects.pop();
    }
  }

  private skipName(): void {
    this.skipString();
    this.skipColon();
  }

  private skipColon(): void {
    this.skipSpace();
    if (this.peek() !== COLON) throw this.unexpected();
    this.at++;
  }

  private skipScalar(byte: number): void {
    if (byte === QUOTE) this.skipString();
    else if (byte === 0x74) this.skipWord('true');
    else if (byte === 0x66) this.skipWord('false');
    else if (byte === 0x6e) this.skipWord('null');
    else this.skipNumber();
  }

  private skipWord(word: string): void {
    for (let index = 0; index < word.length; index++, this.at++) {
      if (this.peek() !== word.charCodeAt(index)) throw this.unexpected();
    }
  }

  private skipString(): void {
    if (this.peek() !== QUOTE) throw this.unexpected();
    this.at++;
    for (;;) {
      const byte = this.peek();
      if (byte === QUOTE) {
        this.at++;
        return;
      }
      if (byte === BACKSLASH) this.skipEscape();
      // RFC 8259 §7: control characters must be escaped; −1 is the end of the document.
      else if (byte < 0x20) throw this.unexpected();
      else this.at++;
    }
  }

  private skipEscape(): void {
    this.at++;
    const byte = this.peek();
    this.at++;
    if (byte === 0x75) {
      for (let digit = 0; digit < 4; digit++, this.at++) if (!isHex(this.peek())) throw this.unexpected();
    } else if (!isSimpleEscape(byte)) {
      this.at--;
      throw this.unexpected();
    }
  }

  private skipNumber(): void {
    if (this.peek() === 0x2d) this.at++;
    if (this.peek() === 0x30) this.at++;
    else this.skipDigits();
    if (this.peek() === 0x2e) {
      this.at++;
      this.skipDigits();
    }
    if ((this.peek() | 0x20) === 0x65) {
      this.at++;
      if (this.peek() === 0x2b || this.peek() === 0x2d) this.at++;
      this.skipDigits();
    }
  }

  private skipDigits(): void {
    if (!isDigit(this.peek())) throw this.unexpected();
    while (isDigit(this.peek())) this.at++;
  }

  private skipSpace(): void {
    for (;;) {
      const byte = this.peek();
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return;
      this.at++;
    }
  }

  private peek(): number {
    return this.at < this.end ? this.body[this.at]! : -1;
  }

  private unexpected(): ScanError {
    return new ScanError(this.at < this.end ? `it is not JSON at byte ${this.at}` : 'it ends before its JSON does');
  }
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function isHex(byte: number): boolean {
  const letter = byte | 0x20;
  return isDigit(byte) || (letter >= 0x61 && letter <= 0x66);
}

/** `"` `\` `/` `b` `f` `n` `r` `t` */
function isSimpleEscape(byte: number): boolean {
  return (
    byte === QUOTE ||
    byte === BACKSLASH ||
    byte === 0x2f ||
    byte === 0x62 ||
    byte === 0x66 ||
    byte === 0x6e ||
    byte === 0x72 ||
    byte === 0x74
  );
}
