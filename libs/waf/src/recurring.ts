import type { SetVariable } from './actions/effect';
import { copyOf, type Bytes } from './bytes';
import type { Exchange } from './exchange';
import { txNamesIn } from './foregone';
import type { Pattern } from './regex/pattern';
import type { Link, Rule, Target } from './rule-set';
import type { Entries } from './variables/entries';
import { variableNumber } from './variables/registry';
import type { Member, Store } from './variables/store';

/** What a rule left behind that did not match. */
interface Outcome {
  /** What it wrote in `TX`, by name in lower case and in the order of the first writing. */
  readonly writes: readonly (readonly [Bytes, Member])[];
  /** What its first link matched last; undefined where that matched nothing. */
  readonly matched: { readonly name: Bytes; readonly value: Bytes } | undefined;
  /** Values in `TX` that its second link compared with, in the order of `Recurring.reads`. */
  readonly read: readonly (Bytes | undefined)[];
}

/** Outcomes kept of one rule. */
const MOST_OUTCOMES = 64;
/** Bytes of the longest list of values whose outcome is kept. */
const LONGEST_LIST = 512;
const SEPARATOR = '\n';
/** Captures, which every rule that captures writes anew. */
const GROUP = /^\d$/;
const WHOLE_MATCH = '0';
const TX = variableNumber('TX')!;

/**
 * A rule that copies values into `TX` and compares the copies, as CRS compares names of fields with a list (920450): one link that
 * matches names and writes them down, one that looks at what was written. Clients send the same names again and again; what the rule
 * did for a list of them and did not match, it does again without being asked.
 */
export class Recurring {
  private readonly outcomes = new Map<string, Outcome>();

  private constructor(
    readonly variable: number,
    private readonly copies: readonly Pattern[],
    /** Names in `TX`, in lower case. */
    private readonly reads: readonly Bytes[],
    private readonly severity: number | undefined,
  ) {}

  /**
   * @param gate the link of the rule whose pattern is looked for in all values
   * @param isKept whether values of a variable may be kept
   * @returns undefined where more than the values of one variable decides what the rule does
   */
  static of({ head }: Rule, gate: Link | undefined, isKept: (variable: number) => boolean): Recurring | undefined {
    const variable = copiedBy(head, gate);
    if (variable === undefined || !isKept(variable) || !head.next) return undefined;
    const copies = comparedBy(head.next);
    const reads = txNamesIn(head.next.operatorText);
    return copies && reads && new Recurring(variable, copies, reads, head.severity);
  }

  /**
   * Does again what the rule did for the same values, or asks it and keeps what it did.
   * @param ask whether the rule matches
   */
  matches(exchange: Exchange, ask: () => boolean): boolean {
    const key = this.keyOf(exchange.entriesOf(this.variable));
    if (key === undefined || this.hasCopies(exchange.tx)) return ask();
    const known = this.outcomes.get(key);
    if (!known || !this.comparesAlike(known, exchange.tx)) return this.learn(key, exchange, ask);
    this.repeat(known, exchange);
    return false;
  }

  private repeat({ writes, matched }: Outcome, exchange: Exchange): void {
    const { tx, matches } = exchange;
    for (const [name, member] of writes) tx.put(name, member);
    if (!matched) return;
    matches.value = matched.value;
    matches.name = matched.name;
    if (this.severity !== undefined) exchange.highestSeverity = Math.min(exchange.highestSeverity, this.severity);
  }

  private learn(key: string, { tx, matches }: Exchange, ask: () => boolean): boolean {
    const written = new Set<Bytes>();
    const { onWrite } = tx;
    tx.onWrite = (name) => {
      written.add(name);
      onWrite?.(name);
    };
    const before = matches.value;
    matches.value = undefined;
    const matched = ask();
    tx.onWrite = onWrite;
    const { name, value } = matches;
    matches.value ??= before;
    if (matched || ![...written].every((each) => GROUP.test(each) || this.isCopy(each))) return matched;
    if (this.outcomes.size >= MOST_OUTCOMES) this.outcomes.clear();
    this.outcomes.set(copyOf(key), {
      writes: [...written].map((each) => [copyOf(each), copyOfMember(tx.written.get(each)!)]),
      matched: value === undefined ? undefined : { name: copyOf(name), value: copyOf(value) },
      read: this.reads.map((each) => copyOfKnown(tx.getFolded(each))),
    });
    return false;
  }

  /** @returns undefined for values of which nothing is kept */
  private keyOf({ names, values }: Entries): string | undefined {
    if (names !== undefined && names !== values) return undefined;
    let length = values.length;
    for (const value of values) {
      length += value.length;
      if (length > LONGEST_LIST || value.includes(SEPARATOR)) return undefined;
    }
    return values.join(SEPARATOR);
  }

  private comparesAlike({ read }: Outcome, tx: Store): boolean {
    return this.reads.every((name, at) => tx.getFolded(name) === read[at]);
  }

  private hasCopies(tx: Store): boolean {
    return this.copies.some((pattern) => tx.countMatching(pattern) > 0);
  }

  private isCopy(folded: Bytes): boolean {
    return this.copies.some((pattern) => pattern.test(folded));
  }
}

/** @returns the variable all of whose values the first link copies into `TX`; undefined where it does anything else */
function copiedBy(head: Link, gate: Link | undefined): number | undefined {
  const [target, ...others] = head.targets;
  if (head !== gate || !target || others.length > 0 || !isWhole(target)) return undefined;
  if (head.filters.length > 0 || head.effects.length > 0 || head.negated || !head.capture) return undefined;
  return head.assignments.every(isCopying) ? target.variable : undefined;
}

function isWhole({ member, pattern, counted }: Target): boolean {
  return member === undefined && pattern === undefined && !counted;
}

/** Whether what is written follows from the value alone. Other groups than the first may be of a match before. */
function isCopying({ store, operation, name, value }: SetVariable): boolean {
  const names = [name, value].map(txNamesIn);
  return store === 'TX' && operation === 'set' && names.every((each) => each?.every((one) => one === WHOLE_MATCH));
}

/** @returns by what names the second link finds the copies; undefined where it looks at anything else */
function comparedBy({ operator, targets, filters, capture, next }: Link): readonly Pattern[] | undefined {
  if (!operator || filters.length > 0 || capture || next) return undefined;
  const patterns = targets.map(({ variable, pattern, counted }) => (variable === TX && !counted ? pattern : undefined));
  return patterns.every((pattern) => pattern !== undefined) ? patterns : undefined;
}

function copyOfMember({ name, value }: Member): Member {
  return { name: copyOf(name), value: copyOf(value) };
}

function copyOfKnown(text: Bytes | undefined): Bytes | undefined {
  return text === undefined ? undefined : copyOf(text);
}
