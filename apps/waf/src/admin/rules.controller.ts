import { Controller, Get, Param } from '@nestjs/common';
import { refuse, RefusalError } from '@sallyport/contracts';
import { rules, type RuleCard } from '@sallyport/waf';

/** A rule as the admin API shows it. */
export interface RuleView {
  readonly id: number;
  readonly severity: RuleCard['severity'];
  readonly message: string;
  readonly explanation: string;
}

function viewOf({ id, severity, message, explanation }: RuleCard): RuleView {
  return { id, severity, message, explanation };
}

@Controller('rules')
export class RulesController {
  /** Every rule of our own, by number. */
  @Get()
  list(): { readonly items: readonly RuleView[] } {
    return { items: rules.map(viewOf) };
  }

  /** One rule, for whoever found its number in a record. */
  @Get(':id')
  get(@Param('id') id: string): RuleView {
    const rule = rules.find((candidate) => String(candidate.id) === id);
    if (!rule) throw new RefusalError(refuse('CATALOG_NOT_FOUND', { kind: 'rule', name: id }));
    return viewOf(rule);
  }
}
