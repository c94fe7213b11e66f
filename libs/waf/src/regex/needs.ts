import { ByteSet, type Bytes } from '../bytes';
import type { Syntax } from './ast';
import { digits, highBytes, letters } from './byte-classes';
import { byteFrequency } from './literals';

/** Sets kept of one pattern, and while they are gathered. */
const MOST_KEPT = 3;
const MOST_GATHERED = 8;
/** How often a byte of a set occurs, by byte of ordinary text, from which on hardly a value is without one. */
const MOST_FREQUENT = 1.3;
/** Bytes that are not told apart: whoever needs one of them needs any of them. */
const KINDS = [letters, digits, highBytes] as const;

/** Bytes of which a value must have one, and how often they occur. */
interface Need {
  readonly set: ByteSet;
  readonly frequency: number;
}

/** @returns sets of bytes, the rarest first: wherever the pattern matches, the value has a byte of each. */
export function neededBytes(syntax: Syntax): readonly ByteSet[] {
  return kept(needsOf(syntax));
}

/** The same for texts of which one must occur, in any letter case. */
export function neededForTexts(texts: readonly Bytes[]): ByteSet {
  const set = new ByteSet();
  for (const text of texts) {
    let rarest = text.charCodeAt(0);
    for (let at = 1; at < text.length; at++) {
      const byte = text.charCodeAt(at);
      if (byteFrequency(byte) < byteFrequency(rarest)) rarest = byte;
    }
    set.add(rarest);
  }
  return widened(set);
}

function needsOf(syntax: Syntax): readonly Need[] {
  switch (syntax.kind) {
    case 'bytes':
      return [bytesNeed(syntax.set)];
    case 'sequence':
      return gathered(syntax.parts.flatMap((part) => needsOf(part)));
    case 'choice':
      return choiceNeeds(syntax.options.map((option) => needsOf(option)));
    case 'group':
    case 'atomic':
      return needsOf(syntax.body);
    case 'repeat':
      return syntax.least === 0 ? [] : needsOf(syntax.body);
    default:
      return [];
  }
}

const ofSets = new WeakMap<ByteSet, Need>();

function bytesNeed(set: ByteSet): Need {
  let need = ofSets.get(set);
  if (!need) ofSets.set(set, (need = needOf(widened(set))));
  return need;
}

/** One set for all: of each option the set that is rarest. */
function choiceNeeds(options: readonly (readonly Need[])[]): readonly Need[] {
  if (options.some(({ length }) => length === 0)) return [];
  return [needOf(options.map(([rarest]) => rarest!.set).reduce((all, set) => all.union(set)))];
}

function gathered(needs: readonly Need[]): readonly Need[] {
  const rarest = [...new Set(needs)].sort((one, other) => one.frequency - other.frequency);
  return rarest.slice(0, MOST_GATHERED);
}

function kept(needs: readonly Need[]): readonly ByteSet[] {
  const sets: ByteSet[] = [];
  for (const { set, frequency } of gathered(needs)) {
    if (frequency >= MOST_FREQUENT || sets.length === MOST_KEPT) break;
    if (!sets.some((rarer) => set.includes(rarer))) sets.push(set);
  }
  return sets;
}

function needOf(set: ByteSet): Need {
  let frequency = 0;
  for (let byte = 0; byte < 256; byte++) if (set.has(byte)) frequency += byteFrequency(byte);
  return { set, frequency };
}

function widened(set: ByteSet): ByteSet {
  return KINDS.reduce((wider, kind) => (wider.meets(kind) ? wider.union(kind) : wider), set);
}
