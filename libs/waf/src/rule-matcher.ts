import type { Controls, SetVariable } from './actions/effect';
import type { Bytes } from './bytes';
import type { Exchange } from './exchange';
import { assignTo } from './fold';
import type { Foregone } from './foregone';
import type { Program } from './program';
import type { Captures } from './regex/pattern';
import type { Removals } from './removals';
import type { ResponseScan } from './response-scan';
import type { Link, Rule, Target, TargetFilter } from './rule-set';
import { filters } from './selection';
import type { Scan } from './value-scanner';
import { Entries } from './variables/entries';
import { foldName } from './variables/fold-name';
import { variableNumber, variables } from './variables/registry';

/** By number of the variable and index of a value: what the phase that is running has found in it. */
export type Scans = ((Scan | undefined)[] | undefined)[];

/** Groups of values from this length on are looked for in steps. */
const LONG = 8192;
const TX = variableNumber('TX')!;
const RESPONSE_BODY = variableNumber('RESPONSE_BODY')!;
const GROUP_NAMES = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'] as const;

/** Tells whether a rule matches an exchange, and does what it does at each value and link that does. */
export class RuleMatcher {
  /** Bytes that were read since this was set to zero. */
  read = 0;
  /** What is known of the answer's body, where it is looked at as it goes by. */
  response: ResponseScan | undefined;

  constructor(
    private readonly program: Program,
    private readonly exchange: Exchange,
    private readonly removals: Removals,
    private readonly scans: Scans,
    private readonly controls: Controls,
  ) {}

  /**
   * @param gate the link whose pattern the phase has looked for in all values already
   * @returns whether the rule matches, its whole chain with it
   */
  matches(rule: Rule, gate: Link | undefined): boolean {
    const { evaluation, matches } = this.exchange;
    evaluation.begin(rule);
    if (matches.values.length > 0) {
      matches.values.length = 0;
      matches.names.length = 0;
    }
    return this.matchChain(rule.head, gate);
  }

  /** Does what a rule does that is foregone. */
  conclude({ writes, matched }: Foregone): void {
    const { tx, matches } = this.exchange;
    for (const [name, member] of writes) tx.put(name, member);
    if (!matched) return;
    matches.value = matched.value;
    matches.name = matched.name;
  }

  /**
   * Looks for the groups of long values before the rule asks for them, with places in between at which others may have their turn.
   * @param gate as for `matches`
   */
  *prepare(gate: Link): Generator<void, void, void> {
    const pattern = gate.operator?.pattern;
    if (!gate.capture || !pattern?.execInSteps) return;
    const { ruleSet } = this.program;
    const node = ruleSet.nodeOf(gate);
    const bit = ruleSet.bitOf(gate)!;
    for (const { variable } of gate.targets) {
      for (const scan of this.scans[variable] ?? []) {
        if (!scan || scan.value.length < LONG || !scan.has(node, bit)) continue;
        yield* scan.prepareGroups(node, bit, (form) => pattern.execInSteps!(form));
      }
    }
  }

  private matchChain(link: Link, gate: Link | undefined): boolean {
    if (!this.matchLink(link, gate)) return false;
    if (!(link.negated && link.capture)) this.word(link);
    if (link.next && !this.matchChain(link.next, gate)) return false;
    for (const effect of link.effects) effect.run(this.controls);
    return true;
  }

  private matchLink(link: Link, gate: Link | undefined): boolean {
    if (!link.operator) {
      this.perform(link);
      return true;
    }
    const left = this.removals.filtersOf(this.exchange.evaluation.rule, link);
    let matched = false;
    for (const target of link.targets) {
      if (target.counted) {
        if (this.matchValue(link, target.text, this.countOf(target))) matched = true;
      } else if (target.variable === TX && target.member !== undefined) {
        if (this.matchMember(link, target.member, left)) matched = true;
      } else if (this.response && target.variable === RESPONSE_BODY) {
        if (this.matchResponse(link, left, this.response)) matched = true;
      } else if (link === gate) {
        if (this.matchScans(link, target, left)) matched = true;
      } else if (this.matchEntries(link, target, left)) matched = true;
    }
    return matched;
  }

