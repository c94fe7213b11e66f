import type { Bytes } from '../bytes';
import { OperatorError, type OperatorArgument } from './operator';

/**
 * The file an operator's argument names, from beside the rules.
 * @throws OperatorError for an address: no rule set is fetched while it is loaded
 */
export function readDataFile(argument: OperatorArgument): Bytes {
  const name = argument.text.trim();
  if (/^https?:/i.test(name)) throw new OperatorError('data comes from files, not from addresses');
  return argument.readFile(name);
}
