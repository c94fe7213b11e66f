import { ByteSet, type Bytes } from '../bytes';
import { keeping, Place, RegexError, rewrite, type Syntax } from './ast';
import {
  complement,
  digits,
  everyByte,
  foldCase,
  horizontalSpaces,
  NEWLINE,
  posixClasses,
  spaces,
  verticalSpaces,
  wordBytes,
} from './byte-classes';

export interface RegexOptions {
  /** `^` and `$` also hold at the lines of a value, as in libmodsecurity and Coraza. */
  readonly multiline: boolean;
}

export interface ReadRegex {
  readonly syntax: Syntax;
  /** Groups that capture. */
  readonly groups: number;
}

interface Flags {
  readonly fold: boolean;
  readonly lines: boolean;
  readonly dotAll: boolean;
  readonly extended: boolean;
  readonly ungreedy: boolean;
}

const flagNames: Readonly<Record<string, keyof Flags>> = {
  i: 'fold',
  m: 'lines',
  s: 'dotAll',
  x: 'extended',
  U: 'ungreedy',
};
const QUANTIFIED_MOST = 65_535;
const DEEPEST = 250;

const controls: Readonly<Record<string, number>> = { a: 7, e: 27, f: 12, n: 10, r: 13, t: 9 };
const shorthands: Readonly<Record<string, ByteSet>> = {
  d: digits,
  D: complement(digits),
  s: spaces,
  S: complement(spaces),
  w: wordBytes,
  W: complement(wordBytes),
  h: horizontalSpaces,
  H: complement(horizontalSpaces),
  v: verticalSpaces,
  V: complement(verticalSpaces),
};
const oneByte = (byte: number): Syntax => ({ kind: 'bytes', set: ByteSet.range(byte, byte) });
/** By byte. Patterns share them, so that whoever works on the sets of a pattern meets most of them again. */
const literals: readonly Syntax[] = Array.from({ length: 256 }, (_, byte) => oneByte(byte));
const foldedLiterals: readonly Syntax[] = literals.map((_, byte) => ({
  kind: 'bytes',
  set: foldCase(ByteSet.range(byte, byte)),
}));
const notNewline = complement(ByteSet.of('\n'));

/**
 * Reads a pattern of PCRE's language, byte by byte: there are no characters beyond bytes, and `.` takes any of them.
 * @throws RegexError for what is broken, and for what no automaton answers (recursion, conditions, `\K`)
 */
export function readRegex(source: Bytes, { multiline }: RegexOptions): ReadRegex {
  return new Reader(source, {
    fold: false,
    lines: multiline,
    dotAll: true,
    extended: false,
    ungreedy: false,
  }).read();
}

class Reader {
  private at = 0;
  private groups = 0;
  private depth = 0;
  /** Inside `\Q…\E`. */
  private quoting = false;
  private readonly names = new Map<string, number>();
  private readonly classes = new Map<string, ByteSet>();
  /** What refers to a group, with its place, checked when all groups are known. */
  private readonly references: { readonly group: number | string; readonly at: number }[] = [];
  private readonly groupsInAll: number;

  constructor(
    private readonly source: Bytes,
    private flags: Flags,
  ) {
    this.groupsInAll = countGroups(source);
  }

  read(): ReadRegex {
    const syntax = this.choice();
    if (this.at < this.source.length) throw this.error('a parenthesis closes what none opened');
    for (const { group, at } of this.references) {
      const exists = typeof group === 'number' ? group <= this.groups && group > 0 : this.names.has(group);
      if (!exists) throw new RegexError(`there is no group ${group}`, at, this.source);
    }
    return { syntax: this.resolveNames(syntax), groups: this.groups };
  }

  /** References by name were numbered from minus one on, in the order they were met. */
  private resolveNames(syntax: Syntax): Syntax {
    return rewrite(syntax, (part) => {
      if (part.kind !== 'reference' || part.group >= 0) return part;
      return { ...part, group: this.names.get(this.references[-part.group - 1]!.group as string)! };
    });
  }

  private error(problem: string, at = this.at): RegexError {
    return new RegexError(problem, at, this.source);
  }

  private get next(): string {
    return this.source[this.at] ?? '';
  }

  private take(text: string): boolean {
    if (!this.source.startsWith(text, this.at)) return false;
    this.at += text.length;
    return true;
  }

  /** Takes what an expression that is anchored at the place finds. */
  private takeMatch(expression: RegExp): RegExpExecArray | undefined {
    expression.lastIndex = this.at;
    const match = expression.exec(this.source) ?? undefined;
    if (match) this.at += match[0].length;
    return match;
  }

