import type { Bytes } from './bytes';
import type { Exclusion } from './plan';
import { selects, type Rule, type RuleSelector, type TargetFilter } from './rule-set';

/** What an exclusion means, in terms of rules. */
function selectorOf({ rules, tag }: Exclusion): RuleSelector {
  if (rules) return { by: 'id', ...rules };
  return { by: 'tag', tag: tag ?? '' };
}

export function isSelectedBy(exclusion: Exclusion, rule: Rule): boolean {
  return selects(selectorOf(exclusion), rule);
}

/** Whether a filter leaves out a member; of a variable without members its only value. */
export function filters(filter: TargetFilter, variable: number, member: Bytes | undefined): boolean {
  if (filter.variable !== variable) return false;
  if (filter.member !== undefined) return member === filter.member;
  return filter.pattern ? member !== undefined && filter.pattern.test(member) : true;
}