  private matchMember(link: Link, member: Bytes, left: readonly TargetFilter[]): boolean {
    const value = this.exchange.tx.getFolded(member);
    if (value === undefined || isLeftOut(left, TX, member)) return false;
    return this.matchValue(link, `TX:${member}`, value);
  }

  private countOf(target: Target): Bytes {
    if (target.variable === TX && target.member !== undefined) {
      return this.exchange.tx.getFolded(target.member) === undefined ? '0' : '1';
    }
    if (target.variable === TX && target.pattern) return String(this.exchange.tx.countMatching(target.pattern));
    const entries = this.exchange.entriesOf(target.variable);
    if (target.member === undefined && !target.pattern) return String(entries.values.length);
    let count = 0;
    for (const name of entries.foldedNames) if (picks(target, name)) count++;
    return String(count);
  }

  private matchEntries(link: Link, target: Target, left: readonly TargetFilter[]): boolean {
    const { variable, pattern } = target;
    const picked = variable === TX && pattern !== undefined;
    const entries = picked ? this.exchange.tx.matching(pattern) : this.exchange.entriesOf(variable);
    const picky = !picked && (target.member !== undefined || pattern !== undefined);
    const folded = picky || left.length > 0 ? entries.foldedNames : undefined;
    let matched = false;
    for (let index = 0; index < entries.values.length; index++) {
      if (picky && !picks(target, folded![index])) continue;
      if (left.length > 0 && isLeftOut(left, variable, folded![index])) continue;
      if (this.matchValue(link, '', entries.values[index]!, variable, entries, index)) matched = true;
    }
    return matched;
  }

  /** As `matchEntries`, where the pattern of the link was looked for in all values already. */
  private matchScans(link: Link, target: Target, left: readonly TargetFilter[]): boolean {
    const { variable } = target;
    const scans = this.scans[variable];
    if (!scans) return false;
    const entries = this.exchange.entriesOf(variable);
    let matched = false;
    for (let index = 0; index < scans.length; index++) {
      const scan = scans[index];
      if (!scan) continue;
      const folded = entries.foldedNames[index];
      if (!picks(target, folded) || isLeftOut(left, variable, folded)) continue;
      if (this.matchScan(link, scan, variable, entries, index)) matched = true;
    }
    return matched;
  }

  private matchResponse(link: Link, left: readonly TargetFilter[], response: ResponseScan): boolean {
    if (isLeftOut(left, RESPONSE_BODY, undefined)) return false;
    const text = response.textOf(link);
    // Such a rule passes over others and does nothing else.
    if (link.negated) return text === undefined;
    if (text === undefined) return false;
    this.take(link, 'RESPONSE_BODY', text);
    return true;
  }

  private matchScan(link: Link, scan: Scan, variable: number, entries: Entries, index: number): boolean {
    const { ruleSet } = this.program;
    const node = ruleSet.nodeOf(link);
    const bit = ruleSet.bitOf(link)!;
    if (!link.multiMatch) {
      if (!scan.has(node, bit)) return false;
      this.takeScan(link, scan, node, nameOf(variable, entries, index));
      return true;
    }
    let matched = false;
    let before: Bytes | undefined;
    for (const step of ruleSet.trie.pathTo(node)) {
      const form = scan.form(step);
      if (form !== before && scan.has(step, bit)) {
        this.takeScan(link, scan, step, nameOf(variable, entries, index));
        matched = true;
      }
      before = form;
    }
    return matched;
  }

