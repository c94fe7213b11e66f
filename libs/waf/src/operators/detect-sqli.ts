import { detectSqli, detectSqliInSteps, sqliNeeds } from '../injection/detect-sqli';
import type { Captures } from '../regex/pattern';
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
      exec: (value) => capturesOf(detectSqli(value)),
      *execInSteps(value) {
        return capturesOf(yield* detectSqliInSteps(value));
      },
    }),
};

function capturesOf(fingerprint: string | undefined): Captures | undefined {
  return fingerprint === undefined ? undefined : [fingerprint];
}
