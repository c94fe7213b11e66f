import { Entries } from './entries';
import { collection, scalar, type Variable } from './variable';

/** What matched: the last value, and all of the chain. */
export const matchedVariables: readonly Variable[] = [
  scalar('MATCHED_VAR', 'moment', ({ matches }) => Entries.single(matches.value ?? '')),
  scalar('MATCHED_VAR_NAME', 'moment', ({ matches }) => Entries.single(matches.name)),
  collection('MATCHED_VARS', 'moment', ({ matches }) => new Entries([...matches.names], [...matches.values])),
  collection('MATCHED_VARS_NAMES', 'moment', ({ matches }) => new Entries([...matches.names], [...matches.names])),
];
