import type { Bytes } from '../../bytes';
import type { DirectiveText } from '../lexer';
import { SyntaxProblem } from '../parser';

/** The only argument of a directive. */
export function onlyArgument({ arguments: given }: DirectiveText): Bytes {
  const [argument] = given;
  if (argument === undefined || given.length !== 1)
    throw new SyntaxProblem(`it takes one argument, not ${given.length}`);
  return argument;
}

/** Exactly two arguments. */
export function twoArguments({ arguments: given }: DirectiveText): [Bytes, Bytes] {
  const [first, second] = given;
  if (first === undefined || second === undefined || given.length !== 2) {
    throw new SyntaxProblem(`it takes two arguments, not ${given.length}`);
  }
  return [first, second];
}
