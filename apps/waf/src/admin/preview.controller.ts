import { Body, Controller, HttpCode, Inject, Post } from '@nestjs/common';
import { ApiOperation } from '@nestjs/swagger';
import { wafExclusion } from '@sallyport/contracts';
import { createZodDto } from '@sallyport/platform';
import { z } from 'zod';
import { previewExclusions } from '../preview';
import { ADMINISTRATION, type Administration } from './administration';

/** More than a day of hits of a busy API would be a sample anyway. */
const MOST_REQUESTS = 2_000;

class PreviewBody extends createZodDto(
  z.strictObject({
    exclude: z.array(wafExclusion).min(1).max(128),
    /** Hits as audit records have them, of the requests of the last day. */
    requests: z
      .array(
        z.object({
          id: z.string().max(128),
          verdict: z.enum(['pass', 'flag', 'refuse']),
          hits: z
            .array(z.object({ rule: z.int(), variable: z.string().max(512), paranoia: z.int().optional() }))
            .max(512),
        }),
      )
      .max(MOST_REQUESTS),
  }),
) {}

@Controller('exclusions')
export class PreviewController {
  constructor(@Inject(ADMINISTRATION) private readonly waf: Administration) {}

  @Post('preview')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Say which audited hits exclusions would have taken away, and which requests would have passed',
    operationId: 'previewExclusions',
  })
  preview(@Body() { exclude, requests }: PreviewBody) {
    const tags = new Map(this.waf.sets.active.ruleSet.rules.map(({ id, tagTexts }) => [id, tagTexts]));
    return previewExclusions(exclude, requests, (rule) => tags.get(rule) ?? []);
  }
}
