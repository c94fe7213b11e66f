import { addBits, hasBit, type BitSet } from './bit-set';
import type { Link, Rule, TargetFilter } from './rule-set';

/** What `ctl` actions took out of the rules of one transaction. */
export class Removals {
  private rules: BitSet | undefined;
  private targets: { readonly rules: BitSet; readonly filter: TargetFilter }[] = [];

  /** @param rules bit set of their numbers */
  removeRules(rules: BitSet): void {
    this.rules ??= new Uint32Array(rules.length);
    addBits(this.rules, rules);
  }

  /** @param rules bit set of the numbers of rules that do not look at what the filter picks any more */
  removeTarget(rules: BitSet, filter: TargetFilter): void {
    this.targets.push({ rules, filter });
  }

  /** @returns a function that undoes what is removed from now on, to be called once at most */
  save(): () => void {
    const rules = this.rules?.slice();
    const targets = [...this.targets];
    return () => {
      this.rules = rules;
      this.targets = targets;
    };
  }

  /** Whether rules may have lost targets. */
  get narrows(): boolean {
    return this.targets.length > 0;
  }

  isRemoved({ number }: Rule): boolean {
    return this.rules !== undefined && hasBit(this.rules, number);
  }

  /** @returns what a link of a rule leaves out; only the first link of a chain loses targets */
  filtersOf(rule: Rule, link: Link): readonly TargetFilter[] {
    if (this.targets.length === 0 || link !== rule.head) return link.filters;
    const own = this.targets.filter(({ rules }) => hasBit(rules, rule.number));
    return [...link.filters, ...own.map(({ filter }) => filter)];
  }
}
