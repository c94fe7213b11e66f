import { addBits, hasBit, type BitSet } from './bit-set';
import type { Link, Rule, TargetFilter } from './rule-set';

/** What `ctl` actions took out of the rules of one transaction. */
export class Removals {
  private rules: BitSet | undefined;
  /** Whether `rules` is ours to write. */
  private owned = false;
  private targets: { readonly rules: BitSet; readonly filter: TargetFilter }[] = [];

  /** @param rules bit set of their numbers, which nobody writes any more */
  removeRules(rules: BitSet): void {
    if (!this.rules) {
      this.rules = rules;
      this.owned = false;
      return;
    }
    if (!this.owned) this.rules = this.rules.slice();
    this.owned = true;
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
      this.owned = true;
      this.targets = targets;
    };
  }

  /** Whether rules may have lost targets of a variable. @param variable its number */
  narrow(variable: number): boolean {
    for (const { filter } of this.targets) if (filter.variable === variable) return true;
    return false;
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
