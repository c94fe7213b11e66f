import type { Bytes } from '../bytes';
import { Place } from './ast';
import { NEWLINE, wordBytes } from './byte-classes';

/** Whether a place of a text is what a pattern asks for. @param at bytes before it */
export function isPlace(place: Place, value: Bytes, at: number): boolean {
  const { length } = value;
  switch (place) {
    case Place.TextStart:
      return at === 0;
    case Place.LineStart:
      return at === 0 || (at < length && value.charCodeAt(at - 1) === NEWLINE);
    case Place.TextEnd:
      return at === length;
    case Place.FinalEnd:
      return at === length || (at === length - 1 && value.charCodeAt(at) === NEWLINE);
    case Place.LineEnd:
      return at === length || value.charCodeAt(at) === NEWLINE;
    case Place.WordBoundary:
      return isWord(value, at - 1) !== isWord(value, at);
    case Place.NoWordBoundary:
      return isWord(value, at - 1) === isWord(value, at);
  }
}

function isWord(value: Bytes, at: number): boolean {
  return at >= 0 && at < value.length && wordBytes.has(value.charCodeAt(at) & 0xff);
}
