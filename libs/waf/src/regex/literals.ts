import type { ByteSet, Bytes } from '../bytes';
import type { Syntax } from './ast';
import { membersOf } from './byte-classes';
import type { RequiredLiterals } from './pattern';

/** Texts that parts are multiplied to, and texts of one set, at most: more are seldom worth it. */
const MOST_TEXTS = 600;
const MOST_IN_SET = 12_000;
const LONGEST = 24;
/** A byte class of more members, letters folded, ends a text. */
const MOST_MEMBERS = 12;
/** Sets of one pattern, at most. */
const MOST_SETS = 4;
/** How often a set may occur, by byte of ordinary text, to be worth looking for. */
const MOST_FREQUENT = 0.2;

/** Bytes of a usual value. */
const USUAL_LENGTH = 24;
/** Values out of all in which the sets of a pattern occur by chance, below which they are good enough. */
const RARE = 1e-5;

/** What is known of the texts a part matches. */
interface Knowledge {
  /** All of them, folded; undefined where they are too many. */
  readonly texts: ReadonlySet<Bytes> | undefined;
  /** Each of them begins with one of these; undefined where nothing can be said. */
  readonly heads: ReadonlySet<Bytes> | undefined;
  /** Of each set one text occurs in all of them. */
  readonly required: readonly ReadonlySet<Bytes>[];
}

/** @returns sets of texts, folded to lower case, of each of which one occurs wherever the pattern matches; the rarest ones */
export function requiredLiterals(syntax: Syntax): RequiredLiterals {
  const sets: Bytes[][] = [];
  let frequency = 1;
  for (const set of worthwhile(withHeads(knowledgeOf(syntax)))) {
    // Where the sets so far are hardly ever met together, one more costs more than it saves.
    if (sets.length === MOST_SETS || frequency < RARE) break;
    // One that is met in every other value says little beside a rarer one.
    if (sets.length > 0 && frequencyOf(set) * USUAL_LENGTH > 0.5) break;
    sets.push(minimal(set));
    frequency *= Math.min(1, frequencyOf(set) * USUAL_LENGTH);
  }
  return sets;
}

function knowledgeOf(syntax: Syntax): Knowledge {
  switch (syntax.kind) {
    case 'bytes':
      return bytesKnowledge(syntax.set);
    case 'sequence':
      return sequenceKnowledge(syntax.parts.map(knowledgeOf));
    case 'choice':
      return choiceKnowledge(syntax.options.map(knowledgeOf));
    case 'group':
    case 'atomic':
      return knowledgeOf(syntax.body);
    case 'repeat':
      return repeatKnowledge(syntax);
    case 'place':
    case 'unfollowed':
    case 'look':
      return known(nothing);
    case 'reference':
      return unknown;
  }
}

const nothing: ReadonlySet<Bytes> = new Set(['']);
const unknown: Knowledge = { texts: undefined, heads: undefined, required: [] };

function known(texts: ReadonlySet<Bytes>, required: readonly ReadonlySet<Bytes>[] = []): Knowledge {
  return { texts, heads: texts, required };
}

const ofSets = new WeakMap<ByteSet, Knowledge>();

function bytesKnowledge(set: ByteSet): Knowledge {
  let knowledge = ofSets.get(set);
  if (!knowledge) ofSets.set(set, (knowledge = readBytes(set)));
  return knowledge;
}

function readBytes(set: ByteSet): Knowledge {
  const members = new Set(membersOf(set).map((byte) => (byte >= 65 && byte <= 90 ? byte + 32 : byte)));
  if (members.size > MOST_MEMBERS) return unknown;
  return known(new Set([...members].map((byte) => String.fromCharCode(byte))));
}

function repeatKnowledge({ body, least, most }: Extract<Syntax, { kind: 'repeat' }>): Knowledge {
  const inner = knowledgeOf(body);
  if (most <= 4 && inner.texts && least === most) return sequenceKnowledge(new Array<Knowledge>(least).fill(inner));
  if (least === 0) return most === 1 && inner.texts ? known(new Set(['', ...inner.texts])) : unknown;
  const once = sequenceKnowledge(new Array<Knowledge>(Math.min(least, 4)).fill(inner));
  return { texts: undefined, heads: once.heads, required: withHeads(once) };
}

