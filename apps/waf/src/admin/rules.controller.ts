import { Controller, Get, Inject, Param } from '@nestjs/common';
import { refuse, RefusalError } from '@sallyport/contracts';
import { rules, type LoadedRuleCard, type RuleCard } from '@sallyport/waf';
import { ADMINISTRATION, type Administration } from './administration';

/** A rule as the admin API shows it. */
export interface RuleView {
  readonly id: number;
  readonly severity: string | null;
  readonly message: string;
  /** Of rules that are always there. */
  readonly explanation: string | null;
  /** Of rules of a set. */
  readonly phase: number | null;
  readonly paranoia: number | null;
  readonly tags: readonly string[];
  readonly ruleset: string;
}

function viewOf({ id, severity, message, explanation }: RuleCard): RuleView {
  return { id, severity, message, explanation, phase: null, paranoia: 1, tags: [], ruleset: 'structural' };
}

const severities = ['emergency', 'alert', 'critical', 'error', 'warning', 'notice', 'info', 'debug'];

function viewOfLoaded({ id, severity, message, phase, paranoia, tags }: LoadedRuleCard, ruleset: string): RuleView {
  const named = severity === undefined ? null : (severities[severity] ?? null);
  return { id, severity: named, message, explanation: null, phase, paranoia, tags, ruleset };
}

@Controller('rules')
export class RulesController {
  constructor(@Inject(ADMINISTRATION) private readonly waf: Administration) {}

  /** Every rule in force: those that are always there, then those of the set. */
  @Get()
  list(): { readonly items: readonly RuleView[] } {
    const { ruleSet, text } = this.waf.sets.active;
    const loaded = ruleSet.cards.filter(({ id }) => id > 0).map((card) => viewOfLoaded(card, text.name));
    return { items: [...rules.map(viewOf), ...loaded] };
  }

  /** One rule, for whoever found its number in a record. */
  @Get(':id')
  get(@Param('id') id: string): RuleView {
    const rule = this.list().items.find((candidate) => String(candidate.id) === id);
    if (!rule) throw new RefusalError(refuse('CATALOG_NOT_FOUND', { kind: 'rule', name: id }));
    return rule;
  }
}
