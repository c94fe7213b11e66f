import type { ByteSet, Bytes } from '../bytes';
import type { Syntax } from './ast';
import { membersOf } from './byte-classes';
import type { RequiredLiterals } from './pattern';

/** Texts of one set, at most: more are seldom worth it. */
const MOST_TEXTS = 600;
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
  /** Of each set one text occurs in all of them. */
  readonly required: readonly ReadonlySet<Bytes>[];
}

/** @returns sets of texts, folded to lower case, of each of which one occurs wherever the pattern matches; the rarest ones */
export function requiredLiterals(syntax: Syntax): RequiredLiterals {
  const { texts, required } = knowledgeOf(syntax);
  const sets: Bytes[][] = [];
  let frequency = 1;
  for (const set of worthwhile(texts ? [...required, texts] : required)) {
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
    case 'look':
      return { texts: new Set(['']), required: [] };
    case 'reference':
      return { texts: undefined, required: [] };
  }
}

function bytesKnowledge(set: ByteSet): Knowledge {
  const members = new Set(membersOf(set).map((byte) => (byte >= 65 && byte <= 90 ? byte + 32 : byte)));
  if (members.size > MOST_MEMBERS) return { texts: undefined, required: [] };
  return { texts: new Set([...members].map((byte) => String.fromCharCode(byte))), required: [] };
}

function repeatKnowledge({ body, least, most }: Extract<Syntax, { kind: 'repeat' }>): Knowledge {
  const inner = knowledgeOf(body);
  if (most <= 4 && inner.texts && least === most) return sequenceKnowledge(new Array<Knowledge>(least).fill(inner));
  if (least === 0) {
    const texts = most === 1 && inner.texts ? new Set(['', ...inner.texts]) : undefined;
    return { texts, required: [] };
  }
  const once = sequenceKnowledge(new Array<Knowledge>(Math.min(least, 4)).fill(inner));
  return { texts: undefined, required: withTexts(once) };
}

function choiceKnowledge(options: readonly Knowledge[]): Knowledge {
  const all = options.every(({ texts }) => texts !== undefined);
  const texts = all ? union(options.map((option) => option.texts!)) : undefined;
  if (texts && texts.size <= MOST_TEXTS) return { texts, required: [] };
  // One set for all: of each option the set that is rarest.
  const rarest = options.map((option) => worthwhile(withTexts(option))[0]);
  if (rarest.some((set) => set === undefined)) return { texts: undefined, required: [] };
  return { texts: undefined, required: [union(rarest.map((set) => set!))] };
}

function sequenceKnowledge(parts: readonly Knowledge[]): Knowledge {
  const required: ReadonlySet<Bytes>[] = [];
  let run: ReadonlySet<Bytes> = new Set(['']);
  let whole = true;
  for (const part of parts) {
    required.push(...part.required);
    const longer = part.texts && product(run, part.texts);
    if (longer) {
      run = longer;
      continue;
    }
    whole = false;
    required.push(run);
    run = part.texts ?? new Set(['']);
  }
  if (whole) return { texts: run, required };
  required.push(run);
  return { texts: undefined, required };
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

function withTexts({ texts, required }: Knowledge): readonly ReadonlySet<Bytes>[] {
  return texts ? [...required, texts] : required;
}

function union(sets: readonly ReadonlySet<Bytes>[]): ReadonlySet<Bytes> {
  return new Set(sets.flatMap((set) => [...set]));
}

/** The rarest first, without those that are found in any text. */
function worthwhile(sets: readonly ReadonlySet<Bytes>[]): readonly ReadonlySet<Bytes>[] {
  return sets
    .map((set) => ({ set, frequency: frequencyOf(set) }))
    .filter(({ set, frequency }) => !set.has('') && frequency < MOST_FREQUENT && set.size <= MOST_TEXTS)
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
function byteFrequency(byte: number): number {
  const char = String.fromCharCode(byte);
  if ('eaiotnsr'.includes(char)) return 0.065;
  if (byte >= 97 && byte <= 122) return 0.03;
  if (byte >= 48 && byte <= 57) return 0.03;
  if (' ./-_=,;:"'.includes(char)) return 0.02;
  return byte >= 33 && byte < 127 ? 0.004 : 0.002;
}

/** Without texts that hold another one: where they occur, that occurs. */
function minimal(set: ReadonlySet<Bytes>): Bytes[] {
  const texts: Bytes[] = [];
  for (const text of [...set].sort((one, other) => one.length - other.length)) {
    if (!texts.some((shorter) => text.includes(shorter))) texts.push(text);
  }
  return texts;
}
