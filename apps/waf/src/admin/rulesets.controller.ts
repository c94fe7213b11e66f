import { Body, Controller, Get, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { ApiOperation } from '@nestjs/swagger';
import { Actor, createZodDto, type AdminActor } from '@sallyport/platform';
import { z } from 'zod';
import { ADMINISTRATION, type Administration } from './administration';
import { canaryRoutes } from '../rulesets/rule-sets';
import { ruleSetViews } from './views';

class ActivateBody extends createZodDto(
  z
    .strictObject({
      /** Share of the requests it decides; left out: all. Of all requests, and of all routes, it is active. */
      percent: z.number().min(0).max(100).optional(),
      /** The routes it decides on, each named by `service`, `service/version` or `service/version/route`. */
      routes: canaryRoutes.optional(),
      /** It decides nothing; what it finds is compared with what the set in force finds. */
      shadow: z.boolean().optional(),
    })
    .refine(({ shadow, percent, routes }) => !shadow || (percent === undefined && routes === undefined), {
      error: 'a set in the shadow sees every request: say shadow alone, or percent and routes',
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

  @Get('comparisons')
  @ApiOperation({
    summary: 'Tell how sets that are tried differ from the one in force, as this replica has seen',
    operationId: 'compareRuleSets',
  })
  comparisons() {
    return { items: this.waf.comparisons.views };
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
