import { ByteSet } from '../bytes';
import { ByteOutput } from './byte-output';
import type { Transformation } from './transformation';

/** Longer ones first, where one begins another. */
const MARKS = ['/*', '*/', '<!--', '-->', '--', '#'] as const;

/** `t:removeCommentsChar`: drops the marks of comments and keeps what is inside. */
export const removeCommentsChar: Transformation = {
  name: 'removeCommentsChar',
  trigger: ByteSet.of('/*<-#'),
  apply: (value) => {
    const output = new ByteOutput(value.length);
    let at = 0;
    while (at < value.length) {
      const mark = MARKS.find((text) => value.startsWith(text, at));
      if (mark === undefined) output.push(value.charCodeAt(at++));
      else at += mark.length;
    }
    return output.textUnlessSame(value);
  },
};
