import { ByteSet } from '../bytes';

export const NEWLINE = 10;
export const digits = ByteSet.range(48, 57);
export const letters = ByteSet.range(65, 90).union(ByteSet.range(97, 122));
export const highBytes = ByteSet.range(128, 255);
/** `\w`: ASCII, whatever the locale. */
export const wordBytes = letters.union(digits).union(ByteSet.of('_'));
/** `\s`: six bytes, the vertical tab among them. */
export const spaces = ByteSet.of('\t\n\v\f\r ');
export const everyByte = ByteSet.range(0, 255);
/** `\h` and `\v` of a pattern over bytes: NBSP and NEL are single bytes here. */
export const horizontalSpaces = ByteSet.of('\t \xa0');
export const verticalSpaces = ByteSet.of('\n\v\f\r\x85');

/** `[:name:]` in a class. */
export const posixClasses: ReadonlyMap<string, ByteSet> = new Map([
  ['alpha', letters],
  ['digit', digits],
  ['alnum', letters.union(digits)],
  ['upper', ByteSet.range(65, 90)],
  ['lower', ByteSet.range(97, 122)],
  ['space', spaces],
  ['blank', ByteSet.of('\t ')],
  ['cntrl', ByteSet.range(0, 31).union(ByteSet.range(127, 127))],
  ['graph', ByteSet.range(33, 126)],
  ['print', ByteSet.range(32, 126)],
  [
    'punct',
    ByteSet.range(33, 47).union(ByteSet.range(58, 64)).union(ByteSet.range(91, 96)).union(ByteSet.range(123, 126)),
  ],
  ['word', wordBytes],
  ['xdigit', digits.union(ByteSet.range(65, 70)).union(ByteSet.range(97, 102))],
  ['ascii', ByteSet.range(0, 127)],
]);

export function complement(set: ByteSet): ByteSet {
  const others = new ByteSet();
  for (let byte = 0; byte < 256; byte++) if (!set.has(byte)) others.add(byte);
  return others;
}

/** With each letter its other case; ASCII only, as a byte beyond is part of a character at most. */
export function foldCase(set: ByteSet): ByteSet {
  const folded = new ByteSet();
  for (let byte = 0; byte < 256; byte++) {
    if (!set.has(byte)) continue;
    folded.add(byte);
    if (letters.has(byte)) folded.add(byte ^ 32);
  }
  return folded;
}

export function membersOf(set: ByteSet): number[] {
  const members: number[] = [];
  for (let byte = 0; byte < 256; byte++) if (set.has(byte)) members.push(byte);
  return members;
}

/** Bytes that no set of a pattern tells apart, numbered. */
export interface Partition {
  /** By byte: its class. */
  readonly classOf: Uint8Array;
  readonly count: number;
}

export function partition(sets: readonly ByteSet[]): Partition {
  const classOf = new Uint8Array(256);
  let count = 1;
  for (const set of sets) {
    const inside = new Map<number, number>();
    const outside = new Set<number>();
    for (let byte = 0; byte < 256; byte++) if (!set.has(byte)) outside.add(classOf[byte]!);
    for (let byte = 0; byte < 256; byte++) {
      const old = classOf[byte]!;
      if (!set.has(byte) || !outside.has(old)) continue;
      if (!inside.has(old)) inside.set(old, count++);
      classOf[byte] = inside.get(old)!;
    }
  }
  return { classOf, count };
}
