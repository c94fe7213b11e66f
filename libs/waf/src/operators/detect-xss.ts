import { ByteSet } from '../bytes';
import { detectXss, detectXssInSteps } from '../injection/detect-xss';
import type { OperatorKind } from './operator';
import { capturingOperator } from './value-pattern';

/** `@detectXSS`: `TX:0` becomes the value. */
export const detectXSS: OperatorKind = {
  name: 'detectXSS',
  compile: () =>
    capturingOperator({
      required: [],
      // Code is a tag, a declaration or the value of an attribute.
      needs: [ByteSet.of('<=')],
      test: detectXss,
      exec: (value) => (detectXss(value) ? [value] : undefined),
      *execInSteps(value) {
        return (yield* detectXssInSteps(value)) ? [value] : undefined;
      },
    }),
};