  /**
   * Makes the forms of a value and looks at them.
   * @param name where it is no member of `entries`; otherwise it is made only where it is needed
   */
  private matchValue(
    link: Link,
    name: Bytes,
    value: Bytes,
    variable = -1,
    entries: Entries = Entries.none,
    index = 0,
  ): boolean {
    const { transformations, multiMatch } = link;
    let form = value;
    let matched = false;
    if (multiMatch && this.test(link, form)) {
      this.take(link, variable < 0 ? name : nameOf(variable, entries, index), form);
      matched = true;
    }
    for (const transformation of transformations) {
      const next = transformation.apply(form);
      if (multiMatch && next !== form && this.test(link, next)) {
        this.take(link, variable < 0 ? name : nameOf(variable, entries, index), next);
        matched = true;
      }
      form = next;
    }
    if (multiMatch || !this.test(link, form)) return matched;
    this.take(link, variable < 0 ? name : nameOf(variable, entries, index), form);
    return true;
  }

  private test(link: Link, form: Bytes): boolean {
    this.read += form.length;
    const holds = link.operator!.test(form, this.exchange);
    if (holds !== link.negated) return true;
    // What a negated operator finds is captured although the rule does not match.
    if (holds && link.capture) this.capture(link, form);
    return false;
  }

  private takeScan(link: Link, scan: Scan, node: number, name: Bytes): void {
    const { operator, capture } = link;
    const bit = this.program.ruleSet.bitOf(link)!;
    if (capture && operator?.capture) {
      this.keepGroups(scan.groups(node, bit, (form) => operator.capture!(form, this.exchange)));
    }
    this.note(link, name, scan.form(node));
  }

  /** A value matched. */
  private take(link: Link, name: Bytes, form: Bytes): void {
    if (link.capture && !link.negated) this.capture(link, form);
    this.note(link, name, form);
  }

  private note(link: Link, name: Bytes, form: Bytes): void {
    const { matches, evaluation } = this.exchange;
    // Groups, and texts that hold the value.
    this.read += form.length;
    matches.value = form;
    matches.name = name;
    matches.values.push(form);
    matches.names.push(name);
    evaluation.variable = name;
    evaluation.count++;
    this.perform(link);
  }

  private capture(link: Link, form: Bytes): void {
    this.keepGroups(link.operator!.capture?.(form, this.exchange));
  }

  private keepGroups(groups: Captures | undefined): void {
    if (!groups) return;
    for (let group = 0; group < groups.length && group < 10; group++) {
      const text = groups[group];
      if (text !== undefined) this.exchange.tx.set(GROUP_NAMES[group]!, text, GROUP_NAMES[group]);
    }
  }

  /** What a link does at each value that matches. */
  private perform(link: Link): void {
    for (const assignment of link.assignments) this.assign(assignment);
    const { severity } = link;
    if (severity !== undefined) {
      this.exchange.evaluation.severity = severity;
      this.exchange.highestSeverity = Math.min(this.exchange.highestSeverity, severity);
    }
    // What later values do to captures must not show in the text of this one.
    if (link.negated && link.capture) this.word(link);
  }

  /** Fills in what the rule says of the value that matched last. */
  private word({ message, logData }: Link): void {
    const { evaluation } = this.exchange;
    if (!evaluation.rule.logs) return;
    if (message) evaluation.messageText = this.exchange.expand(message);
    if (logData) evaluation.logData = this.exchange.expand(logData);
  }

  private assign({ store, name, operation, value }: SetVariable): void {
    const { tx, opened } = this.exchange;
    const target = store === 'TX' ? tx : opened.get(store);
    if (!target) return;
    const key = this.exchange.expand(name);
    const folded = foldName(key);
    if (store === 'TX' && this.program.pinned.has(folded)) return;
    assignTo(target, key, folded, operation, this.exchange.expand(value));
  }
}

function nameOf(variable: number, entries: Entries, index: number): Bytes {
  const { name } = variables[variable]!;
  return entries.names ? `${name}:${entries.names[index]}` : name;
}

function picks({ member, pattern }: Target, name: Bytes | undefined): boolean {
  if (member !== undefined) return name === member;
  return !pattern || (name !== undefined && pattern.test(name));
}

function isLeftOut(left: readonly TargetFilter[], variable: number, name: Bytes | undefined): boolean {
  for (const filter of left) if (filters(filter, variable, name)) return true;
  return false;
}
