import type { Controls } from './actions/effect';
import type { Bytes } from './bytes';
import { Exchange } from './exchange';
import { linksOf } from './fold';
import type { Program } from './program';
import { Removals } from './removals';
import { RuleMatcher } from './rule-matcher';
import type { Link, Rule, Target } from './rule-set';
import type { Macro } from './seclang/macro';
import { foldName } from './variables/fold-name';
import { variableNumber } from './variables/registry';
import type { Member } from './variables/store';

/**
 * What a rule does that looks at nothing but variables of `TX`, as long as none of those was written since the transaction began:
 * always the same. Rules that add up scores and compare them are such, and most requests have no score.
 */
export interface Foregone {
  /** Names of the variables it depends on, in lower case. */
  readonly reads: ReadonlySet<Bytes>;
  readonly matches: boolean;
  /** What it changes in `TX`, by name in lower case. */
  readonly writes: readonly (readonly [Bytes, Member])[];
  /** What matched last; undefined where nothing did. */
  readonly matched: { readonly name: Bytes; readonly value: Bytes } | undefined;
  /** Whether it leaves everything as it is, so that it need not be visited. */
  readonly isIdle: boolean;
}

const TX = variableNumber('TX')!;

/** Such rules write and pass over others: they have no effect that asks for a control. */
const noControls = {} as Controls;

/**
 * Finds out what a rule does at the beginning of a transaction, by running it.
 * @param program with what is in `TX` then
 * @returns undefined where it takes more than `TX` to know
 */
export function foregone(rule: Rule, program: Program): Foregone | undefined {
  const reads = readsOf(rule);
  if (!reads) return undefined;
  const exchange = new Exchange(program.tx, { requestId: '', now: () => 0 });
  const matcher = new RuleMatcher(program, exchange, new Removals(), [], noControls);
  const matches = matcher.matches(rule, undefined);
  const isQuiet = !rule.logs && (rule.disruption === 'pass' || rule.disruption === 'block');
  if (matches && !isQuiet) return undefined;
  const writes: (readonly [Bytes, Member])[] = [];
  for (const [name, member] of exchange.tx.written) {
    if (!member) return undefined;
    reads.add(name);
    if (program.tx.getFolded(name) !== member.value) writes.push([name, member]);
  }
  const { name, value } = exchange.matches;
  const matched = value === undefined ? undefined : { name, value };
  const passesOver = matches && program.ruleSet.skipTarget(rule) !== undefined;
  return { reads, matches, writes, matched, isIdle: writes.length === 0 && !passesOver };
}

/** @returns the variables of `TX` a rule looks at, in lower case; undefined where it looks at anything else, or keeps groups */
function readsOf(rule: Rule): Set<Bytes> | undefined {
  const reads = new Set<Bytes>();
  return linksOf(rule).every((link) => addReads(link, reads)) ? reads : undefined;
}

function addReads(link: Link, reads: Set<Bytes>): boolean {
  const { targets, filters, capture, severity, effects, assignments, operatorText } = link;
  if (filters.length > 0 || capture || severity !== undefined) return false;
  if (!effects.every(({ skip, skipAfter }) => skip !== undefined || skipAfter !== undefined)) return false;
  for (const { store, name, operation } of assignments) {
    if (store !== 'TX') return false;
    // What it deletes is not among what it leaves.
    if (name.constant !== undefined) reads.add(foldName(name.constant));
    else if (operation === 'delete') return false;
  }
  for (const { variable, member } of link.operator ? targets : []) {
    if (variable !== TX || member === undefined) return false;
    reads.add(member);
  }
  return [operatorText, ...assignments.flatMap(({ name, value }) => [name, value])].every((text) =>
    addReferences(text, reads),
  );
}

function addReferences(text: Macro, reads: Set<Bytes>): boolean {
  const names = txNamesIn(text);
  for (const name of names ?? []) reads.add(name);
  return names !== undefined;
}

/** @returns the variables of `TX` a text refers to, in lower case; undefined where it refers to anything else */
export function txNamesIn({ parts }: Macro): Bytes[] | undefined {
  const names: Bytes[] = [];
  for (const part of parts) {
    if (typeof part === 'string') continue;
    if (part.variable !== 'TX' || part.member === undefined) return undefined;
    names.push(part.member);
  }
  return names;
}

/** Whether a rule may ask what matched before it began. */
export function looksBack(rule: Rule): boolean {
  const { head } = rule;
  if (head.operator) return head.targets.some(isMatch) || namesMatch(head.operatorText);
  // Nothing has matched when the texts of a head without operator are filled in, and the links behind it begin.
  const links = linksOf(rule);
  return (
    rule.tags.some(namesMatch) || links.some((link) => link.targets.some(isMatch) || textsOf(link).some(namesMatch))
  );
}

function textsOf({ operatorText, message, logData, assignments }: Link): Macro[] {
  const texts = [operatorText, message, logData, ...assignments.flatMap(({ name, value }) => [name, value])];
  return texts.filter((text) => text !== undefined);
}

const MATCH = ['MATCHED_VAR', 'MATCHED_VAR_NAME'];
const matchNumbers = MATCH.map((name) => variableNumber(name)!);

function isMatch({ variable }: Target): boolean {
  return matchNumbers.includes(variable);
}

function namesMatch({ parts }: Macro): boolean {
  return parts.some((part) => typeof part !== 'string' && MATCH.includes(part.variable));
}
