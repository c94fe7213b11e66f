import { ByteSet } from '../bytes';
import { hasHexDigits, hexByte } from './byte-classes';
import { ByteOutput } from './byte-output';
import type { Transformation } from './transformation';

/**
 * `t:sqlHexDecode`: hexadecimal strings of SQL, `0x414243`, become what they write. ModSecurity drops the last byte of any
 * other value and ends at a NUL; a rule must see both, so here they stay.
 */
export const sqlHexDecode: Transformation = {
  name: 'sqlHexDecode',
  trigger: ByteSet.of('xX'),
  apply: (value) => {
    const output = new ByteOutput(value.length);
    let at = 0;
    while (at < value.length) {
      if (value[at] === '0' && (value.charCodeAt(at + 1) | 0x20) === 0x78 && hasHexDigits(value, at + 2, 2)) {
        for (at += 2; hasHexDigits(value, at, 2); at += 2) output.push(hexByte(value, at));
      } else output.push(value.charCodeAt(at++));
    }
    return output.textUnlessSame(value);
  },
};
