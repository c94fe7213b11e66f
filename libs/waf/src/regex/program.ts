import { ByteSet, type Bytes } from '../bytes';
import { contains, mayBeEmpty, Place, type Look, type Syntax } from './ast';
import { partition, wordBytes, type Partition } from './byte-classes';

/** What a node of an automaton does before the run goes on at its `out`. */
export const enum Step {
  /** Takes a byte of the set numbered `detail`. */
  Bytes,
  /** Goes on at `out`, and where that fails at `other`. */
  Split,
  /** Goes on where the `Place` in `detail` is. */
  Place,
  /** Goes on where no byte of the set numbered `detail` follows. */
  Unfollowed,
  /** Notes the place in slot `detail`. */
  Save,
  /** Goes on where the lookaround numbered `detail` says so. */
  Look,
  /** Takes what the group numbered `detail` took. */
  Reference,
  /** Runs the nodes from `other` on, and forgets what else they could have been. */
  Atomic,
  /** Notes in mark `detail` where a round of a loop begins. */
  Mark,
  /** Ends a round: leaves by `other` where it took nothing since mark `detail`. */
  Progress,
  Match,
}

const MOST_NODES = 200_000;
/** Two for each of the ten groups that rules can refer to. */
const REPORTED_SLOTS = 20;

export interface LookProgram {
  readonly syntax: Look;
  /** Of the body; reversed for what lies ahead, unless it is `entangled`. */
  readonly program: Program;
  /** Whether it captures, refers to groups or holds atomic parts, so that one bit per position does not do. */
  readonly entangled: boolean;
}

/** Whether a byte of the set that a node names stands at a place. @param at bytes before it */
export function isFollowed({ details, members, classes }: Program, node: number, value: Bytes, at: number): boolean {
  if (at >= value.length) return false;
  return members[details[node]! * classes.count + classes.classOf[value.charCodeAt(at) & 0xff]!] === 1;
}

/** A nondeterministic automaton over byte classes. Node numbers mean nothing; `start` is where a match begins. */
export interface Program {
  readonly start: number;
  readonly size: number;
  readonly steps: Uint8Array;
  readonly details: Int32Array;
  readonly outs: Int32Array;
  readonly others: Int32Array;
  /** Of references: whether letters of either case are the same. */
  readonly folds: Uint8Array;
  readonly classes: Partition;
  /** By set and class, `classes.count` a row: whether the set has it. */
  readonly members: Uint8Array;
  /** By set: some byte of each class is enough to ask, so only the set itself is kept. */
  readonly sets: readonly ByteSet[];
  readonly slots: number;
  readonly marks: number;
  readonly looks: readonly LookProgram[];
  readonly places: ReadonlySet<Place>;
}

export class TooLargeError extends Error {
  constructor() {
    super(`the pattern needs an automaton of more than ${MOST_NODES} nodes`);
  }
}

/**
 * @param reversed makes the automaton of the same texts read from their ends
 * @throws TooLargeError
 */
export function assemble(syntax: Syntax, reversed = false): Program {
  return new Assembler(reversed).assemble(syntax);
}

class Assembler {
  private readonly steps: Step[] = [];
  private readonly details: number[] = [];
  private readonly outs: number[] = [];
  private readonly others: number[] = [];
  private readonly folds: number[] = [];
  private readonly sets: ByteSet[] = [];
  private readonly setNumbers = new Map<ByteSet, number>();
  private readonly setsByKey = new Map<string, number>();
  private readonly looks: LookProgram[] = [];
  private readonly places = new Set<Place>();
  /** Whether the pattern refers to its groups, so that those beyond the ninth count too. */
  private referring = false;
  private slots = 2;
  private marks = 0;

  constructor(private readonly reversed: boolean) {}

  assemble(syntax: Syntax): Program {
    this.referring = contains(syntax, ({ kind }) => kind === 'reference');
    const start = this.compile(syntax, this.node(Step.Match));
    const classes = partition([...this.sets, ...this.placeSets()]);
    return {
      start,
      size: this.steps.length,
      steps: Uint8Array.from(this.steps),
      details: Int32Array.from(this.details),
      outs: Int32Array.from(this.outs),
      others: Int32Array.from(this.others),
      folds: Uint8Array.from(this.folds),
      classes,
      members: this.membersBy(classes),
      sets: this.sets,
      slots: this.slots,
      marks: this.marks,
      looks: this.looks,
      places: this.places,
    };
  }

  /** Sets that places tell apart. */
  private placeSets(): ByteSet[] {
    const sets: ByteSet[] = [];
    if (this.places.has(Place.WordBoundary) || this.places.has(Place.NoWordBoundary)) sets.push(wordBytes);
    if ([Place.LineStart, Place.LineEnd, Place.FinalEnd].some((place) => this.places.has(place))) {
      sets.push(ByteSet.of('\n'));
    }
    return sets;
  }

