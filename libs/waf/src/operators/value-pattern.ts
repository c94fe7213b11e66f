import { foldText, type Bytes, type ByteSet } from '../bytes';
import type { Captures, Pattern, RequiredLiterals } from '../regex/pattern';
import type { Operator } from './operator';

/** @returns what a value must hold to hold `text`; nothing can be said of an empty one */
export function requiredText(text: Bytes): RequiredLiterals {
  return text === '' ? [] : [[foldText(text)]];
}

/**
 * An operator that needs the value alone and captures nothing.
 * @param needs sets of bytes: without those of any one of them no value matches
 */
export function valueOperator(
  required: RequiredLiterals,
  test: (value: Bytes) => boolean,
  needs?: readonly ByteSet[],
): Operator {
  const pattern: Pattern = {
    required,
    test,
    exec: (value) => (test(value) ? [value] : undefined),
    ...(needs && { needs }),
  };
  return { pattern, test };
}

/** An operator that needs the value alone and captures what its pattern does. */
export function capturingOperator(pattern: Pattern): Operator {
  return {
    pattern,
    test: (value) => pattern.test(value),
    capture: (value): Captures | undefined => pattern.exec(value),
  };
}
