import { Controller, Get, Inject, Module, Param, Query, Res, type DynamicModule } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiProduces } from '@nestjs/swagger';
import { Actor, createZodDto, type AdminActor } from '@sallyport/platform';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { eventView } from '../query/event-view';
import { LiveRecords } from '../query/live';
import { Reader } from '../query/reader';
import { searchRequest } from '../query/search-request';
import type { TrailHealth } from '../query/trail-health';

const HEALTH = Symbol('TrailHealth');

const eventAnswer = z.looseObject({
  uid: z.string(),
  position: z.int().describe('Dense order in which records became visible, over all chains.'),
  at: z.iso.datetime(),
});

class SearchQuery extends createZodDto(searchRequest) {}
class NoQuery extends createZodDto(z.strictObject({})) {}
class EventAnswer extends createZodDto(eventAnswer) {}
class EventListAnswer extends createZodDto(
  z.strictObject({ items: z.array(eventAnswer), next: z.string().nullable() }),
) {}

@Controller()
class EventsController {
  constructor(
    @Inject(Reader) private readonly reader: Reader,
    @Inject(LiveRecords) private readonly live: LiveRecords,
    @Inject(HEALTH) private readonly readHealth: () => Promise<TrailHealth>,
  ) {}

  @Get('events')
  @ApiOperation({ summary: 'Search the records, newest first', operationId: 'searchEvents' })
  @ApiOkResponse({ type: EventListAnswer })
  async search(@Query() query: SearchQuery, @Actor() actor: AdminActor) {
    const { items, next } = await this.reader.search(query, actor);
    return { items: items.map(eventView), next };
  }

  @Get('events/live')
  @ApiOperation({ summary: 'Watch records as they are committed', operationId: 'watchEvents' })
  @ApiProduces('text/event-stream')
  async watch(@Query() _query: NoQuery, @Actor() actor: AdminActor, @Res() reply: FastifyReply): Promise<void> {
    await this.live.listenFor(reply.raw);
    this.reader.watch(actor);
    reply.hijack();
    this.live.add(reply.raw);
  }

  @Get('events/:uid')
  @ApiOperation({ summary: 'Show one record', operationId: 'getEvent' })
  @ApiOkResponse({ type: EventAnswer })
  async get(@Param('uid') uid: string, @Query() _query: NoQuery, @Actor() actor: AdminActor) {
    return eventView(await this.reader.get(uid, actor));
  }

  @Get('health')
  @ApiOperation({ summary: 'Show chains, gaps, quarantine and partitions', operationId: 'getTrailHealth' })
  health(@Query() _query: NoQuery): Promise<TrailHealth> {
    return this.readHealth();
  }
}

@Module({})
export class AuditAdminModule {
  static over(reader: Reader, live: LiveRecords, health: () => Promise<TrailHealth>): DynamicModule {
    return {
      module: AuditAdminModule,
      controllers: [EventsController],
      providers: [
        { provide: Reader, useValue: reader },
        { provide: LiveRecords, useValue: live },
        { provide: HEALTH, useValue: health },
      ],
    };
  }
}
