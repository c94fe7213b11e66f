import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Body, Controller, Get, HttpCode, Module, Param, Post, Query } from '@nestjs/common';
import { buckets, refuse, RefusalError, systemClock } from '@sallyport/contracts';
import { createZodDto } from 'nestjs-zod/dto';
import { Agent, request } from 'undici';
import { z } from 'zod';
import type { Closable } from '../address';
import { watchAdminToken, type AdminToken } from '../admin-token';
import { BusUnavailable } from '../bus';
import { createEmbeddedBus } from '../embedded-bus';
import { ListenError } from '../listening';
import { createLogger } from '../logger';
import type { Runtime } from '../runtime';
import { Actor, type AdminActor } from './actor';
import { createAdminApp } from './admin-app';

class Team extends createZodDto(z.strictObject({ name: z.string().min(1), size: z.number().int().optional() })) {}
class Paging extends createZodDto(z.strictObject({ limit: z.coerce.number().int().max(200).default(50) })) {}

@Controller('teams')
class TeamsController {
  @Post()
  @HttpCode(201)
  create(@Body() team: Team, @Actor() actor: AdminActor) {
    return { team, actor };
  }

  @Get()
  list(@Query() paging: Paging) {
    return { limit: paging.limit };
  }

  @Get(':name')
  get(@Param('name') name: string): never {
    if (name === 'down') throw Object.assign(new Error('connect ECONNREFUSED 10.1.2.3:5432'), { code: 'ECONNREFUSED' });
    if (name === 'slow') throw Object.assign(new Error('canceling statement'), { driverError: sqlError('57014') });
    if (name === 'unheard') throw new BusUnavailable('the bus has lost its connection');
    if (name === 'bug') throw new TypeError('an internal word');
    throw new RefusalError(refuse('CATALOG_NOT_FOUND', { kind: 'team', name }));
  }
}

const sqlError = (code: string) => Object.assign(new Error('sql'), { code });

@Module({ controllers: [TeamsController] })
class TeamsModule {}

const TOKEN = 'an-admin-token-of-this-test';

