import { Entries } from './entries';
import { collection, type Variable } from './variable';

/** Collections that live longer than a transaction elsewhere; here they begin empty with each. */
export const openedNames = ['IP', 'GLOBAL', 'SESSION', 'USER', 'RESOURCE'] as const;

/** Collections that rules write. */
export const storeVariables: readonly Variable[] = [
  collection('TX', 'moment', ({ tx }) => tx.entries()),
  ...openedNames.map((name) => collection(name, 'moment', ({ opened }) => opened.get(name)?.entries() ?? Entries.none)),
];
