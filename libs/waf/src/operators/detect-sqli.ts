import { detectSqli, sqliNeeds } from '../injection/detect-sqli';
import type { OperatorKind } from './operator';
import { capturingOperator } from './value-pattern';

/** `@detectSQLi`: `TX:0` becomes the fingerprint. */
export const detectSQLi: OperatorKind = {
  name: 'detectSQLi',
  compile: () =>
    capturingOperator({
      required: [],
      needs: sqliNeeds,
      test: (value) => detectSqli(value) !== undefined,
      exec: (value) => {
        const fingerprint = detectSqli(value);
        return fingerprint === undefined ? undefined : [fingerprint];
      },
    }),
};
