import type { SetVariable } from './actions/effect';
import type { Bytes } from './bytes';
import type { OperatorContext } from './operators/operator';
import { phases, selects, type Link, type Rule, type RuleSelector, type Target } from './rule-set';
import type { Macro } from './seclang/macro';
import { foldName } from './variables/fold-name';
import { variableNumber } from './variables/registry';
import { Store } from './variables/store';

/** What is left of a rule set when everything is done that needs no request. */
export interface Folded {
  /** Rules that need a request, by phase and in the order of the files. */
  readonly rules: ReadonlyMap<number, readonly Rule[]>;
  /** What `TX` holds when a transaction begins. */
  readonly tx: Store;
  /** Links that match whatever the request. */
  readonly alwaysTrue: ReadonlySet<Link>;
}

type Known = { readonly value: Bytes | undefined };
type Truth = boolean | undefined;

const TX = variableNumber('TX')!;

/**
 * Runs the rules that only look at variables the setup has written: defaults are set, paranoia gates are passed, and the rules
 * they pass over vanish. Rules run in one order with jumps forward only, so one walk along them finds out what is known at each.
 * @param pinned values of `TX` that no rule may change, by name in lower case
 * @param skipTarget number of the rule at which a rule that matched goes on, when it passes over others
 */
export function fold(
  rules: readonly Rule[],
  pinned: ReadonlyMap<Bytes, Bytes>,
  skipTarget: (rule: Rule) => number | undefined,
): Folded {
  const folding = new Folding(pinned, skipTarget);
  const kept = new Map(phases.map((phase) => [phase, folding.walk(rules.filter((rule) => rule.phase === phase))]));
  return { rules: kept, tx: folding.base, alwaysTrue: folding.alwaysTrue };
}

class Folding implements OperatorContext {
  readonly base = new Store();
  readonly alwaysTrue = new Set<Link>();
  /** Keys a rule may have written when a request is there; `undefined` in `unknownPrefixes` never occurs. */
  private readonly unknown = new Set<Bytes>();
  private readonly unknownPrefixes: Bytes[] = [];
  /** Keys that rules which were kept look at: what is written after them must be written in its place. */
  private readonly read = new Set<Bytes>();
  private readsAll = false;
  private readonly removals: RuleSelector[] = [];
  /** Rules below this number may be passed over, depending on the request. */
  private conditionalUntil = 0;
  private failed = false;

  constructor(
    private readonly pinned: ReadonlyMap<Bytes, Bytes>,
    private readonly skipTarget: (rule: Rule) => number | undefined,
  ) {
    for (const [name, value] of pinned) this.base.set(name, value);
  }

  walk(rules: readonly Rule[]): Rule[] {
    const kept: Rule[] = [];
    this.conditionalUntil = 0;
    for (let at = 0; at < rules.length; at++) {
      const rule = rules[at]!;
      const truth = this.truthOf(rule.head);
      if (truth === false) continue;
      const target = this.skipTarget(rule);
      if (truth === true && this.canRunNow(rule, rules, at, target)) {
        for (const link of linksOf(rule)) for (const assignment of link.assignments) this.assign(assignment);
        if (target !== undefined) while (at + 1 < rules.length && rules[at + 1]!.number < target) at++;
        continue;
      }
      kept.push(rule);
      this.forget(rule, target);
    }
    return kept;
  }

  /** A macro of the operator or of an assignment; sets `failed` where its value depends on the request. */
  expand(text: Macro): Bytes {
    return text.parts
      .map((part) => {
        if (typeof part === 'string') return part;
        const known = part.variable === 'TX' && part.member !== undefined ? this.lookUp(part.member) : undefined;
        if (!known) this.failed = true;
        return known?.value ?? '';
      })
      .join('');
  }

  /** Whether a rule always, never or perhaps matches. */
  private truthOf(head: Link): Truth {
    let all: Truth = true;
    for (let link: Link | undefined = head; link; link = link.next) {
      const truth = this.linkTruth(link);
      if (truth === true && all === true) this.alwaysTrue.add(link);
      else this.alwaysTrue.delete(link);
      // What links before it assign stays assigned when this one fails.
      if (truth === false && (link === head || all === true) && !assignsBefore(head, link)) return false;
      if (truth !== true) all = undefined;
    }
    return all;
  }

  private linkTruth(link: Link): Truth {
    if (!link.operator) return true;
    if (link.filters.length > 0 || link.multiMatch || link.capture) return undefined;
    this.failed = false;
    let matches = false;
    for (const target of link.targets) {
      const values = this.valuesOf(target);
      if (!values) return undefined;
      for (const value of values) {
        const form = link.transformations.reduce((text, each) => each.apply(text), value);
        if (link.operator.test(form, this) !== link.negated) matches = true;
      }
    }
    if (!this.isKnownText(link.operatorText)) return undefined;
    return this.failed ? undefined : matches;
  }

