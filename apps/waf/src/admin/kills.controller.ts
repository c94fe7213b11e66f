import { Body, Controller, Delete, Get, Inject, Param, Post } from '@nestjs/common';
import { ApiOperation } from '@nestjs/swagger';
import { Actor, createZodDto, type AdminActor } from '@sallyport/platform';
import { z } from 'zod';
import { killSwitch } from '../kills/kill-switches';
import { ADMINISTRATION, type Administration } from './administration';

/** Nobody leaves a rule off for good in a hurry. */
const LONGEST_SECONDS = 30 * 86_400;

class KillBody extends createZodDto(
  z.strictObject({
    what: killSwitch.shape.what,
    seconds: z.int().min(1).max(LONGEST_SECONDS).describe('It ends by itself after so long.'),
    reason: killSwitch.shape.reason,
  }),
) {}

@Controller('kills')
export class KillsController {
  constructor(@Inject(ADMINISTRATION) private readonly waf: Administration) {}

  @Get()
  @ApiOperation({ summary: 'List the kill switches that hold', operationId: 'listKills' })
  list() {
    return { items: this.waf.kills.list };
  }

  @Post()
  @ApiOperation({ summary: 'Switch off a rule, a tag or every rule, everywhere, for some time', operationId: 'kill' })
  kill(@Body() body: KillBody, @Actor() actor: AdminActor) {
    return this.waf.kill(body, actor);
  }

  @Delete(':id')
  @ApiOperation({ summary: 'End a kill switch before its time', operationId: 'endKill' })
  end(@Param('id') id: string, @Actor() actor: AdminActor) {
    return this.waf.endKill(id, actor);
  }
}
