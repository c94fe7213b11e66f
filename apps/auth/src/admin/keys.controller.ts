import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Inject,
  Module,
  Param,
  Post,
  Query,
  Res,
  type DynamicModule,
} from '@nestjs/common';
import { ApiCreatedResponse, ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { Actor, createZodDto, type AdminActor } from '@sallyport/platform';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { Keys } from '../keys/keys';
import { mintRequest } from '../keys/mint-request';

const moment = z.iso.datetime();

const keyView = z.strictObject({
  kid: z.string(),
  name: z.string(),
  tenant: z.string(),
  consumer: z.string(),
  scopes: z.array(z.string()),
  services: z.array(z.string()),
  models: z.array(z.string()),
  cidrs: z.array(z.string()),
  rate: z.strictObject({ limit: z.int(), window: z.string() }),
  budgetUsdPerMonth: z.string(),
  lastFour: z.string(),
  status: z.enum(['active', 'expired', 'revoked']),
  createdAt: moment,
  createdBy: z.string(),
  expiresAt: moment,
  revokedAt: moment.nullable(),
  revokedBy: z.string().nullable(),
});

class MintKeyBody extends createZodDto(mintRequest) {}
class ApiKeyAnswer extends createZodDto(keyView) {}
class MintedKeyAnswer extends createZodDto(
  keyView.extend({ key: z.string().describe('The key itself. It is shown in this answer only and stored nowhere.') }),
) {}
class KeyListAnswer extends createZodDto(z.strictObject({ items: z.array(keyView), next: z.string().nullable() })) {}
class MintKeyQuery extends createZodDto(
  z.strictObject({ dryRun: z.enum(['true', 'false']).optional().describe('Check everything and mint nothing.') }),
) {}
class ListKeysQuery extends createZodDto(
  z.strictObject({
    limit: z.coerce.number().int().min(1).max(200).default(50),
    cursor: z.string().max(100).optional(),
    consumer: mintRequest.shape.name.optional(),
    status: z.enum(['active', 'expired', 'revoked']).optional(),
  }),
) {}

@Controller('keys')
class KeysController {
  constructor(@Inject(Keys) private readonly keys: Keys) {}

  @Post()
  @ApiOperation({ summary: 'Mint an API key', operationId: 'mintKey' })
  @ApiCreatedResponse({ type: MintedKeyAnswer })
  async mint(
    @Body() body: MintKeyBody,
    @Query() { dryRun }: MintKeyQuery,
    @Actor() actor: AdminActor,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    if (dryRun === 'true') {
      reply.code(200);
      return this.keys.tryMinting(body, actor);
    }
    const minted = await this.keys.mint(body, actor);
    // RFC 9110 §15.3.2; and the one answer that holds a secret is kept by nobody on the way.
    reply.header('location', `/api/auth/v1/keys/${minted.kid}`).header('cache-control', 'no-store');
    return minted;
  }

  @Get()
  @ApiOperation({ summary: 'List API keys, newest first', operationId: 'listKeys' })
  @ApiOkResponse({ type: KeyListAnswer })
  list(@Query() query: ListKeysQuery) {
    return this.keys.list(query);
  }

  @Get(':kid')
  @ApiOperation({ summary: 'Show an API key', operationId: 'getKey' })
  @ApiOkResponse({ type: ApiKeyAnswer })
  get(@Param('kid') kid: string) {
    return this.keys.get(kid);
  }

  @Delete(':kid')
  @ApiOperation({ summary: 'Revoke an API key for good', operationId: 'revokeKey' })
  @ApiOkResponse({ type: ApiKeyAnswer })
  revoke(@Param('kid') kid: string, @Actor() actor: AdminActor) {
    return this.keys.revoke(kid, actor);
  }

  @Post(':kid/revoke')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Revoke an API key for good, for clients that cannot send DELETE',
    operationId: 'postRevokeKey',
  })
  @ApiOkResponse({ type: ApiKeyAnswer })
  postRevoke(@Param('kid') kid: string, @Actor() actor: AdminActor) {
    return this.keys.revoke(kid, actor);
  }
}

@Module({})
export class AuthAdminModule {
  static over(keys: Keys): DynamicModule {
    return {
      module: AuthAdminModule,
      controllers: [KeysController],
      providers: [{ provide: Keys, useValue: keys }],
    };
  }
}
