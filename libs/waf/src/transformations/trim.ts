import type { Bytes } from '../bytes';
import { isSpace, noBytes, whiteSpace } from './byte-classes';
import type { Transformation } from './transformation';

function firstOther(value: Bytes): number {
  let at = 0;
  while (at < value.length && isSpace(value.charCodeAt(at))) at++;
  return at;
}

function endOfOthers(value: Bytes): number {
  let at = value.length;
  while (at > 0 && isSpace(value.charCodeAt(at - 1))) at--;
  return at;
}

/** `t:trim`: drops white space at both ends. */
export const trim: Transformation = {
  name: 'trim',
  trigger: whiteSpace,
  adds: noBytes,
  perByte: 1,
  apply: (value) => value.slice(firstOther(value), endOfOthers(value)),
};

/** `t:trimLeft`: drops white space at the beginning. */
export const trimLeft: Transformation = {
  name: 'trimLeft',
  trigger: whiteSpace,
  adds: noBytes,
  perByte: 1,
  apply: (value) => value.slice(firstOther(value)),
};

/** `t:trimRight`: drops white space at the end. */
export const trimRight: Transformation = {
  name: 'trimRight',
  trigger: whiteSpace,
  adds: noBytes,
  perByte: 1,
  apply: (value) => value.slice(0, endOfOthers(value)),
};
