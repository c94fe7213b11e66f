import type { Bytes } from '../bytes';
import { hasHexDigits } from '../transformations/byte-classes';
import type { OperatorKind } from './operator';
import { valueOperator } from './value-pattern';

/** `@validateUrlEncoding`: matches a value with a percent sign that two hexadecimal digits do not follow. */
export const validateUrlEncoding: OperatorKind = {
  name: 'validateUrlEncoding',
  compile: () => valueOperator([['%']], hasBrokenEscape),
};

function hasBrokenEscape(value: Bytes): boolean {
  for (let at = value.indexOf('%'); at >= 0; at = value.indexOf('%', at + 3))
    if (!hasHexDigits(value, at + 1, 2)) return true;
  return false;
}
