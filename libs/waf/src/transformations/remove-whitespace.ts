import { ByteSet } from '../bytes';
import { isSpace, noBytes, whiteSpace } from './byte-classes';
import { ByteOutput } from './byte-output';
import type { Transformation } from './transformation';

/** The two bytes of a no-break space in UTF-8; the second is one in Latin-1. */
const NO_BREAK_SPACE = '\xc2\xa0';
const noBreakSpace = ByteSet.of(NO_BREAK_SPACE);

/** `t:removeWhitespace`: drops all white space. Of the no-break space ModSecurity drops each byte, wherever it stands. */
export const removeWhitespace: Transformation = {
  name: 'removeWhitespace',
  trigger: whiteSpace.union(noBreakSpace),
  adds: noBytes,
  perByte: 1,
  apply: (value) => {
    const output = new ByteOutput(value.length);
    for (let at = 0; at < value.length; at++) {
      const byte = value.charCodeAt(at);
      if (!isSpace(byte) && !noBreakSpace.has(byte)) output.push(byte);
    }
    return output.textUnlessSame(value);
  },
};
