import type { Bytes } from '../bytes';
import type { RegexPattern } from './compile-regex';
import { LazyDfa, Search, StatePool } from './lazy-dfa';
import { join } from './program';

/** New transitions between two places at which others may have their turn. */
const TRANSITIONS_AT_ONCE = 64;
/** New transitions one text may cost while all patterns are looked for together; from there on each is looked for by itself. */
const MOST_TRANSITIONS = 1024;

/** Bytes of the states of one joint automaton. */
const JOINT_BYTES = 4 * 1024 * 1024;

/**
 * Expressions that are looked for together, in one pass over a text that arrives in pieces. Their common automaton meets states
 * that no single one has, so that it is for texts in which none of them is found, and of which it knows most states already: at
 * the first that is found, or when the text brings too much that is new, its state is taken apart, and each goes on by itself.
 */
export class JointAutomaton {
  private readonly automaton: LazyDfa;
  /** By pattern: number of its first node; at the end that of the node after all of them. */
  private readonly bases: readonly number[];

  /** @param patterns `exact` ones */
  constructor(readonly patterns: readonly RegexPattern[]) {
    const { program, bases } = join(patterns.map(({ program: own }) => own));
    this.automaton = new LazyDfa(program, new StatePool(JOINT_BYTES));
    this.bases = bases;
  }

  begin(): JointSearch {
    return new JointSearch(this);
  }

  /** @returns up to where it has read */
  advance(search: Search, text: Bytes, at: number, last: boolean): number {
    return this.automaton.advance(search, text, at, last, text.length, TRANSITIONS_AT_ONCE);
  }

  /** @returns for each pattern a search that stands where the common one stands, or stood before the byte that decided it */
  takeApart(search: Search): Search[] {
    return this.patterns.map((_, index) => {
      const own = new Search();
      if (search.found && search.decidedAt < 0) return own;
      const base = this.bases[index]!;
      own.begun = true;
      own.before = search.before;
      own.nodes = search.nodes
        .filter((node) => node >= base && node < this.bases[index + 1]!)
        .map((node) => node - base);
      return own;
    });
  }
}

/** How far the patterns of a joint automaton were looked for in one text. */
export class JointSearch {
  private readonly together = new Search();
  private transitions = 0;
  /** By pattern, since the common search was taken apart. */
  private apart: Search[] | undefined;

  constructor(private readonly joint: JointAutomaton) {}

  /**
   * Reads a piece of the text; to be run to its end before the next.
   * @param last whether the text ends with it
   * @param found told the numbers of patterns found in it, each once in a text
   */
  *read(text: Bytes, last: boolean, found: (pattern: number) => void): Generator<void, void, void> {
    if (this.joint.patterns.length === 0) return;
    const from = this.apart ? 0 : yield* this.readTogether(text, last);
    for (const [index, search] of (this.apart ?? []).entries()) {
      if (search.done) continue;
      yield* this.readApart(this.joint.patterns[index]!, search, text, from, last);
      if (search.found) found(index);
    }
  }

  /** @returns up to where all patterns have been looked for */
  private *readTogether(text: Bytes, last: boolean): Generator<void, number, void> {
    const { together, joint } = this;
    let at = 0;
    while (!together.done && (last || at < text.length)) {
      at = joint.advance(together, text, at, last);
      if (together.done || (!last && at === text.length)) break;
      this.transitions += TRANSITIONS_AT_ONCE;
      if (this.transitions >= MOST_TRANSITIONS) {
        this.apart = joint.takeApart(together);
        return at;
      }
      yield;
    }
    if (!together.found) return text.length;
    this.apart = joint.takeApart(together);
    return Math.max(0, together.decidedAt);
  }

  private *readApart(
    { automaton }: RegexPattern,
    search: Search,
    text: Bytes,
    from: number,
    last: boolean,
  ): Generator<void, void, void> {
    let at = from;
    while (!search.done && (last || at < text.length)) {
      at = automaton.advance(search, text, at, last, text.length, TRANSITIONS_AT_ONCE);
      yield;
    }
  }
}