function choiceKnowledge(options: readonly Knowledge[]): Knowledge {
  const all = options.every(({ texts }) => texts !== undefined);
  const texts = all ? union(options.map((option) => option.texts!)) : undefined;
  if (texts && texts.size <= MOST_TEXTS) return known(texts);
  const begun = options.every(({ heads }) => heads !== undefined);
  const heads = begun ? union(options.map((option) => option.heads!)) : undefined;
  // One set for all: of each option the set that is rarest.
  const rarest = options.map((option) => worthwhile(withHeads(option))[0]);
  const required = rarest.some((set) => set === undefined) ? [] : [union(rarest.map((set) => set!))];
  return { texts: undefined, heads: heads && heads.size <= MOST_IN_SET ? heads : undefined, required };
}

function sequenceKnowledge(parts: readonly Knowledge[]): Knowledge {
  const required: ReadonlySet<Bytes>[] = [];
  let heads: ReadonlySet<Bytes> | undefined;
  let run: ReadonlySet<Bytes> = nothing;
  for (const part of parts) {
    required.push(...part.required);
    const longer = part.texts && product(run, part.texts);
    if (longer) {
      run = longer;
      continue;
    }
    const begun = part.heads && product(run, part.heads);
    required.push(begun ?? run);
    heads ??= begun ?? run;
    run = begun ? nothing : (part.texts ?? nothing);
  }
  if (!heads) return known(run, required);
  required.push(run);
  return { texts: undefined, heads, required };
}

/** Each text of one followed by each of the other; undefined where that is too much to be of use. */
function product(one: ReadonlySet<Bytes>, other: ReadonlySet<Bytes>): ReadonlySet<Bytes> | undefined {
  if (one.size * other.size > MOST_TEXTS) return undefined;
  const texts = new Set<Bytes>();
  for (const start of one) {
    for (const end of other) {
      if (start.length + end.length > LONGEST) return undefined;
      texts.add(start + end);
    }
  }
  return texts;
}

function withHeads({ heads, required }: Knowledge): readonly ReadonlySet<Bytes>[] {
  return heads ? [...required, heads] : required;
}

function union(sets: readonly ReadonlySet<Bytes>[]): ReadonlySet<Bytes> {
  return new Set(sets.flatMap((set) => [...set]));
}

/** The rarest first, without those that are found in any text. */
function worthwhile(sets: readonly ReadonlySet<Bytes>[]): readonly ReadonlySet<Bytes>[] {
  return [...new Set(sets)]
    .map((set) => ({ set, frequency: frequencyOf(set) }))
    .filter(({ set, frequency }) => !set.has('') && frequency < MOST_FREQUENT && set.size <= MOST_IN_SET)
    .sort((one, other) => one.frequency - other.frequency)
    .map(({ set }) => set);
}

function frequencyOf(set: ReadonlySet<Bytes>): number {
  let sum = 0;
  for (const text of set) {
    let frequency = 1;
    for (let at = 0; at < text.length; at++) frequency *= byteFrequency(text.charCodeAt(at));
    sum += frequency;
  }
  return sum;
}

/** How often a byte occurs in values of requests, roughly, letters folded. */
export function byteFrequency(byte: number): number {
  return frequencies[byte]!;
}

const frequencies = Float64Array.from({ length: 256 }, (_, byte) => {
  const char = String.fromCharCode(byte);
  if ('eaiotnsr'.includes(char)) return 0.065;
  if (byte >= 97 && byte <= 122) return 0.03;
  if (byte >= 48 && byte <= 57) return 0.03;
  if (' ./-_=,;:"'.includes(char)) return 0.02;
  return byte >= 33 && byte < 127 ? 0.004 : 0.002;
});

/** Without texts that hold another one: where they occur, that occurs. */
function minimal(set: ReadonlySet<Bytes>): Bytes[] {
  return [...set].filter((text) => !holdsOther(text, set)).sort((one, other) => one.length - other.length);
}

function holdsOther(text: Bytes, set: ReadonlySet<Bytes>): boolean {
  for (let length = 1; length < text.length; length++) {
    for (let at = 0; at + length <= text.length; at++) if (set.has(text.slice(at, at + length))) return true;
  }
  return false;
}
