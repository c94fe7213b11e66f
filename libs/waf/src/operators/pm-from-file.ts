import type { Bytes } from '../bytes';
import { compileWords } from '../regex/words';
import { OperatorError, type OperatorArgument, type OperatorKind } from './operator';
import { capturingOperator } from './value-pattern';
import { readDataFile } from './data-file';

/** `@pmFromFile words.data`: one of the lines of a file, in any letter case. */
export const pmFromFile: OperatorKind = { name: 'pmFromFile', compile };

/** `@pmf`, its short name. */
export const pmf: OperatorKind = { name: 'pmf', compile };

function compile(argument: OperatorArgument) {
  const words = wordsOf(readDataFile(argument));
  if (words.length === 0) throw new OperatorError(`${argument.text} holds no words`);
  return capturingOperator(compileWords(words));
}

/** Blanks at the ends of a line are part of the word; empty lines and lines that begin with `#` are comments. */
function wordsOf(text: Bytes): Bytes[] {
  return text.split(/\r?\n/).filter((line) => line !== '' && !/^[\t-\r ]*#/.test(line));
}
