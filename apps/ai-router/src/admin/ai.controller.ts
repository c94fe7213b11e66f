import { Body, Controller, Get, HttpCode, Post, Query } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiTags } from '@nestjs/swagger';
import { isRefusal, refuse, RefusalError, systemClock } from '@sallyport/contracts';
import { LocalRouter, outcomeNames, type OutcomeName } from '@sallyport/ai';
import { createZodDto } from '@sallyport/platform';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { Credentials } from '../credentials/credentials';
import { receipts } from '../ledger/receipts';
import { Cursors } from './cursors';
import { modelView, receiptView, spendView } from './views';

/** The tenant of a fresh installation, and the only one until there are people to belong to others. */
const TENANT = 'default';
const DAY_MS = 86_400_000;
/** A report over more would be a job. */
const LONGEST_RANGE_DAYS = 92;

const moment = z.iso.datetime({ offset: true });
const shortText = z.string().min(1).max(256);

class ReceiptQuery extends createZodDto(
  z.strictObject({
    from: moment.optional(),
    to: moment.optional(),
    request: shortText.optional(),
    consumer: shortText.optional(),
    model: shortText.optional(),
    provider: shortText.optional(),
    outcome: z.enum(outcomeNames as [OutcomeName, ...OutcomeName[]]).optional(),
    limit: z.coerce.number().int().min(1).max(200).default(50),
    cursor: z.string().max(128).optional(),
  }),
) {}

class SpendQuery extends createZodDto(z.strictObject({ from: moment.optional(), to: moment.optional() })) {}

class PlanQuestion extends createZodDto(
  z.strictObject({
    model: shortText,
    stream: z.boolean().default(false),
    /** Models the imagined caller was granted. */
    models: z.array(shortText).max(256).default(['*']),
  }),
) {}

@ApiTags('ai')
@Controller()
export class AiController {
  constructor(
    private readonly dataSource: DataSource,
    private readonly router: LocalRouter,
    private readonly credentials: Credentials,
    private readonly cursors: Cursors,
  ) {}

  @Get('receipts')
  @ApiOperation({ summary: 'What each attempt used and cost, newest first.' })
  async receipts(@Query() query: ReceiptQuery) {
    const { limit, cursor, from, to, ...filter } = query;
    const after = cursor === undefined ? undefined : this.cursors.read(cursor);
    if (cursor !== undefined && !after) throw malformed('the cursor is not one of this list');
    const rows = await receipts.page(
      this.dataSource.manager,
      { tenant: TENANT, ...filter, ...rangeOf(from, to) },
      after,
      limit + 1,
    );
    const shown = rows.slice(0, limit);
    const last = rows.length > limit ? shown.at(-1) : undefined;
    return { items: shown.map(receiptView), next: last ? this.cursors.write(last.id) : null };
  }

  @Get('spend')
  @ApiOperation({ summary: 'What was spent, by day and virtual model.' })
  async spend(@Query() query: SpendQuery) {
    const { from, until } = rangeOf(query.from, query.to);
    const rows = await receipts.spend(this.dataSource.manager, TENANT, from, until);
    return { from: from.toISOString(), to: until.toISOString(), items: rows.map(spendView), next: null };
  }

  @Get('models')
  @ApiOperation({ summary: 'Virtual models with their targets, and whether their credentials are at hand.' })
  models() {
    const items = this.router
      .catalogue(TENANT)
      .map((model) => modelView(model, (id) => this.credentials.lease(id) !== undefined));
    return { revision: this.router.revision, items, next: null };
  }

  @Post('plan')
  @HttpCode(200)
  @ApiBody({ type: PlanQuestion })
  @ApiOperation({ summary: 'Which targets would be tried for a model, and why. Nothing is called.' })
  plan(@Body() { model, stream, models }: PlanQuestion) {
    const plan = this.router.explain({ tenant: TENANT, principal: { models }, model, stream });
    if (isRefusal(plan)) throw new RefusalError(plan);
    const { virtualModel, revision, attempts, why } = plan;
    return {
      virtualModel,
      revision,
      attempts: attempts.map(({ n, provider, model: target, url }) => ({
        n,
        provider,
        model: target,
        url: url || null,
      })),
      why,
    };
  }
}

/** The last 31 days unless said otherwise. */
function rangeOf(from: string | undefined, to: string | undefined): { from: Date; until: Date } {
  const until = to === undefined ? new Date(systemClock.now()) : new Date(to);
  const since = from === undefined ? new Date(until.getTime() - 31 * DAY_MS) : new Date(from);
  if (since >= until) throw malformed('from lies behind to');
  if (until.getTime() - since.getTime() > LONGEST_RANGE_DAYS * DAY_MS) {
    throw malformed(`from and to lie more than ${LONGEST_RANGE_DAYS} days apart`);
  }
  return { from: since, until };
}

function malformed(reason: string): RefusalError {
  return new RefusalError(refuse('REQUEST_MALFORMED', { reason }));
}
