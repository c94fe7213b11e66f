import type { Bytes } from '../../bytes';
import { Kind, type Token } from './token';

const slash = 0x2f;
const minus = 0x2d;
const hash = 0x23;
const asterisk = 0x2a;

/** What was found in a value, for the second thought. */
export interface Finding {
  readonly value: Bytes;
  readonly fingerprint: string;
  readonly tokens: readonly Token[];
  /** Tokens of the value before they were folded. */
  readonly count: number;
}

/**
 * Whether a value with a fingerprint of an attack is one after all. Short fingerprints come up in plain text (`this -- that`,
 * `rock & roll`), so they are looked at more closely.
 */
export function isAttack(finding: Finding): boolean {
  const { fingerprint, value } = finding;
  // SQL Server leaves a statement with this word out of its trace, so a comment that holds it hides something.
  if (fingerprint.length > 1 && fingerprint.endsWith('c') && value.includes('sp_password')) return true;
  if (fingerprint.length === 2) return isAttackOfTwo(finding);
  if (fingerprint.length === 3) return isAttackOfThree(finding);
  return true;
}

function isAttackOfTwo({ value, tokens, fingerprint, count }: Finding): boolean {
  const [first, second] = tokens as [Token, Token];
  if (fingerprint[1] === 'U') return count !== 2;
  const mark = second.byte(value, 0);
  if (mark === hash) return false;
  if (first.kind === Kind.bareword && second.kind === Kind.comment && mark !== slash) return false;
  if (first.kind === Kind.number && second.kind === Kind.comment) {
    return mark === slash || count > 2 || isFollowedByComment(value, first.length);
  }
  // Many a text has `--` inside; at its end it is the mark of a scanner.
  return !(second.length > 2 && mark === minus);
}

/** Whether the number really ends at `place`: `1234-ABCD--` is a piece of base64, `1234--` is none. */
function isFollowedByComment(value: Bytes, place: number): boolean {
  const byte = value.charCodeAt(place);
  if (!(byte > 0x20 && byte < 0x80)) return true;
  const next = value.charCodeAt(place + 1);
  return (byte === slash && next === asterisk) || (byte === minus && next === minus);
}

const plainInThree = new Set(['s&n', 'n&1', '1&1', '1&v', '1&s']);

function isAttackOfThree({ value, tokens, fingerprint, count }: Finding): boolean {
  const [first, second, third] = tokens as [Token, Token, Token];
  // `…name' + 'name…`: both strings are cut off by the ends of the value.
  if (fingerprint === 'sos' || fingerprint === 's&s') {
    return first.opening === 0 && third.closing === 0 && first.closing === third.opening;
  }
  if (plainInThree.has(fingerprint)) return count !== 3;
  if (second.kind !== Kind.keyword) return true;
  return second.length >= 5 && second.text(value).slice(0, 4).toUpperCase() === 'INTO';
}
