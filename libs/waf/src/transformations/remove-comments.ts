import { ByteSet, type Bytes } from '../bytes';
import { ByteOutput } from './byte-output';
import type { Transformation } from './transformation';

/** `t:removeComments`: drops comments of C, HTML and SQL; one that lasts to the end leaves a blank. */
export const removeComments: Transformation = {
  name: 'removeComments',
  trigger: ByteSet.of('/<-#'),
  apply: (value) => {
    const output = new ByteOutput(value.length + 1);
    let at = 0;
    let inside = false;
    while (at < value.length) {
      if (inside) {
        const end = closingLength(value, at);
        at += Math.max(1, end);
        if (end === 0) continue;
        inside = false;
        // ModSecurity copies the byte behind a comment unseen, so that it begins no other one.
        if (at < value.length) output.push(value.charCodeAt(at));
        else output.push(0);
        at++;
        continue;
      }
      const begin = openingLength(value, at);
      if (begin > 0) {
        inside = true;
        at += begin;
      } else if (value[at] === '#' || value.startsWith('--', at)) {
        return output.textUnlessSame(value);
      } else output.push(value.charCodeAt(at++));
    }
    if (inside) output.push(0x20);
    return output.textUnlessSame(value);
  },
};

function openingLength(value: Bytes, at: number): number {
  if (value.startsWith('/*', at)) return 2;
  return value.startsWith('<!--', at) ? 4 : 0;
}

function closingLength(value: Bytes, at: number): number {
  if (value.startsWith('*/', at)) return 2;
  return value.startsWith('-->', at) ? 3 : 0;
}
