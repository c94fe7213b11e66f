import type { ByteSet, Bytes } from './bytes';
import { partition } from './regex/byte-classes';
import { byteFrequency } from './regex/literals';

/** As many as a number has bits for. */
const MOST_GROUPS = 32;

/** Nothing is known: any byte may be there. */
export const ANY_BYTES = -1;

/**
 * Bytes told apart as far as somebody asks: those that no set of interest tells apart are one group, and where there are more
 * groups than bits, those are joined that it costs the least to take for one another. What is said of a value is which groups
 * it has bytes of, a bit for each; it may say too much of a set, and never too little.
 */
export class ByteGroups {
  /** By byte: the bit of its group. */
  private readonly bits = new Int32Array(256);

  /** @param sets those that are asked for */
  constructor(sets: readonly ByteSet[]) {
    const distinct = [...new Map(sets.map((set) => [set.key, set])).values()];
    const groups = joined(groupsOf(distinct));
    groups.forEach(({ bytes }, number) => {
      for (const byte of bytes) this.bits[byte] = 1 << number;
    });
  }

  /** @returns the groups that a value has bytes of */
  of(value: Bytes): number {
    const { bits } = this;
    let found = 0;
    for (let at = 0; at < value.length; at++) found |= bits[value.charCodeAt(at) & 0xff]!;
    return found;
  }

  /** @returns the groups that have a byte of a set: a value without all of them has none */
  ofSet(set: ByteSet): number {
    let found = 0;
    for (let byte = 0; byte < 256; byte++) if (set.has(byte)) found |= this.bits[byte]!;
    return found;
  }

  /** @returns the groups of which all bytes are in a set: a value with one of them has a byte of it */
  within(set: ByteSet): number {
    let outside = 0;
    for (let byte = 0; byte < 256; byte++) if (!set.has(byte)) outside |= this.bits[byte]!;
    return this.ofSet(set) & ~outside;
  }
}

interface Group {
  readonly bytes: readonly number[];
  readonly frequency: number;
  /** By set: whether it has bytes of the group. */
  readonly within: readonly boolean[];
}

function groupsOf(sets: readonly ByteSet[]): Group[] {
  const { classOf, count } = partition(sets);
  const bytes: number[][] = Array.from({ length: count }, () => []);
  for (let byte = 0; byte < 256; byte++) bytes[classOf[byte]!]!.push(byte);
  return bytes.map((members) => ({
    bytes: members,
    frequency: members.reduce((sum, byte) => sum + byteFrequency(byte), 0),
    within: sets.map((set) => set.has(members[0]!)),
  }));
}

/** Joins groups until there are few enough, each time the two whose bytes are least often taken for one another. */
function joined(groups: Group[]): Group[] {
  while (groups.length > MOST_GROUPS) {
    let best: [Group, Group] = [groups[0]!, groups[1]!];
    let least = Infinity;
    groups.forEach((one, index) => {
      for (const other of groups.slice(0, index)) {
        const cost = costOfJoining(one, other);
        if (cost >= least) continue;
        least = cost;
        best = [one, other];
      }
    });
    groups = [...groups.filter((group) => !best.includes(group)), join(...best)];
  }
  return groups;
}

/** How often a set is thought to be met where it is not. */
function costOfJoining(one: Group, other: Group): number {
  let cost = 0;
  for (let set = 0; set < one.within.length; set++) {
    if (one.within[set] !== other.within[set]) cost += one.within[set] ? other.frequency : one.frequency;
  }
  return cost;
}

function join(one: Group, other: Group): Group {
  return {
    bytes: [...one.bytes, ...other.bytes],
    frequency: one.frequency + other.frequency,
    within: one.within.map((within, set) => within || other.within[set]!),
  };
}