  private membersBy({ classOf, count }: Partition): Uint8Array {
    const members = new Uint8Array(this.sets.length * count);
    this.sets.forEach((set, number) => {
      for (let byte = 0; byte < 256; byte++) if (set.has(byte)) members[number * count + classOf[byte]!] = 1;
    });
    return members;
  }

  private node(step: Step, detail = 0, out = -1, other = -1): number {
    if (this.steps.length >= MOST_NODES) throw new TooLargeError();
    this.folds.push(0);
    this.details.push(detail);
    this.outs.push(out);
    this.others.push(other);
    return this.steps.push(step) - 1;
  }

  private numberOf(set: ByteSet): number {
    let number = this.setNumbers.get(set);
    if (number !== undefined) return number;
    const { key } = set;
    number = this.setsByKey.get(key) ?? this.sets.push(set) - 1;
    this.setsByKey.set(key, number);
    this.setNumbers.set(set, number);
    return number;
  }

  /** @returns the node at which a text of the syntax begins that goes on at `next` */
  private compile(syntax: Syntax, next: number): number {
    switch (syntax.kind) {
      case 'sequence':
        return this.reversed
          ? syntax.parts.reduce((after, part) => this.compile(part, after), next)
          : syntax.parts.reduceRight((after, part) => this.compile(part, after), next);
      case 'choice':
        return this.choice(syntax.options, next);
      case 'bytes':
        return this.node(Step.Bytes, this.numberOf(syntax.set), next);
      case 'place':
        this.places.add(syntax.place);
        return this.node(Step.Place, syntax.place, next);
      case 'unfollowed':
        return this.node(Step.Unfollowed, this.numberOf(syntax.set), next);
      case 'group':
        return this.group(syntax.number, syntax.body, next);
      case 'repeat':
        return this.repeat(syntax, next);
      case 'look':
        return this.look(syntax, next);
      case 'reference': {
        const node = this.node(Step.Reference, syntax.group, next);
        this.folds[node] = syntax.folded ? 1 : 0;
        return node;
      }
      case 'atomic': {
        const body = this.compile(syntax.body, this.node(Step.Match));
        return this.node(Step.Atomic, 0, next, body);
      }
    }
  }

  private choice(options: readonly Syntax[], next: number): number {
    const starts = options.map((option) => this.compile(option, next));
    return starts.reduceRight((rest, start) => this.node(Step.Split, 0, start, rest));
  }

  private group(number: number, body: Syntax, next: number): number {
    const slot = number * 2;
    if (slot >= REPORTED_SLOTS && !this.referring) return this.compile(body, next);
    this.slots = Math.max(this.slots, slot + 2);
    return this.node(Step.Save, slot, this.compile(body, this.node(Step.Save, slot + 1, next)));
  }

  private repeat({ body, least, most, lazy }: Extract<Syntax, { kind: 'repeat' }>, next: number): number {
    let after = next;
    if (most === Infinity) after = this.loop(body, lazy, next, least === 0);
    else for (let count = least; count < most; count++) after = this.either(this.compile(body, after), next, lazy);
    const fixed = most === Infinity ? Math.max(0, least - 1) : least;
    for (let count = 0; count < fixed; count++) after = this.compile(body, after);
    return after;
  }

  private either(body: number, next: number, lazy: boolean): number {
    return lazy ? this.node(Step.Split, 0, next, body) : this.node(Step.Split, 0, body, next);
  }

  /**
   * One round or more, or none where it may be skipped. A body that may be empty is left after a round that took nothing, with
   * its groups set, as PCRE does: `(a*)*` sets its group on `b`.
   */
  private loop(body: Syntax, lazy: boolean, next: number, skippable: boolean): number {
    const split = this.node(Step.Split);
    let start: number;
    if (mayBeEmpty(body)) {
      const mark = this.marks++;
      start = this.node(Step.Mark, mark, this.compile(body, this.node(Step.Progress, mark, split, next)));
    } else start = this.compile(body, split);
    this.outs[split] = lazy ? next : start;
    this.others[split] = lazy ? start : next;
    if (!skippable) return start;
    return mayBeEmpty(body) ? this.either(start, next, lazy) : split;
  }

  private look(syntax: Look, next: number): number {
    const entangled = isEntangled(syntax);
    const program = assemble(syntax.body, !syntax.behind && !entangled);
    // It shares the groups of the pattern around it.
    this.slots = Math.max(this.slots, program.slots);
    const number = this.looks.push({ syntax, program, entangled }) - 1;
    return this.node(Step.Look, number, next);
  }
}

/** Whether one pass does not answer a lookaround for all places: it refers to groups, holds atomic parts, or sets groups. */
export function isEntangled({ body, negative }: Look): boolean {
  return contains(body, ({ kind }) => kind === 'reference' || kind === 'atomic' || (kind === 'group' && !negative));
}
