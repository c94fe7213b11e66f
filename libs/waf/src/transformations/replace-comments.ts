import { ByteSet } from '../bytes';
import type { Transformation } from './transformation';

/** `t:replaceComments`: each comment of C becomes one blank, also one that does not end. */
export const replaceComments: Transformation = {
  name: 'replaceComments',
  trigger: ByteSet.of('/'),
  adds: ByteSet.of(' '),
  perByte: 1,
  apply: (value) => {
    let result = '';
    let from = 0;
    for (;;) {
      const open = value.indexOf('/*', from);
      if (open < 0) return from === 0 ? value : result + value.slice(from);
      result += `${value.slice(from, open)} `;
      const close = value.indexOf('*/', open + 2);
      if (close < 0) return result;
      from = close + 2;
    }
  },
};
