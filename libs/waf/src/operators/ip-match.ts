import { AddressSet } from './addresses';
import type { OperatorKind } from './operator';
import { valueOperator } from './value-pattern';

/** `@ipMatch 192.0.2.0/24,2001:db8::1`: the value is an address in one of the networks. */
export const ipMatch: OperatorKind = {
  name: 'ipMatch',
  compile: ({ text }) => {
    const addresses = new AddressSet();
    for (const network of text.split(',')) addresses.add(network.trim());
    return valueOperator([], (value) => addresses.has(value));
  },
};
