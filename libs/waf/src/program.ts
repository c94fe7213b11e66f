import { bitSet, setBit, type BitSet } from './bit-set';
import type { Bytes } from './bytes';
import type { Adjustment, RuleSet } from './compiled-rules';
import { fold, linksOf, type Folded } from './fold';
import { foregone, looksBack, type Foregone } from './foregone';
import type { Exclusion } from './plan';
import type { PhaseSets } from './phase-sets';
import type { Pattern } from './regex/pattern';
import { Recurring } from './recurring';
import { asksForCompletion, ResponsePlan } from './response-scan';
import { phases, selects, type Link, type Phase, type Rule, type RuleSelector, type Target } from './rule-set';
import { Transaction, type TransactionOptions } from './transaction';
import { filters, isSelectedBy } from './selection';
import { filterOf } from './targets';
import { foldName } from './variables/fold-name';
import { KnownValues, ValuePlan, type Want } from './value-plan';
import { variableNumber } from './variables/registry';
import type { Store } from './variables/store';

/** What is looked for in the values of one variable. */
export interface VariablePlan {
  readonly variable: number;
  /** Members of which something else is wanted than of the others, by name in lower case. */
  readonly members: ReadonlyMap<Bytes, ValuePlan | undefined>;
  readonly others: ValuePlan | undefined;
}

/** The rules of a phase, ready to be run. */
export interface PhasePlan {
  readonly phase: Phase;
  readonly rules: readonly Rule[];
  /** The link of each rule that must find its pattern before the rule is visited at all; undefined: it is always visited. */
  readonly gates: readonly (Link | undefined)[];
  /** Bit set of the places of rules that are always visited. */
  readonly always: BitSet;
  /** By place: what the rule does as long as nothing was written that it reads. */
  readonly foregone: readonly (Foregone | undefined)[];
  /** By place: what is known of a rule that does the same again for the same values. */
  readonly recurring: readonly (Recurring | undefined)[];
  /** By variable of `TX`, in lower case: places of the rules among these that read it. */
  readonly readers: ReadonlyMap<Bytes, readonly number[]>;
  /** By pattern: places of the rules that wait for it. */
  readonly waiting: readonly (readonly number[] | undefined)[];
  /** By place: where to go on when the rule matches and passes over others; -1 where it does not. */
  readonly skips: Int32Array;
  readonly scans: readonly VariablePlan[];
  /** Sets that no transaction uses now. */
  readonly spareSets: PhaseSets[];
}

/** A rule set as one route runs it: what the setup decides is decided, and what is excluded is gone. */
export class Program {
  /** What `TX` holds when a transaction begins. */
  readonly tx: Store;
  readonly pinned: ReadonlyMap<Bytes, Bytes>;
  /** How bodies of answers are looked at as they go by; undefined where a rule wants the whole of one. */
  readonly response: ResponsePlan | undefined;
  /** Whether a rule looks at what a model says in an answer. */
  readonly asksForCompletion: boolean;
  private readonly plans: ReadonlyMap<Phase, PhasePlan>;
  private readonly looksBack: boolean;
  private readonly selections = new Map<RuleSelector, BitSet>();

  constructor(
    readonly ruleSet: RuleSet,
    adjustment: Adjustment,
  ) {
    this.pinned = pinnedBy(adjustment);
    const folded = fold(excluded(ruleSet.rules, adjustment), this.pinned, (rule) => ruleSet.skipTarget(rule));
    this.tx = folded.tx;
    this.looksBack = ruleSet.rules.some(looksBack);
    const kept = [...folded.rules.values()].flat();
    this.response = ResponsePlan.of(kept, ruleSet);
    this.asksForCompletion = kept.some(asksForCompletion);
    this.plans = new Map(phases.map((phase) => [phase, this.planPhase(phase, folded)]));
  }

  begin(options: TransactionOptions): Transaction {
    return new Transaction(this, options);
  }

  phase(phase: Phase): PhasePlan {
    return this.plans.get(phase)!;
  }

  /** @returns a bit set of the numbers of the rules that a selector means. */
  selection(selector: RuleSelector): BitSet {
    const known = this.selections.get(selector);
    if (known) return known;
    const bits = bitSet(this.ruleSet.rules.length);
    for (const rule of this.ruleSet.rules) {
      if (selects(selector, rule)) setBit(bits, rule.number);
    }
    this.selections.set(selector, bits);
    return bits;
  }

