import { ByteSet, type Bytes } from '../bytes';
import { OperatorError, type OperatorKind } from './operator';
import { valueOperator } from './value-pattern';

/** `@validateByteRange 9,10,32-126`: matches a value with a byte outside the ranges. */
export const validateByteRange: OperatorKind = {
  name: 'validateByteRange',
  compile: ({ text }) => {
    const ranges = readRanges(text);
    const allowed = Uint8Array.from({ length: 256 }, (_, byte) => (ranges.has(byte) ? 1 : 0));
    const isOutside = (value: Bytes): boolean => {
      for (let at = 0; at < value.length; at++) if (allowed[value.charCodeAt(at)] === 0) return true;
      return false;
    };
    return valueOperator([], isOutside, [outside(ranges)]);
  },
};

function outside(ranges: ByteSet): ByteSet {
  const others = new ByteSet();
  for (let byte = 0; byte < 256; byte++) if (!ranges.has(byte)) others.add(byte);
  return others;
}

function readRanges(text: Bytes): ByteSet {
  const ranges = text.split(',').map((range) => range.trim());
  if (ranges.length === 1 && ranges[0] === '') return new ByteSet();
  return ranges.map(readRange).reduce((all, range) => all.union(range));
}

function readRange(text: Bytes): ByteSet {
  const [, first = '', last = first] = /^(\d{1,3})(?:\s*-\s*(\d{1,3}))?$/.exec(text) ?? [];
  if (first === '' || Number(last) > 255 || Number(first) > Number(last))
    throw new OperatorError(`${text} is no range of bytes`);
  return ByteSet.range(Number(first), Number(last));
}
