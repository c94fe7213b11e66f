import { ByteSet, type Bytes } from '../bytes';
import { complement, digits, wordBytes } from '../regex/byte-classes';
import { isAttack, type Finding } from './sqli/false-positives';
import { fingerprints } from './sqli/fingerprints.data';
import { Folding } from './sqli/folding';
import { Kind, Token } from './sqli/token';
import { doubleQuote, singleQuote, Tokenizer, type Context, type Dialect } from './sqli/tokenizer';

const known: ReadonlySet<string> = new Set(fingerprints.trim().split(/\s+/));
const backtick = 0x60;

const tokenizer = new Tokenizer();
const folding = new Folding(tokenizer);

/**
 * Sets of bytes of each of which an attack has one. Letters, digits and `_` alone are a number and a word at most, and digits,
 * white space and these signs alone have no word: neither is what `isAttack` takes for one.
 */
export const sqliNeeds: readonly ByteSet[] = [
  complement(wordBytes),
  complement(digits.union(ByteSet.of(' \t\n\r.,;?{}'))),
];

/**
 * Looks for SQL injection: whether a value, in the place of a literal of a statement, would change the statement.
 * It is read as it stands and as the rest of a string in either quote, in both dialects of comments where they differ.
 * Time is linear in the length of the value.
 *
 * @returns the fingerprint of what was found, at most five letters (`s&1` for `x' or 1`); undefined where there is nothing
 */
export function detectSqli(value: Bytes): string | undefined {
  const detection = new SqliDetection(value);
  while (detection.next());
  return detection.fingerprint;
}

/** As `detectSqli`, with places in between at which others may have their turn. */
export function* detectSqliInSteps(value: Bytes): Generator<void, string | undefined, void> {
  const detection = new SqliDetection(value);
  while (detection.next()) yield;
  return detection.fingerprint;
}

/** The ways in which a value is read, in their order; one in the second dialect is needed only where the first left it open. */
const readings: readonly (readonly [Context, Dialect])[] = [
  [0, 'ansi'],
  [0, 'mysql'],
  [singleQuote, 'ansi'],
  [singleQuote, 'mysql'],
  [doubleQuote, 'mysql'],
];

/** One value that is read in one way after the other. */
class SqliDetection {
  fingerprint: string | undefined;
  private at = 0;
  /** Whether what was read would be read otherwise in the other dialect. */
  private ambiguous = false;

  constructor(private readonly value: Bytes) {}

  /** Reads in the next way. @returns whether there is another, and nothing was found */
  next(): boolean {
    const [context, dialect] = readings[this.at++]!;
    if (this.isDue(context, dialect)) {
      this.fingerprint = detectIn(this.value, context, dialect);
      this.ambiguous = dialect === 'ansi' && tokenizer.ambiguous;
    } else this.ambiguous = false;
    return this.fingerprint === undefined && this.at < readings.length;
  }

  private isDue(context: Context, dialect: Dialect): boolean {
    if (context === doubleQuote) return this.value.includes('"');
    if (dialect === 'mysql') return this.ambiguous;
    return context === singleQuote ? this.value.includes("'") : !isPlain(this.value);
  }
}

const token = new Token();
/** Kinds no fingerprint of an attack is made of alone, as long as no word of SQL is among them. */
const plainKinds = '1no.:?,;{}';
const isPlainKind = Uint8Array.from({ length: 128 }, (_, kind) =>
  plainKinds.includes(String.fromCharCode(kind)) ? 1 : 0,
);

/** The early exit: whether a value is, as it stands, nothing but numbers, names and signs between them. Most values are. */
function isPlain(value: Bytes): boolean {
  tokenizer.start(value, 0, 'ansi');
  while (tokenizer.next(token)) if (isPlainKind[token.kind] === 0 || tokenizer.hasWord) return false;
  return !tokenizer.ambiguous;
}

function detectIn(value: Bytes, context: Context, dialect: Dialect): string | undefined {
  const finding = readSql(value, context, dialect);
  return known.has(finding.fingerprint.toUpperCase()) && isAttack(finding) ? finding.fingerprint : undefined;
}

/**
 * The fingerprint of any value, that of an attack or not. Its tokens are good until the next reading.
 * The tool that derives the list of fingerprints asks this, too.
 */
export function readSql(value: Bytes, context: Context, dialect: Dialect): Finding {
  tokenizer.start(value, context, dialect);
  const size = folding.fold();
  const { tokens } = folding;
  const last = tokens[size - 1];
  // PHP scripts end a value with an open backtick where others write a comment.
  const isOpenBacktick = last?.kind === Kind.bareword && last.opening === backtick && last.closing === 0;
  if (size > 2 && isOpenBacktick && last.length === 0) last.kind = Kind.comment;
  let fingerprint = '';
  for (let at = 0; at < size; at++) fingerprint += String.fromCharCode(tokens[at]!.kind);
  if (fingerprint.includes('X')) fingerprint = 'X';
  return { value, fingerprint, tokens, count: tokenizer.count };
}
