import { ByteSet } from '../bytes';
import { noBytes } from './byte-classes';
import { ByteOutput } from './byte-output';
import type { Transformation } from './transformation';

/** Longer ones first, where one begins another. */
const MARKS = ['/*', '*/', '<!--', '-->', '--', '#'] as const;

const trigger = ByteSet.of('/*<-#');

/** `t:removeCommentsChar`: drops the marks of comments and keeps what is inside. */
export const removeCommentsChar: Transformation = {
  name: 'removeCommentsChar',
  trigger,
  adds: noBytes,
  perByte: 1,
  apply: (value) => {
    const output = new ByteOutput(value.length);
    let at = 0;
    while (at < value.length) {
      const byte = value.charCodeAt(at);
      const mark = trigger.has(byte) ? MARKS.find((text) => value.startsWith(text, at)) : undefined;
      if (mark === undefined) output.push(byte);
      at += mark?.length ?? 1;
    }
    return output.textUnlessSame(value);
  },
};
