import type { Bytes } from '../bytes';
import { compileWords } from '../regex/words';
import { OperatorError, type OperatorKind } from './operator';
import { capturingOperator } from './value-pattern';

/** `@pm one two |41 42|`: one of the words, in any letter case. */
export const pm: OperatorKind = {
  name: 'pm',
  compile: ({ text }) => capturingOperator(compileWords(readWords(text))),
};

/** Bytes in hexadecimal between bars; anything else between bars is text. */
const HEXADECIMAL = /\|\s*((?:[0-9A-Fa-f]{2}\s*)+)\|/g;
const ESCAPE = /\\([:;\\"])/g;

/** Words of `@pm`, in the notation of Snort: bytes in hexadecimal between bars, and a backslash before four characters. */
function readWords(argument: Bytes): Bytes[] {
  const text = unquote(argument.trim());
  const decoded = text
    .replace(HEXADECIMAL, (_, digits: string) => Buffer.from(digits.replace(/\s/g, ''), 'hex').toString('latin1'))
    .replace(ESCAPE, '$1');
  const words = decoded.match(/[^\t-\r ]+/g);
  if (!words) throw new OperatorError('@pm needs at least one word');
  return words;
}

function unquote(text: Bytes): Bytes {
  return /^"[^]*"$/.test(text) ? text.slice(1, -1) : text;
}
