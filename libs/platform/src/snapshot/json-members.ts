import type { Sliced } from '../slices';

/** Bytes of a document from `start` up to `end`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** One member of the object that a document is: a value, or the elements of a list. */
export type Member = { readonly value: Span } | { readonly elements: readonly Span[] };

/** Where a document stops being the JSON object it should be. */
export class NotAnObject extends Error {}

/** Largest element of a list: it is read in one step. */
const MAX_ELEMENT_BYTES = 8 * 1024 * 1024;
/** Elements that are found in one step. */
const STEP = 64;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * Finds the members of a JSON object and the elements of the lists among them, without reading what they hold: so a large
 * document can be read piece by piece, and a piece that has not changed need not be read again. Only the frame is checked
 * here (RFC 8259 §2, §4, §5); whoever reads a piece finds out whether it is JSON.
 *
 * @throws NotAnObject; also for a member that comes twice, which two readers could take for different things.
 */
export function* findMembers(document: Uint8Array): Sliced<Map<string, Member>> {
  const scanner = new Scanner(document);
  const members = new Map<string, Member>();
  scanner.take(OPEN_OBJECT);
  if (!scanner.taken(CLOSE_OBJECT)) {
    do {
      const name = scanner.name();
      if (members.has(name)) throw new NotAnObject(`the member ${name} comes twice`);
      scanner.take(COLON);
      members.set(
        name,
        scanner.next() === OPEN_LIST ? { elements: yield* findElements(scanner) } : { value: scanner.value() },
      );
      yield;
    } while (scanner.taken(COMMA));
    scanner.take(CLOSE_OBJECT);
  }
  scanner.end();
  return members;
}

function* findElements(scanner: Scanner): Sliced<Span[]> {
  const elements: Span[] = [];
  scanner.take(OPEN_LIST);
  if (scanner.taken(CLOSE_LIST)) return elements;
  do {
    elements.push(scanner.value());
    if (elements.length % STEP === 0) yield;
  } while (scanner.taken(COMMA));
  scanner.take(CLOSE_LIST);
  return elements;
}

class Scanner {
  private at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  /** The next byte that is no white space; -1 at the end. */
  next(): number {
    const { bytes } = this;
    while (this.at < bytes.length && isSpace(bytes[this.at]!)) this.at++;
    return bytes[this.at] ?? -1;
  }

  taken(byte: number): boolean {
    if (this.next() !== byte) return false;
    this.at++;
    return true;
  }

  take(byte: number): void {
    if (!this.taken(byte)) throw new NotAnObject(`${String.fromCharCode(byte)} is missing at byte ${this.at}`);
  }

  name(): string {
    if (this.next() !== QUOTE) throw new NotAnObject(`the name of a member is missing at byte ${this.at}`);
    const { start, end } = this.value();
    try {
      return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(this.bytes.subarray(start, end))) as string;
    } catch {
      throw new NotAnObject(`the name of a member at byte ${start} is no text`);
    }
  }

  /** Steps over one value. Brackets are only counted: a reader of the piece sees whether they match. */
  value(): Span {
    const first = this.next();
    const start = this.at;
    if (first === QUOTE) this.text();
    else if (first === OPEN_LIST || first === OPEN_OBJECT) this.nested();
    else this.plain();
    if (this.at === start) throw new NotAnObject(`a value is missing at byte ${start}`);
    if (this.at - start > MAX_ELEMENT_BYTES) throw new NotAnObject(`the value at byte ${start} is too large`);
    return { start, end: this.at };
  }

  end(): void {
    if (this.next() !== -1) throw new NotAnObject(`more follows at byte ${this.at}`);
  }

  private text(): void {
    const { bytes } = this;
    for (let at = this.at + 1; at < bytes.length; at++) {
      const byte = bytes[at]!;
      if (byte === BACKSLASH) at++;
      else if (byte === QUOTE) {
        this.at = at + 1;
        return;
      }
    }
    throw new NotAnObject('a text does not end');
  }

  private nested(): void {
    const { bytes } = this;
    let depth = 0;
    for (; this.at < bytes.length; this.at++) {
      const byte = bytes[this.at]!;
      if (byte === QUOTE) {
        this.text();
        this.at--;
      } else if (byte === OPEN_LIST || byte === OPEN_OBJECT) depth++;
      else if ((byte === CLOSE_LIST || byte === CLOSE_OBJECT) && --depth === 0) {
        this.at++;
        return;
      }
    }
    throw new NotAnObject('a value does not end');
  }

  private plain(): void {
    const { bytes } = this;
    while (this.at < bytes.length && !endsPlain(bytes[this.at]!)) this.at++;
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function endsPlain(byte: number): boolean {
  return byte === COMMA || byte === CLOSE_LIST || byte === CLOSE_OBJECT || byte === COLON || isSpace(byte);
}
