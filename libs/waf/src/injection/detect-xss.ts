import type { Bytes } from '../bytes';
import { MarkupReader, quotes, type Place } from './xss/markup';
import { dangerOf, isDangerousAddress, isDangerousTag, type Danger } from './xss/names';

const reader = new MarkupReader();

/**
 * Looks for script injection: whether a value, in some place of a page, would run code. It is read as text between tags
 * and as the value of an attribute without quotes and inside of three kinds of them.
 * Time is linear in the length of the value.
 */
export function detectXss(value: Bytes): boolean {
  const hasTag = value.includes('<');
  // Code is a tag, a declaration or the value of an attribute: without `<` and `=` there is none.
  if (!hasTag && !value.includes('=')) return false;
  return (
    (hasTag && runsCode(value, 'data')) ||
    runsCode(value, 'unquoted') ||
    quotes.some((quote) => value.includes(quote) && runsCode(value, quote))
  );
}

function runsCode(value: Bytes, place: Place): boolean {
  let danger: Danger | undefined;
  reader.begin(value, place);
  while (reader.next()) {
    const { piece, start, length } = reader;
    if (piece === 'value') {
      if (danger !== undefined && isDangerousValue(danger, value, start, length)) return true;
      danger = undefined;
      continue;
    }
    danger = piece === 'attribute' ? dangerOf(value, start, length) : undefined;
    if (piece === 'doctype') return true;
    if (piece === 'tag' && isDangerousTag(value, start, length)) return true;
    if (piece === 'comment' && isDangerousComment(value, start, length)) return true;
  }
  return false;
}

function isDangerousValue(danger: Danger, value: Bytes, start: number, length: number): boolean {
  if (danger === 'code') return true;
  return danger === 'address' ? isDangerousAddress(value, start, length) : dangerOf(value, start, length) !== undefined;
}

/** Internet Explorer ends a comment at a backtick, and runs conditions, imports, XML and entities inside of one. */
function isDangerousComment(value: Bytes, start: number, length: number): boolean {
  const beginning = value.slice(start, start + Math.min(length, 6)).toUpperCase();
  if (length > 3 && (beginning.startsWith('[IF') || beginning.startsWith('XML'))) return true;
  if (length > 5 && (beginning === 'IMPORT' || beginning === 'ENTITY')) return true;
  return value.slice(start, start + length).includes('`');
}
