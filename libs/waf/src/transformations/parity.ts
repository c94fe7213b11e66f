import { ByteSet } from '../bytes';
import { highBytes } from './byte-classes';
import { ByteOutput } from './byte-output';
import type { Transformation } from './transformation';

/** By the number of ones in all eight bits, the highest included: so ModSecurity counts. */
function withParity(odd: 0 | 1): Uint8Array {
  const table = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let ones = 0;
    for (let bit = 0; bit < 8; bit++) ones += (byte >> bit) & 1;
    table[byte] = (byte & 0x7f) | (ones % 2 === odd ? 0 : 0x80);
  }
  return table;
}

function byTable(name: string, table: Uint8Array): Transformation {
  const trigger = new ByteSet();
  for (let byte = 0; byte < 256; byte++) if (table[byte] !== byte) trigger.add(byte);
  return {
    name,
    trigger,
    apply: (value) => {
      const output = new ByteOutput(value.length);
      for (let at = 0; at < value.length; at++) output.push(table[value.charCodeAt(at)]!);
      return output.textUnlessSame(value);
    },
  };
}

/** `t:parityEven7bit`: the highest bit makes the number of ones even. */
export const parityEven7bit = byTable('parityEven7bit', withParity(0));
/** `t:parityOdd7bit`: the highest bit makes the number of ones odd. */
export const parityOdd7bit = byTable('parityOdd7bit', withParity(1));
/** `t:parityZero7bit`: the highest bit is cleared. */
export const parityZero7bit: Transformation = {
  ...byTable(
    'parityZero7bit',
    Uint8Array.from({ length: 256 }, (_, byte) => byte & 0x7f),
  ),
  trigger: highBytes,
};
