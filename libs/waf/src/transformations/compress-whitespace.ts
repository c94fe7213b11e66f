import { ByteSet } from '../bytes';
import { isSpace, whiteSpace } from './byte-classes';
import { ByteOutput } from './byte-output';
import type { Transformation } from './transformation';

/** `t:compressWhitespace`: each run of white space becomes one blank. */
export const compressWhitespace: Transformation = {
  name: 'compressWhitespace',
  trigger: whiteSpace,
  adds: ByteSet.of(' '),
  perByte: 1,
  apply: (value) => {
    const output = new ByteOutput(value.length);
    let afterSpace = false;
    for (let at = 0; at < value.length; at++) {
      const byte = value.charCodeAt(at);
      const space = isSpace(byte);
      if (!space) output.push(byte);
      else if (!afterSpace) output.push(0x20);
      afterSpace = space;
    }
    return output.textUnlessSame(value);
  },
};
