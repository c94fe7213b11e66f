import { ByteSet } from '../bytes';
import { hasHexDigits, hexByte } from './byte-classes';
import { ByteOutput } from './byte-output';
import type { Transformation } from './transformation';

const PERCENT = 0x25;
const PLUS = 0x2b;

/** `t:urlDecode`: `%41` and `+` of forms; a percent sign without two digits stays. */
export const urlDecode: Transformation = {
  name: 'urlDecode',
  trigger: ByteSet.of('%+'),
  adds: ByteSet.of(' '),
  escapes: ByteSet.of('%'),
  perByte: 1,
  apply: (value) => {
    const output = new ByteOutput(value.length);
    let at = 0;
    while (at < value.length) {
      const byte = value.charCodeAt(at);
      if (byte === PERCENT && hasHexDigits(value, at + 1, 2)) {
        output.push(hexByte(value, at + 1));
        at += 3;
      } else {
        output.push(byte === PLUS ? 0x20 : byte);
        at++;
      }
    }
    return output.textUnlessSame(value);
  },
};
