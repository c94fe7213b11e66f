import { AddressSet } from './addresses';
import { readDataFile } from './data-file';
import type { OperatorArgument, OperatorKind } from './operator';
import { valueOperator } from './value-pattern';

/** `@ipMatchFromFile networks.data`: one network a line, `#` begins a comment. */
export const ipMatchFromFile: OperatorKind = { name: 'ipMatchFromFile', compile };

/** `@ipMatchF`, its short name. */
export const ipMatchF: OperatorKind = { name: 'ipMatchF', compile };

function compile(argument: OperatorArgument) {
  const addresses = new AddressSet();
  for (const line of readDataFile(argument).split('\n')) {
    const network = line.replace(/#.*/, '').trim();
    if (network !== '') addresses.add(network);
  }
  return valueOperator([], (value) => addresses.has(value));
}
