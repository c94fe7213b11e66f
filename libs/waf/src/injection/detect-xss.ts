import type { Bytes } from '../bytes';
import { MarkupReader, quotes, type Place } from './xss/markup';
import { dangerOf, isDangerousAddress, isDangerousTag } from './xss/names';

const reader = new MarkupReader();

/**
 * Looks for script injection: whether a value, in some place of a page, would run code. It is read as text between tags
 * and as the value of an attribute without quotes and inside of three kinds of them.
 * Time is linear in the length of the value.
 */
export function detectXss(value: Bytes): boolean {
  return mayRunCode(value) && places.some((place) => isIn(place, value) && runsCode(value, place));
}

/** As `detectXss`, with places in between at which others may have their turn. */
export function* detectXssInSteps(value: Bytes): Generator<void, boolean, void> {
  if (!mayRunCode(value)) return false;
  for (const place of places) {
    if (isIn(place, value) && runsCode(value, place)) return true;
    yield;
  }
  return false;
}

const places: readonly Place[] = ['data', 'unquoted', ...quotes];

/** Code is a tag, a declaration or the value of an attribute: without `<` and `=` there is none. */
function mayRunCode(value: Bytes): boolean {
  return value.includes('<') || value.includes('=');
}

/** Whether a value can be anything but text in a place: it opens a tag there, or ends the quotes around it. */
function isIn(place: Place, value: Bytes): boolean {
  return place === 'unquoted' || value.includes(place === 'data' ? '<' : place);
}

function runsCode(value: Bytes, place: Place): boolean {
  let name: Name | undefined;
  reader.begin(value, place);
  while (reader.next()) {
    const { piece, start, length } = reader;
    switch (piece) {
      case 'attribute':
        attribute.start = start;
        attribute.length = length;
        name = attribute;
        continue;
      case 'value':
        if (name !== undefined && isDangerousValue(value, name, start, length)) return true;
        break;
      case 'tag':
        if (isDangerousTag(value, start, length)) return true;
        break;
      case 'comment':
        if (isDangerousComment(value, start, length)) return true;
        break;
      case 'doctype':
        return true;
      default:
    }
    name = undefined;
  }
  return false;
}

/** The attribute a value may follow. */
interface Name {
  start: number;
  length: number;
}

const attribute: Name = { start: 0, length: 0 };

function isDangerousValue(value: Bytes, name: Name, start: number, length: number): boolean {
  const danger = dangerOf(value, name.start, name.length);
  if (danger === undefined || danger === 'code') return danger === 'code';
  return danger === 'address' ? isDangerousAddress(value, start, length) : dangerOf(value, start, length) !== undefined;
}

/** Internet Explorer ends a comment at a backtick, and runs conditions, imports, XML and entities inside of one. */
function isDangerousComment(value: Bytes, start: number, length: number): boolean {
  if (length <= 3) return value.slice(start, start + length).includes('`');
  const beginning = value.slice(start, start + Math.min(length, 6)).toUpperCase();
  if (beginning.startsWith('[IF') || beginning.startsWith('XML')) return true;
  if (length > 5 && (beginning === 'IMPORT' || beginning === 'ENTITY')) return true;
  return value.slice(start, start + length).includes('`');
}
