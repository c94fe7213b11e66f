import type { Bytes } from '../bytes';
import { isLetter } from '../transformations/byte-classes';
import { textOperator } from './text-operator';

/** `@containsWord text`: with no letter before and none behind; digits and underscores are no letters to ModSecurity. */
export const containsWord = textOperator('containsWord', holdsWord, 'contains');

function holdsWord(value: Bytes, word: Bytes): boolean {
  if (word === '') return true;
  for (let at = value.indexOf(word); at >= 0; at = value.indexOf(word, at + 1))
    if (!isLetter(value.charCodeAt(at - 1)) && !isLetter(value.charCodeAt(at + word.length))) return true;
  return false;
}