describe('a private admin listener', () => {
  let folder: string;
  let path: string;
  let app: Closable & { openApi(): object };
  let token: AdminToken & Closable;
  let runtime: Runtime;
  let agent: Agent;
  let written: string[];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sp-'));
    path = join(folder, 'admin.sock');
    written = [];
    const bus = createEmbeddedBus(systemClock);
    const hash = createHash('sha256').update(TOKEN).digest('hex');
    await (await bus.kv(buckets.adminToken)).put('current', Buffer.from(JSON.stringify({ sha256: hash })));
    token = await watchAdminToken(bus);
    const logger = createLogger({
      app: 'catalog',
      node: 'test',
      level: 'info',
      destination: { write: (line) => void written.push(line) },
    });
    const config = { publicUrl: 'http://gateway.test' };
    runtime = { bus, logger, config, random: randomBytes } as unknown as Runtime;
    app = await start();
    agent = new Agent({ connect: { socketPath: path } });
  });

  afterAll(async () => {
    await agent.close();
    await app.close();
    await token.close();
    await runtime.bus.drain();
    rmSync(folder, { recursive: true });
  });

  const start = () =>
    createAdminApp({
      module: TeamsModule,
      area: 'teams',
      address: { path },
      runtime,
      adminToken: token,
      title: 'Teams',
      onFastify: (fastify) => {
        fastify.get('/page', { config: { open: true } }, async () => 'a page');
      },
    });

  const call = async (target: string, options: Parameters<typeof request>[1] & { bearer?: string | null } = {}) => {
    const { bearer = TOKEN, headers, ...rest } = options;
    const answer = await request(`http://localhost${target}`, {
      dispatcher: agent,
      headers: { ...(bearer !== null && { authorization: `Bearer ${bearer}` }), ...(headers as object) },
      ...rest,
    });
    const text = await answer.body.text();
    const isJson = String(answer.headers['content-type']).includes('json');
    return { status: answer.statusCode, headers: answer.headers, body: isJson ? JSON.parse(text) : text };
  };

  const post = (body: string, type = 'application/json') =>
    call('/api/teams/v1/teams', { method: 'POST', body, headers: { 'content-type': type, 'x-sallyport-via': 'cli' } });

  it('gives a controller the read body and who asked', async () => {
    const answer = await post('{"name":"red"}');
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({ team: { name: 'red' }, actor: { name: 'admin', via: 'cli' } });
    expect(answer.headers['x-sallyport-request-id']).toMatch(/^req_[0-9A-Za-z]{22}$/);
  });

  it.each([
    ['no token', null, '/api/teams/v1/teams'],
    ['another token', 'another-token', '/api/teams/v1/teams'],
    ['no token and an encoded path', null, '/%61pi/teams/v1/teams'],
    ['no token and an unknown path', null, '/api/teams/v1/nothing'],
    ['no token for the description', null, '/api/teams/v1/openapi.json'],
  ])('refuses %s', async (_, bearer, target) => {
    const answer = await call(target, { bearer });
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toContain('Bearer');
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(answer.body).toMatchObject({ code: 'AUTH_REQUIRED', request_id: answer.headers['x-sallyport-request-id'] });
  });

  it('refuses as a problem what can be no path, and what cannot be kept', async () => {
    const unreadable = await call('/api/teams/v1/teams/%ff');
    expect(unreadable).toMatchObject({
      status: 400,
      headers: { 'content-type': 'application/problem+json' },
      body: { code: 'REQUEST_MALFORMED', request_id: unreadable.headers['x-sallyport-request-id'] },
    });
    const deep = `{"name":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
    for (const text of [deep, '{"name":"\\u0000"}', '{"name":"\\ud800"}']) {
      expect(await post(text)).toMatchObject({ status: 422, body: { code: 'SCHEMA_VIOLATION' } });
    }
  });

  it('finds an object whose name is as long as a name may be', async () => {
    const name = 'a'.repeat(128);
    expect(await call(`/api/teams/v1/teams/${name}`)).toMatchObject({
      status: 404,
      body: { code: 'CATALOG_NOT_FOUND', detail: expect.stringContaining(name) },
    });
  });

  it('leaves a route open that says so', async () => {
    await expect(call('/page', { bearer: null })).resolves.toMatchObject({ status: 200, body: 'a page' });
  });

  it('names each place of a document that breaks its schema', async () => {
    const answer = await post('{"name":"","size":1.5,"a/b":true}');
    expect(answer.status).toBe(422);
    expect(answer.body.code).toBe('SCHEMA_VIOLATION');
    expect(answer.body.errors.map(({ pointer }: { pointer: string }) => pointer).sort()).toEqual([
      '/a~1b',
      '/name',
      '/size',
    ]);
  });

  it('reads a query by its schema', async () => {
    await expect(call('/api/teams/v1/teams?limit=7')).resolves.toMatchObject({ body: { limit: 7 } });
    await expect(call('/api/teams/v1/teams?limit=999')).resolves.toMatchObject({ status: 422 });
    await expect(call('/api/teams/v1/teams?surplus=1')).resolves.toMatchObject({ status: 422 });
  });

  it.each([
    ['broken JSON', '{"name":', 'application/json', 400, 'REQUEST_MALFORMED'],
    ['an empty body announced as JSON', '', 'application/json', 400, 'REQUEST_MALFORMED'],
    ['a prototype in JSON', '{"__proto__":{"a":1}}', 'application/json', 400, 'REQUEST_MALFORMED'],
    ['a form', 'name=red', 'application/x-www-form-urlencoded', 415, 'MEDIA_TYPE_UNSUPPORTED'],
    ['text', 'name=red', 'text/plain', 415, 'MEDIA_TYPE_UNSUPPORTED'],
    ['another media type', '<name>red</name>', 'application/xml', 415, 'MEDIA_TYPE_UNSUPPORTED'],
    ['a body over 5 MiB', `{"name":"${'x'.repeat(5 * 1024 * 1024)}"}`, 'application/json', 413, 'BODY_TOO_LARGE'],
  ])('answers %s with its own code', async (_, body, type, status, code) => {
    await expect(post(body, type)).resolves.toMatchObject({ status, body: { code } });
  });

  it.each([
    ['a refusal', 'blue', 404, 'CATALOG_NOT_FOUND'],
    ['a database that is down', 'down', 503, 'ADMIN_UNAVAILABLE'],
    ['a statement that took too long', 'slow', 503, 'ADMIN_UNAVAILABLE'],
    ['a bus that is out of reach', 'unheard', 503, 'ADMIN_UNAVAILABLE'],
    ['a defect', 'bug', 500, 'INTERNAL'],
  ])('answers %s with its own code and no internal word', async (_, name, status, code) => {
    const answer = await call(`/api/teams/v1/teams/${name}`);
    expect(answer).toMatchObject({ status, body: { code } });
    expect(JSON.stringify(answer.body)).not.toMatch(/internal word|10\.1\.2\.3|admin-app/);
    if (status === 503) expect(answer.headers['retry-after']).toBe('1');
  });

  it('answers an unknown path as a problem', async () => {
    await expect(call('/api/teams/v1/nothing')).resolves.toMatchObject({
      status: 404,
      body: { code: 'ROUTE_NOT_FOUND' },
    });
  });

  it('logs a defect with the request id the caller was given', async () => {
    const answer = await call('/api/teams/v1/teams/bug');
    const line = written.map((text) => JSON.parse(text)).find(({ request_id: id }) => id === answer.body.request_id);
    expect(line).toMatchObject({ code: 'INTERNAL', err: { message: 'an internal word' } });
  });

  it('describes itself', async () => {
    const { body } = await call('/api/teams/v1/openapi.json');
    expect(body.info.title).toBe('Teams');
    expect(Object.keys(body.paths)).toEqual(['/api/teams/v1/teams', '/api/teams/v1/teams/{name}']);
    expect(body.components.schemas.Team).toMatchObject({ additionalProperties: false, required: ['name'] });
    expect(app.openApi()).toEqual(body);
  });

  it('says who is in the way when the address is taken', async () => {
    await expect(start()).rejects.toThrow(ListenError);
  });
});
