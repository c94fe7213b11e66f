import type { Bytes, ByteSet } from '../bytes';
import { contains, empty, RegexError, rewrite, type Syntax } from './ast';
import { Backtracker } from './backtracker';
import { everyByte, foldCase } from './byte-classes';
import { LazyDfa } from './lazy-dfa';
import { leadingTexts, type Leading } from './leading';
import { shortestLength } from './lengths';
import { requiredLiterals } from './literals';
import { neededBytes } from './needs';
import { readRegex, type RegexOptions } from './parser';
import type { Captures, Pattern, RequiredLiterals } from './pattern';
import { PikeMachine } from './pike';
import { assemble, isEntangled, TooLargeError, type Program } from './program';

/**
 * Makes a pattern of a regular expression.
 * @throws RegexError
 */
export function compileRegex(source: Bytes, options: RegexOptions): RegexPattern {
  const { syntax } = readRegex(source, options);
  try {
    return isRegular(syntax) ? new RegularPattern(syntax) : new IrregularPattern(syntax);
  } catch (error) {
    if (error instanceof TooLargeError) throw new RegexError(error.message, 0, source);
    throw error;
  }
}

/** A pattern with an automaton that tells of every text in which it cannot be. */
export abstract class RegexPattern implements Pattern {
  readonly required: RequiredLiterals;
  readonly leading: Leading | undefined;
  readonly needs: readonly ByteSet[];
  readonly shortest: number;
  readonly automaton: LazyDfa;
  /** Whether all that the automaton finds is a match. */
  abstract readonly exact: boolean;

  protected constructor(
    widened: Syntax,
    readonly program: Program,
  ) {
    this.required = requiredLiterals(widened);
    this.leading = leadingTexts(widened);
    this.needs = neededBytes(widened);
    this.shortest = shortestLength(widened);
    this.automaton = new LazyDfa(program);
  }

  abstract test(value: Bytes): boolean;
  abstract exec(value: Bytes): Captures | undefined;
  execInSteps?(value: Bytes): Generator<void, Captures | undefined, void>;
}

class RegularPattern extends RegexPattern {
  readonly exact = true;
  private readonly machine: PikeMachine;

  constructor(syntax: Syntax) {
    super(syntax, assemble(syntax));
    this.machine = new PikeMachine(this.program);
  }

  test(value: Bytes): boolean {
    return this.automaton.test(value);
  }

  exec(value: Bytes): Captures | undefined {
    const start = this.automaton.earliestStart(value);
    return start === undefined ? undefined : this.machine.exec(value, start);
  }

  override *execInSteps(value: Bytes): Generator<void, Captures | undefined, void> {
    const start = yield* this.automaton.earliestStartInSteps(value);
    return start === undefined ? undefined : yield* this.machine.execInSteps(value, start);
  }
}

/** A pattern beyond automata: one that is wider says where it cannot be, and the rest is tried. */
class IrregularPattern extends RegexPattern {
  readonly exact = false;
  private readonly search: (value: Bytes) => Captures | undefined;

  constructor(syntax: Syntax) {
    const widened = widen(syntax);
    super(widened, assemble(widened));
    const program = assemble(syntax);
    if (needsTrying(syntax)) {
      const backtracker = new Backtracker(program);
      this.search = (value) => {
        const found = backtracker.exec(value);
        // Whoever writes a text on which the search gives up wants the rule to pass: it counts as found.
        return found === 'gives-up' ? [value] : found;
      };
    } else {
      const machine = new PikeMachine(program);
      this.search = (value) => machine.exec(value);
    }
  }

  test(value: Bytes): boolean {
    return this.exec(value) !== undefined;
  }

  exec(value: Bytes): Captures | undefined {
    return this.automaton.test(value) ? this.search(value) : undefined;
  }
}

function isRegular(syntax: Syntax): boolean {
  return !contains(syntax, ({ kind }) => kind === 'look' || kind === 'reference' || kind === 'atomic');
}

function needsTrying(syntax: Syntax): boolean {
  return contains(
    syntax,
    (part) => part.kind === 'reference' || part.kind === 'atomic' || (part.kind === 'look' && isEntangled(part)),
  );
}

const anything: Syntax = {
  kind: 'repeat',
  body: { kind: 'bytes', set: everyByte },
  least: 0,
  most: Infinity,
  lazy: false,
};

/** The same pattern without what automata cannot tell: it matches wherever the pattern does. */
function widen(syntax: Syntax): Syntax {
  const groups = new Map<number, Syntax>();
  contains(syntax, (part) => {
    if (part.kind === 'group') groups.set(part.number, part.body);
    return false;
  });
  const languageOf = (part: Syntax): Syntax =>
    rewrite(part, (inner) => {
      if (inner.kind === 'reference') return anything;
      if (inner.kind === 'bytes') return { kind: 'bytes', set: foldCase(inner.set) };
      if (inner.kind === 'group' || inner.kind === 'atomic') return inner.body;
      return inner.kind === 'look' || inner.kind === 'place' || inner.kind === 'unfollowed' ? empty : inner;
    });
  return rewrite(syntax, (part) => {
    if (part.kind === 'look') return empty;
    if (part.kind === 'atomic') return part.body;
    return part.kind === 'reference' ? languageOf(groups.get(part.group)!) : part;
  });
}
