import { ByteGroups } from './byte-groups';
import type { Bytes, ByteSet } from './bytes';
import { linksOf } from './fold';
import type { Exclusion } from './plan';
import { Program } from './program';
import type { Pattern } from './regex/pattern';
import { neededForTexts } from './regex/needs';
import { PatternSet } from './regex/pattern-set';
import type { Link, Rule } from './rule-set';
import type { RuleSettings } from './seclang/settings';
import { TransformTrie } from './transform-trie';
import { ValueScanner } from './value-scanner';
import { variables } from './variables/registry';

/** How one route runs a rule set. */
export interface Adjustment {
  /** Levels of CRS: rules up to `detect` run, those up to `block` count towards a refusal. */
  readonly paranoia?: { readonly detect: number; readonly block: number };
  /** Anomaly scores from which on CRS refuses. */
  readonly threshold?: { readonly inbound: number; readonly outbound: number };
  /** Variables of `TX` that stay as they are here whatever rules assign. */
  readonly variables?: Readonly<Record<string, string>>;
  readonly exclusions?: readonly Exclusion[];
  /** Rules that were switched off in a hurry, each as a whole. */
  readonly killed?: readonly Exclusion[];
}

/** What a rule is, for people. */
export interface LoadedRuleCard {
  readonly id: number;
  readonly phase: number;
  readonly message: string;
  /** As in `CRITICAL`; undefined where the rule has none. */
  readonly severity: number | undefined;
  readonly paranoia: number;
  readonly tags: readonly string[];
}

/** A compiled rule set: frozen, shared by every transaction, and made into a `Program` for each route that differs. */
export class RuleSet {
  readonly patterns: PatternSet;
  readonly trie = new TransformTrie();
  /** What is told of the bytes of values. */
  readonly byteGroups: ByteGroups;
  /** By pattern: groups of bytes of each of which a value must have one. */
  readonly needs: readonly (readonly number[])[];
  readonly scanner: ValueScanner;
  /** By number of the link. */
  private readonly bits: (number | undefined)[] = [];
  private readonly nodes: number[] = [];

  /**
   * @param rules in the order of the files; the number of each is its place
   * @param markers by label: the numbers of the rules that follow one
   */
  constructor(
    readonly rules: readonly Rule[],
    private readonly markers: ReadonlyMap<Bytes, readonly number[]>,
    readonly settings: Readonly<RuleSettings>,
    readonly warnings: readonly string[],
  ) {
    const answers = new Set(rules.filter(({ phase }) => phase === 3 || phase === 4).flatMap(linksOf));
    const patterns = this.number(rules.flatMap(linksOf));
    const ofAnswers = new Set([...answers].map(({ number }) => this.bits[number]));
    this.patterns = new PatternSet(patterns, (bit) => (ofAnswers.has(bit) ? 1 : 0));
    const needs = patterns.map(needsOf);
    this.byteGroups = new ByteGroups([...this.trie.sets, ...needs.flat()]);
    this.needs = needs.map((sets) => sets.map((set) => this.byteGroups.ofSet(set)));
    this.scanner = new ValueScanner(this.patterns, this.trie, this.byteGroups);
  }

  get cards(): LoadedRuleCard[] {
    return this.rules.map(({ id, phase, messageText, head, paranoia, tagTexts }) => ({
      id,
      phase,
      message: messageText,
      severity: head.severity,
      paranoia,
      tags: tagTexts,
    }));
  }

  /** Takes some milliseconds: keep the program for as long as the adjustment holds. */
  adjusted(adjustment: Adjustment = {}): Program {
    return new Program(this, adjustment);
  }

  /** @returns the bit of a link whose verdict on a value needs nothing but the value. */
  bitOf(link: Link): number | undefined {
    return this.bits[link.number];
  }

  /** @returns the node of the trie that makes the form a link looks at. */
  nodeOf(link: Link): number {
    return this.nodes[link.number]!;
  }

  /** @returns the number of the rule at which evaluation goes on when a rule that matched passes over others. */
  skipTarget(rule: Rule): number | undefined {
    const targets = linksOf(rule).flatMap(({ effects }) =>
      effects.flatMap(({ skipAfter, skip }) => {
        if (skipAfter !== undefined) return [this.afterMarker(skipAfter, rule.number)];
        return skip === undefined ? [] : [this.afterSkip(skip, rule)];
      }),
    );
    return targets.length === 0 ? undefined : Math.max(...targets);
  }

  private afterMarker(label: Bytes, number: number): number {
    return this.markers.get(label)?.find((follower) => follower > number) ?? Infinity;
  }

  private afterSkip(count: number, { number, phase }: Rule): number {
    const following = this.rules.filter((rule) => rule.phase === phase && rule.number > number);
    return following[count]?.number ?? Infinity;
  }

  /** Gives every link its node, and a bit where patterns of other rules can be looked for in the same pass. */
  private number(links: readonly Link[]): Pattern[] {
    const patterns: Pattern[] = [];
    const byText = new Map<string, number>();
    for (const link of links) {
      this.nodes[link.number] = this.trie.add(link.transformations);
      const pattern = link.operator?.pattern;
      if (!pattern || link.negated || !link.targets.every(isStable)) continue;
      const text = `${link.operatorName} ${link.operatorText.constant}`;
      const known = byText.get(text);
      this.bits[link.number] = known ?? patterns.length;
      if (known === undefined) byText.set(text, patterns.push(pattern) - 1);
    }
    return patterns;
  }
}

/** Bytes of which a value must have one for a pattern to be in it. */
function needsOf({ needs = [], required }: Pattern): ByteSet[] {
  return [...needs, ...required.map(neededForTexts)];
}

/** Whether the values of a target stay the same from the beginning of a phase to its end. */
function isStable({ variable, counted }: Link['targets'][number]): boolean {
  return !counted && variables[variable]!.lifetime !== 'moment';
}