  private choice(): Syntax {
    if (++this.depth > DEEPEST) throw this.error('groups are nested too deeply');
    const outer = this.flags;
    const options = [this.sequence()];
    while (this.take('|')) options.push(this.sequence());
    this.flags = outer;
    this.depth--;
    return options.length === 1 ? options[0]! : { kind: 'choice', options };
  }

  private sequence(): Syntax {
    const parts: Syntax[] = [];
    for (;;) {
      this.skipIgnored();
      if (this.at >= this.source.length || (!this.quoting && (this.next === '|' || this.next === ')'))) break;
      const atom = this.atom();
      if (!atom) continue;
      parts.push(this.quantified(atom));
    }
    return parts.length === 1 ? parts[0]! : { kind: 'sequence', parts };
  }

  /** White space and comments under `x`, and what `\E` and `(?#…)` leave. */
  private skipIgnored(): void {
    for (;;) {
      if (this.quoting) {
        if (!this.take('\\E')) return;
        this.quoting = false;
      } else if (this.take('\\Q')) this.quoting = true;
      else if (this.take('(?#')) {
        const end = this.source.indexOf(')', this.at);
        if (end < 0) throw this.error('a comment has no end');
        this.at = end + 1;
      } else if (!(this.take('\\E') || (this.flags.extended && this.takeMatch(/[\t-\r ]+|#[^\n]*\n?/y)))) return;
    }
  }

  private quantified(atom: Syntax): Syntax {
    let result = atom;
    for (;;) {
      this.skipIgnored();
      const count = this.quoting ? undefined : this.count();
      if (!count) return result;
      const lazy = this.take('?');
      const possessive = !lazy && this.take('+');
      result = { kind: 'repeat', body: result, ...count, lazy: lazy !== this.flags.ungreedy && !possessive };
      if (possessive) result = keeping(result);
    }
  }

  private count(): { least: number; most: number } | undefined {
    if (this.take('*')) return { least: 0, most: Infinity };
    if (this.take('+')) return { least: 1, most: Infinity };
    if (this.take('?')) return { least: 0, most: 1 };
    // A brace that opens no count is a byte like any other.
    const from = this.at;
    const match = this.takeMatch(/\{(\d+)(?:(,)(\d*))?\}/y);
    if (!match) return undefined;
    const least = Number(match[1]);
    const most = match[2] === undefined ? least : match[3] === '' ? Infinity : Number(match[3]);
    if (least > QUANTIFIED_MOST || (most !== Infinity && most > QUANTIFIED_MOST)) {
      throw this.error(`a count is greater than ${QUANTIFIED_MOST}`, from);
    }
    if (most < least) throw this.error('the bounds of a count are out of order', from);
    return { least, most };
  }

  /** @returns undefined where only flags were set */
  private atom(): Syntax | undefined {
    const from = this.at;
    const byte = this.source[this.at++]!;
    if (this.quoting) return this.literal(byte.charCodeAt(0));
    switch (byte) {
      case '(':
        return this.group(from);
      case '[':
        return { kind: 'bytes', set: this.shared(this.byteClass(from)) };
      case '.':
        return { kind: 'bytes', set: this.flags.dotAll ? everyByte : notNewline };
      case '^':
        return { kind: 'place', place: this.flags.lines ? Place.LineStart : Place.TextStart };
      case '$':
        return { kind: 'place', place: this.flags.lines ? Place.LineEnd : Place.FinalEnd };
      case '\\':
        return this.escape(from);
      case '*':
      case '+':
      case '?':
        throw this.error('there is nothing to be repeated', from);
      default:
        return this.literal(byte.charCodeAt(0));
    }
  }

  /** Large patterns repeat their classes: equal ones are one set, so that it is worked on once. */
  private shared(set: ByteSet): ByteSet {
    const { key } = set;
    const known = this.classes.get(key);
    if (known) return known;
    this.classes.set(key, set);
    return set;
  }

  private literal(byte: number): Syntax {
    return (this.flags.fold ? foldedLiterals : literals)[byte]!;
  }

  private group(from: number): Syntax | undefined {
    if (this.next === '*') throw this.error('verbs that steer backtracking mean nothing here', from);
    if (!this.take('?')) return this.capturing(from);
    if (this.take(':')) return this.closed(from);
    if (this.take('>')) return keeping(this.closed(from));
    if (this.take('|')) throw this.error('groups that share numbers are not supported', from);
    const look = this.takeMatch(/(<?)([=!])/y);
    if (look) {
      return { kind: 'look', body: this.closed(from), behind: look[1] !== '', negative: look[2] === '!' };
    }
    const name = this.takeMatch(/P?<([A-Za-z_]\w{0,31})>|'([A-Za-z_]\w{0,31})'/y);
    if (name) return this.capturing(from, name[1] ?? name[2]);
    const reference = this.takeMatch(/P=([A-Za-z_]\w{0,31})\)/y);
    if (reference) return this.reference(reference[1]!, from);
    return this.changeFlags(from);
  }

  private capturing(from: number, name?: string): Syntax {
    const number = ++this.groups;
    if (name !== undefined) {
      if (this.names.has(name)) throw this.error(`two groups have the name ${name}`, from);
      this.names.set(name, number);
    }
    return { kind: 'group', number, body: this.closed(from) };
  }

  private closed(from: number): Syntax {
    const body = this.choice();
    if (!this.take(')')) throw this.error('a group has no end', from);
    return body;
  }

  /** `(?i-s)` until the group around it ends, `(?i:…)` for its own. */
  private changeFlags(from: number): Syntax | undefined {
    const match = this.takeMatch(/(\^?)([imsxU]*)(?:-([imsxU]*))?([:)])/y);
    if (!match) throw this.error('a group begins in a way that is not supported', from);
    const outer = this.flags;
    const changed: Record<keyof Flags, boolean> = { ...outer };
    if (match[1]) for (const name of Object.values(flagNames)) changed[name] = false;
    for (const letter of match[2]!) changed[flagNames[letter]!] = true;
    for (const letter of match[3] ?? '') changed[flagNames[letter]!] = false;
    this.flags = changed;
    if (match[4] === ')') return undefined;
    const body = this.closed(from);
    this.flags = outer;
    return body;
  }

  private reference(group: number | string, at: number): Syntax {
    const index = this.references.push({ group, at });
    return { kind: 'reference', group: typeof group === 'number' ? group : -index, folded: this.flags.fold };
  }

  private escape(from: number): Syntax {
    const letter = this.next;
    if (letter === '') throw this.error('a backslash ends the pattern', from);
    const place = this.place(letter);
    if (place !== undefined) {
      this.at++;
      return { kind: 'place', place };
    }
    const named = this.takeMatch(/k(?:<(\w+)>|'(\w+)'|\{(\w+)\})|g\{([A-Za-z_]\w*)\}/y);
    if (named) return this.reference(named[1] ?? named[2] ?? named[3] ?? named[4]!, from);
    const numbered = this.takeMatch(/g(?:(-?\d+)|\{(-?\d+)\})/y);
    if (numbered) {
      const number = Number(numbered[1] ?? numbered[2]);
      return this.reference(number < 0 ? this.groups + 1 + number : number, from);
    }
    const digit = this.backreference();
    if (digit !== undefined) return this.reference(digit, from);
    if (letter === 'R') {
      this.at++;
      return lineEnd;
    }
    const byteOrSet = this.escapedByte(from, false);
    return typeof byteOrSet === 'number' ? this.literal(byteOrSet) : { kind: 'bytes', set: byteOrSet };
  }

  private place(letter: string): Place | undefined {
    switch (letter) {
      case 'b':
        return Place.WordBoundary;
      case 'B':
        return Place.NoWordBoundary;
      case 'A':
      case 'G':
        return Place.TextStart;
      case 'z':
        return Place.TextEnd;
      case 'Z':
        return Place.FinalEnd;
      default:
        return undefined;
    }
  }

  /** `\1` to `\9` always refer to a group; a greater number does where there are as many, and is octal otherwise. */
  private backreference(): number | undefined {
    const match = /[1-9]\d*/y;
    match.lastIndex = this.at;
    const text = match.exec(this.source)?.[0];
    if (text === undefined) return undefined;
    const number = Number(text);
    if (number > 9 && number > this.groupsInAll) return undefined;
    this.at += text.length;
    return number;
  }

  /** What stands behind a backslash, inside of a class or outside: a byte, or a set of them. */
  private escapedByte(from: number, inClass: boolean): number | ByteSet {
    const letter = this.source[this.at++];
    if (letter === undefined) throw this.error('a backslash ends the pattern', from);
    if (inClass && letter === 'b') return 8;
    if (letter === 'N' && !inClass) return notNewline;
    const set = Object.hasOwn(shorthands, letter) ? shorthands[letter] : undefined;
    if (set) return set;
    if (Object.hasOwn(controls, letter)) return controls[letter]!;
    if (letter === 'x') return this.hexByte(from);
    if (letter === 'c') return this.controlByte(from);
    if (letter === 'o') return this.octalByte(from);
    if (letter >= '0' && letter <= '7') {
      this.at--;
      return parseInt(this.takeMatch(/[0-7]{1,3}/y)![0], 8) & 0xff;
    }
    if (/[A-Za-z]/.test(letter)) throw this.error(`\\${letter} is not supported`, from);
    return letter.charCodeAt(0);
  }

  private hexByte(from: number): number {
    const braced = this.takeMatch(/\{([0-9A-Fa-f]+)\}/y);
    if (braced) return this.byteOf(parseInt(braced[1]!, 16), from);
    if (this.next === '{') throw this.error('\\x{ holds no hexadecimal number', from);
    return parseInt(this.takeMatch(/[0-9A-Fa-f]{1,2}/y)?.[0] ?? '0', 16);
  }

  private octalByte(from: number): number {
    const match = this.takeMatch(/\{([0-7]+)\}/y);
    if (!match) throw this.error('\\o holds no octal number', from);
    return this.byteOf(parseInt(match[1]!, 8), from);
  }

  private byteOf(number: number, from: number): number {
    if (number > 0xff) throw this.error('a pattern over bytes has none above \\x{ff}', from);
    return number;
  }

  private controlByte(from: number): number {
    const byte = this.source.charCodeAt(this.at++);
    if (!(byte >= 32 && byte < 127)) throw this.error('\\c is not followed by a printable byte', from);
    return (byte >= 97 && byte <= 122 ? byte - 32 : byte) ^ 64;
  }

  private byteClass(from: number): ByteSet {
    const negated = this.take('^');
    let set = new ByteSet();
    let first = true;
    for (; ; first = false) {
      if (this.at >= this.source.length) throw this.error('a class has no end', from);
      // Right after the opening a bracket is a member.
      if (!first && this.take(']')) break;
      const member = this.classMember(from);
      if (member === undefined) continue;
      if (typeof member !== 'number') set = set.union(member);
      else set = set.union(this.rangeFrom(member, from));
    }
    if (this.flags.fold) set = foldCase(set);
    return negated ? complement(set) : set;
  }

  /** @returns undefined for `\E`, which stands for nothing */
  private classMember(from: number): number | ByteSet | undefined {
    const posix = this.takeMatch(/\[:(\^?)([a-z]+):\]/y);
    if (posix) {
      const set = posixClasses.get(posix[2]!);
      if (!set) throw this.error(`there is no class [:${posix[2]}:]`);
      return posix[1] ? complement(set) : set;
    }
    if (this.take('\\E')) return undefined;
    if (this.take('\\')) return this.escapedByte(this.at - 1, true);
    if (this.at >= this.source.length) throw this.error('a class has no end', from);
    return this.source.charCodeAt(this.at++);
  }

  /** The range that begins at a byte, or the byte alone: a hyphen before a set or the end is a member itself. */
  private rangeFrom(first: number, from: number): ByteSet {
    const hyphen = this.at;
    if (this.next === '-' && this.source[this.at + 1] !== ']') {
      this.at++;
      const last = this.classMember(from);
      if (typeof last === 'number') {
        if (last < first) throw this.error('a range is out of order', hyphen);
        return ByteSet.range(first, last);
      }
      this.at = hyphen;
    }
    return ByteSet.range(first, first);
  }
}

/** `\R`: once CR LF is taken, it is not taken apart. */
const lineEnd: Syntax = {
  kind: 'atomic',
  body: {
    kind: 'choice',
    options: [
      { kind: 'sequence', parts: [oneByte(13), oneByte(NEWLINE)] },
      { kind: 'bytes', set: verticalSpaces },
    ],
  },
};

/** Groups that capture, counted before the pattern is read: what `\12` means hangs on it. */
function countGroups(source: Bytes): number {
  const token =
    /\\Q[^]*?(?:\\E|$)|\\[^]|\[\^?\]?(?:\\[^]|\[:\^?[a-z]+:\]|[^\]\\])*\]|\((?!\?|\*)|\(\?(?:P?<(?![=!])|')/g;
  let count = 0;
  for (const [text] of source.matchAll(token)) if (text.startsWith('(')) count++;
  return count;
}