  private isKnownText(text: Macro): boolean {
    this.failed = false;
    this.expand(text);
    return !this.failed;
  }

  private valuesOf({ variable, member, counted }: Target): Bytes[] | undefined {
    if (variable !== TX || member === undefined) return undefined;
    const known = this.lookUp(member);
    if (!known) return undefined;
    if (counted) return [known.value === undefined ? '0' : '1'];
    return known.value === undefined ? [] : [known.value];
  }

  private lookUp(name: Bytes): Known | undefined {
    const key = foldName(name);
    if (this.unknown.has(key) || this.unknownPrefixes.some((prefix) => key.startsWith(prefix))) return undefined;
    return { value: this.base.getFolded(key) };
  }

  /** Whether a rule that always matches leaves nothing to be done when a request comes. */
  private canRunNow(rule: Rule, rules: readonly Rule[], at: number, target: number | undefined): boolean {
    if (rule.number < this.conditionalUntil || rule.logs || rule.disruption !== 'pass') return false;
    const links = linksOf(rule);
    if (links.some(({ effects }) => effects.some((effect) => effect.skipAfter === undefined))) return false;
    const assignments = links.flatMap((link) => link.assignments);
    if (assignments.length > 0 && (rule.phase !== 1 || !assignments.every((each) => this.canAssignNow(each))))
      return false;
    const passedOver = target === undefined ? [] : rules.slice(at + 1).filter(({ number }) => number < target);
    return !this.removals.some(
      (removal) =>
        selects(removal, rule) && (assignments.length > 0 || !passedOver.every((each) => selects(removal, each))),
    );
  }

  private canAssignNow({ store, name, value }: SetVariable): boolean {
    if (store !== 'TX' || name.constant === undefined || !this.isKnownText(value)) return false;
    const key = foldName(name.constant);
    return this.lookUp(key) !== undefined && !this.readsAll && !this.read.has(key);
  }

  private assign(assignment: SetVariable): void {
    const name = assignment.name.constant!;
    const folded = foldName(name);
    if (this.pinned.has(folded)) return;
    assignTo(this.base, name, folded, assignment.operation, this.expand(assignment.value));
  }

  /** A rule that is kept may do what it does, or not. */
  private forget(rule: Rule, target: number | undefined): void {
    for (const link of linksOf(rule)) {
      link.targets.forEach((each) => this.noteTarget(each));
      [link.operatorText, link.message, link.logData].forEach((each) => this.noteMacro(each));
      for (const { store, name, value } of link.assignments) {
        this.noteMacro(name);
        this.noteMacro(value);
        if (store === 'TX') this.forgetName(name);
      }
      if (link.capture) for (let group = 0; group < 10; group++) this.unknown.add(String(group));
      for (const { removes } of link.effects) if (removes) this.removals.push(removes);
    }
    if (target !== undefined) this.conditionalUntil = Math.max(this.conditionalUntil, target);
    if (rule.disruption.startsWith('allow')) this.conditionalUntil = Infinity;
  }

  private forgetName(name: Macro): void {
    const [first] = name.parts;
    if (name.constant !== undefined) this.unknown.add(foldName(name.constant));
    else this.unknownPrefixes.push(typeof first === 'string' ? foldName(first) : '');
  }

  private noteTarget({ variable, member }: Target): void {
    if (variable !== TX) return;
    if (member === undefined) this.readsAll = true;
    else this.read.add(member);
  }

  private noteMacro(text: Macro | undefined): void {
    for (const part of text?.parts ?? []) {
      if (typeof part === 'string' || part.variable !== 'TX') continue;
      if (part.member === undefined) this.readsAll = true;
      else this.read.add(foldName(part.member));
    }
  }
}

export function linksOf({ head }: Rule): Link[] {
  const links: Link[] = [];
  for (let link: Link | undefined = head; link; link = link.next) links.push(link);
  return links;
}

function assignsBefore(head: Link, last: Link): boolean {
  for (let link = head; link !== last; link = link.next!) if (link.assignments.length > 0) return true;
  return false;
}

/**
 * Does what `setvar` says. Sums are those of whole numbers at the start of both texts, 0 where there is none.
 * @param folded the name in lower case
 */
export function assignTo(
  store: Store,
  name: Bytes,
  folded: Bytes,
  operation: SetVariable['operation'],
  value: Bytes,
): void {
  if (operation === 'delete') store.delete(name);
  else if (operation === 'set') store.set(name, value, folded);
  else {
    const before = leadingInteger(store.getFolded(folded) ?? '');
    const change = leadingInteger(value);
    store.set(name, String(operation === 'add' ? before + change : before - change), folded);
  }
}

/** As `stoi` reads: white space, a sign, digits; out of 32 bits counts as none. */
export function leadingInteger(text: Bytes): number {
  const number = Number.parseInt(text, 10);
  return Number.isNaN(number) || number > 0x7fffffff || number < -0x80000000 ? 0 : number;
}