  /** @returns a bit set of the numbers of the rules that exclusions mean, whatever these look at. */
  rulesOf(exclusions: readonly Exclusion[]): BitSet {
    const bits = bitSet(this.ruleSet.rules.length);
    for (const rule of this.ruleSet.rules)
      if (exclusions.some((exclusion) => isSelectedBy(exclusion, rule))) setBit(bits, rule.number);
    return bits;
  }

  private planPhase(phase: Phase, folded: Folded): PhasePlan {
    const rules = folded.rules.get(phase)!;
    const gates = rules.map((rule) => this.gateOf(rule, folded));
    const known = rules.map((rule, place) => (gates[place] ? undefined : foregone(rule, this)));
    const always = bitSet(rules.length);
    const waiting: number[][] = [];
    for (const [place, gate] of gates.entries()) {
      if (gate) (waiting[this.ruleSet.bitOf(gate)!] ??= []).push(place);
      else if (!this.isPassedOver(known[place])) setBit(always, place);
    }
    const wanting = gates.filter((gate) => gate !== undefined);
    const variables = [...new Set(wanting.flatMap(({ targets }) => targets.map(({ variable }) => variable)))];
    return {
      phase,
      rules,
      gates,
      always,
      foregone: known,
      recurring: rules.map((rule, place) =>
        Recurring.of(rule, gates[place], (variable) => isKept(variable, undefined)),
      ),
      readers: readersOf(known),
      waiting,
      skips: Int32Array.from(rules, (rule) => this.skipOf(rule, rules)),
      scans: variables.map((variable) => this.planVariable(variable, wanting)),
      spareSets: [],
    };
  }

  private isPassedOver(known: Foregone | undefined): boolean {
    return known?.isIdle === true && !(known.matched && this.looksBack);
  }

  /** A link whose pattern decides whether the rule can match: all links before it match anyway, and assign nothing. */
  private gateOf(rule: Rule, { alwaysTrue }: Folded): Link | undefined {
    for (const link of linksOf(rule)) {
      if (this.ruleSet.bitOf(link) !== undefined) return link;
      if (!alwaysTrue.has(link) || link.assignments.length > 0) return undefined;
    }
    return undefined;
  }

  private skipOf(rule: Rule, rules: readonly Rule[]): number {
    const target = this.ruleSet.skipTarget(rule);
    if (target === undefined) return -1;
    const place = rules.findIndex(({ number }) => number >= target);
    return place < 0 ? rules.length : place;
  }

  private planVariable(variable: number, gates: readonly Link[]): VariablePlan {
    const named = gates.flatMap(({ targets, filters: left }) =>
      [...targets, ...left].flatMap((each) =>
        each.variable === variable && each.member !== undefined ? [each.member] : [],
      ),
    );
    const names = new Set(variable === REQUEST_HEADERS ? [...named, ...COMMON_FIELDS] : named);
    const members = new Map([...names].map((member) => [member, this.planMember(variable, member, gates)]));
    return { variable, members, others: this.planMember(variable, undefined, gates) };
  }

  /** @param member undefined for those that no rule names */
  private planMember(variable: number, member: Bytes | undefined, gates: readonly Link[]): ValuePlan | undefined {
    const { trie, byteGroups, patterns } = this.ruleSet;
    const wants = gates
      .filter(
        (gate) =>
          gate.targets.some((target) => mayPick(target, variable, member)) && !leavesOut(gate, variable, member),
      )
      .flatMap((gate) => this.wantsOf(gate));
    if (wants.length === 0) return undefined;
    const known = isKept(variable, member) ? new KnownValues() : undefined;
    return new ValuePlan(wants, trie, byteGroups, patterns, known);
  }

  private wantsOf(gate: Link): Want[] {
    const node = this.ruleSet.nodeOf(gate);
    const bit = this.ruleSet.bitOf(gate)!;
    const least = leastOf(gate.operator!.pattern!);
    const needs = this.ruleSet.needs[bit]!;
    const nodes = gate.multiMatch ? this.ruleSet.trie.pathTo(node) : [node];
    return nodes.map((each) => ({ node: each, bit, least, needs }));
  }
}

