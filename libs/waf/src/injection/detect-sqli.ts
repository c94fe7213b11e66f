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
  if (!isPlain(value)) {
    const bare = detectIn(value, 0, 'ansi') ?? (tokenizer.ambiguous ? detectIn(value, 0, 'mysql') : undefined);
    if (bare !== undefined) return bare;
  }
  if (value.includes("'")) {
    const single =
      detectIn(value, singleQuote, 'ansi') ?? (tokenizer.ambiguous ? detectIn(value, singleQuote, 'mysql') : undefined);
    if (single !== undefined) return single;
  }
  return value.includes('"') ? detectIn(value, doubleQuote, 'mysql') : undefined;
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
