import type { Bytes } from '../bytes';
import { compileRegex } from '../regex/compile-regex';
import type { Pattern } from '../regex/pattern';
import { isDigit } from '../transformations/byte-classes';
import { OperatorError, type OperatorKind } from './operator';
import { capturingOperator } from './value-pattern';

/** `@verifyCC pattern`: the pattern finds what looks like the number of a card, and its check digit is right. */
export const verifyCC: OperatorKind = {
  name: 'verifyCC',
  compile: ({ text, multiline }) => {
    const candidates = readPattern(text, multiline);
    const find = (value: Bytes) => {
      const number = firstNumber(candidates, value);
      return number === undefined ? undefined : [number];
    };
    const { required } = candidates;
    return capturingOperator({ required, test: (value) => find(value) !== undefined, exec: find });
  },
};

function readPattern(text: Bytes, multiline: boolean): Pattern {
  try {
    return compileRegex(text, { multiline });
  } catch (error) {
    throw new OperatorError(`the pattern of @verifyCC cannot be read: ${(error as Error).message}`);
  }
}

/** A longer search than this many times the value is given up: candidates may overlap, and the work must stay linear. */
const MAX_WORK = 32;

function firstNumber(candidates: Pattern, value: Bytes): Bytes | undefined {
  let rest = value;
  for (let work = MAX_WORK * value.length; work > 0;) {
    const candidate = candidates.exec(rest)?.[0];
    if (candidate === undefined || candidate === '') return undefined;
    if (hasCheckDigit(candidate)) return candidate;
    const start = rest.indexOf(candidate);
    work -= start + candidate.length;
    rest = rest.slice(start + 1);
  }
  return undefined;
}

/** ISO/IEC 7812-1 annex B: every second digit from the right counts double, and the sum ends in zero. */
function hasCheckDigit(text: Bytes): boolean {
  let sum = 0;
  let digits = 0;
  for (let at = text.length - 1; at >= 0; at--) {
    if (!isDigit(text.charCodeAt(at))) continue;
    const digit = text.charCodeAt(at) - 0x30;
    const doubled = digits % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
    digits++;
  }
  return digits > 0 && sum % 10 === 0;
}