function readersOf(known: readonly (Foregone | undefined)[]): ReadonlyMap<Bytes, readonly number[]> {
  const readers = new Map<Bytes, number[]>();
  for (const [place, each] of known.entries()) {
    for (const name of each?.reads ?? []) readers.set(name, [...(readers.get(name) ?? []), place]);
  }
  return readers;
}

/** Bytes of the shortest value a pattern can be in: of each set of required texts it needs one. */
function leastOf({ required, shortest: known = 0 }: Pattern): number {
  const shortest = required.map((texts) => texts.reduce((least, { length }) => Math.min(least, length), Infinity));
  return shortest.reduce((most, length) => Math.max(most, length), known);
}

const REQUEST_HEADERS = variableNumber('REQUEST_HEADERS')!;

/** Fields that say what a client is and can do, and nothing about who uses it. */
const COMMON_FIELDS: readonly Bytes[] = [
  'accept',
  'accept-encoding',
  'accept-language',
  'cache-control',
  'connection',
  'content-type',
  'host',
  'sec-ch-ua',
  'sec-ch-ua-mobile',
  'sec-ch-ua-platform',
  'sec-fetch-dest',
  'sec-fetch-mode',
  'sec-fetch-site',
  'sec-fetch-user',
  'upgrade-insecure-requests',
  'user-agent',
];

/** Variables that are names, or one of a few words. */
const NAMES = [
  'ARGS_NAMES',
  'ARGS_GET_NAMES',
  'REQUEST_COOKIES_NAMES',
  'REQUEST_HEADERS_NAMES',
  'REQUEST_METHOD',
  'REQUEST_PROTOCOL',
].map((name) => variableNumber(name)!);

/** Whether values of a variable may be kept to be known again: never those of arguments, of cookies, or of unknown fields. */
function isKept(variable: number, member: Bytes | undefined): boolean {
  if (variable === REQUEST_HEADERS) return member !== undefined && COMMON_FIELDS.includes(member);
  return NAMES.includes(variable);
}

/** Whether a target picks a member, or one of those that no rule names. */
function mayPick(target: Target, variable: number, member: Bytes | undefined): boolean {
  if (target.variable !== variable) return false;
  if (target.member !== undefined) return target.member === member;
  return !target.pattern || member === undefined || target.pattern.test(member);
}

function leavesOut(gate: Link, variable: number, member: Bytes | undefined): boolean {
  return gate.filters.some((filter) =>
    member === undefined
      ? filter.variable === variable && filter.member === undefined && !filter.pattern
      : filters(filter, variable, member),
  );
}

/** Names under which the releases of CRS keep what a route may set. */
function pinnedBy({ paranoia, threshold, variables = {} }: Adjustment): ReadonlyMap<Bytes, Bytes> {
  const pinned = new Map<Bytes, Bytes>();
  if (paranoia) {
    pinned.set('blocking_paranoia_level', String(paranoia.block));
    pinned.set('detection_paranoia_level', String(paranoia.detect));
    // CRS 3 has one level that decides and one that runs.
    pinned.set('paranoia_level', String(paranoia.block));
    pinned.set('executing_paranoia_level', String(paranoia.detect));
  }
  if (threshold) {
    pinned.set('inbound_anomaly_score_threshold', String(threshold.inbound));
    pinned.set('outbound_anomaly_score_threshold', String(threshold.outbound));
  }
  for (const [name, value] of Object.entries(variables)) pinned.set(foldName(name), value);
  return pinned;
}

/** Leaves out rules that are excluded as a whole, and narrows those of which a target is. */
function excluded(rules: readonly Rule[], { exclusions = [], killed = [] }: Adjustment): Rule[] {
  const all = [...exclusions, ...killed];
  if (all.length === 0) return [...rules];
  return rules.flatMap((rule) => {
    const own = all.filter((exclusion) => isSelectedBy(exclusion, rule));
    if (own.some(({ target }) => target === undefined)) return [];
    if (own.length === 0) return [rule];
    const left = own.map(({ target }) => filterOf(target!));
    return [{ ...rule, head: { ...rule.head, filters: [...rule.head.filters, ...left] } }];
  });
}
