import { Body, Controller, Get, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { ApiOperation } from '@nestjs/swagger';
import { Actor, createZodDto, type AdminActor } from '@sallyport/platform';
import { z } from 'zod';
import { ADMINISTRATION, type Administration } from './administration';
import { ruleSetViews } from './views';

class ActivateBody extends createZodDto(
  z.strictObject({
    /** Share of the requests it decides; left out: all, and it is active. */
    percent: z.number().min(0).max(100).optional(),
    /** It decides nothing; what it finds is compared with what the set in force finds. */
    shadow: z.boolean().optional(),
  }),
) {}

@Controller('rulesets')
export class RuleSetsController {
  constructor(@Inject(ADMINISTRATION) private readonly waf: Administration) {}

  @Get()
  @ApiOperation({
    summary: 'List the rule sets of this host, with what was refused and why',
    operationId: 'listRuleSets',
  })
  async list() {
    return { items: await ruleSetViews(this.waf.sets) };
  }

  @Post('rollback')
  @HttpCode(200)
  @ApiOperation({ summary: 'End a canary or shadow, or go back to the set before', operationId: 'rollbackRuleSet' })
  async rollback(@Actor() actor: AdminActor) {
    return this.waf.rollback(actor);
  }

  @Post(':name/activate')
  @HttpCode(200)
  @ApiOperation({ summary: 'Try a rule set and put it in force', operationId: 'activateRuleSet' })
  async activate(@Param('name') name: string, @Body() body: ActivateBody, @Actor() actor: AdminActor) {
    return this.waf.activate(name, body, actor);
  }
}
