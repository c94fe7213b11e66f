import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer as createRelay, type Server as Relay, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testDatabase, type TestDatabase } from '@sallyport/testkit';
import { Client } from 'undici';
import { CatalogUnderTest, TOKEN } from '../catalog-under-test';
import type { OpenApi } from './open-api';

let directory: string;
let database: TestDatabase;
let catalog: CatalogUnderTest;
let area: FakeArea;
let relay: PostgresRelay;

/** A service's private admin listener that does what a test says. */
class FakeArea {
  readonly seen: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[] = [];
  answer: (request: IncomingMessage, response: ServerResponse) => void = (_, response) => response.end('{}');
  private server: Server | undefined;

  constructor(readonly path: string) {}

  async open(): Promise<void> {
    this.server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        this.seen.push({ method: request.method!, url: request.url!, headers: request.headers, body });
        this.answer(request, response);
      });
    });
    await new Promise<void>((resolve) => this.server!.listen(this.path, resolve));
  }

  async close(): Promise<void> {
    this.server?.closeAllConnections();
    await new Promise((resolve) => this.server?.close(resolve) ?? resolve(undefined));
    this.server = undefined;
  }
}

/** Stands before the database and can be taken away. */
class PostgresRelay {
  private server: Relay | undefined;
  private readonly sockets = new Set<Socket>();

  constructor(
    private readonly from: string,
    private readonly to: string,
  ) {}

  async open(): Promise<void> {
    this.server = createRelay((inbound) => {
      const outbound = connect(this.to);
      for (const socket of [inbound, outbound]) {
        this.sockets.add(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => {
          this.sockets.delete(socket);
          inbound.destroy();
          outbound.destroy();
        });
      }
      inbound.pipe(outbound).pipe(inbound);
    });
    await new Promise<void>((resolve) => this.server!.listen(this.from, resolve));
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server?.close(resolve) ?? resolve(undefined));
    this.server = undefined;
  }
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sp-'));
  database = await testDatabase();
  const url = new URL(database.url);
  const socket = `.s.PGSQL.${url.port || '5432'}`;
  relay = new PostgresRelay(join(directory, socket), join(url.searchParams.get('host')!, socket));
  await relay.open();
  url.searchParams.set('host', directory);
  area = new FakeArea(join(directory, 'auth'));
  await area.open();
  catalog = new CatalogUnderTest(url.toString());
  await catalog.start((config) => ({
    ...config,
    areas: { ...config.areas, auth: `unix:${area.path}` },
    adminHosts: ['admin.example'],
  }));
}, 60_000);

afterAll(async () => {
  await catalog.stop();
  await area.close();
  await relay.close();
  await database.close();
  await rm(directory, { recursive: true, force: true });
}, 30_000);

beforeEach(() => {
  area.seen.length = 0;
  area.answer = (_, response) => response.end('{}');
});

describe('the admin door', () => {
  it('hands an area its requests as they are, with the token and its own request id', async () => {
    area.answer = (_, response) =>
      response
        .writeHead(201, { 'content-type': 'application/json', connection: 'x-hop', 'x-hop': '1', etag: '"7"' })
        .end('{"made":true}');
    const answer = await catalog.ask('POST', '/api/auth/v1/keys?a=%2F&b', {
      body: { name: 'demo' },
      headers: { 'x-sallyport-via': 'cli', 'x-sallyport-request-id': 'forged', te: 'trailers' },
    });
    expect(answer).toMatchObject({ status: 201, headers: { etag: '"7"' }, body: { made: true } });
    expect(answer.headers['x-hop']).toBeUndefined();
    const [seen] = area.seen;
    expect(seen).toMatchObject({ method: 'POST', url: '/api/auth/v1/keys?a=%2F&b', body: '{"name":"demo"}' });
    expect(seen!.headers).toMatchObject({ authorization: `Bearer ${TOKEN}`, 'x-sallyport-via': 'cli' });
    expect(seen!.headers['x-sallyport-request-id']).toMatch(/^req_/);
    expect(seen!.headers['te']).toBeUndefined();
  });

  it('does not read the bodies it hands on', async () => {
    const answer = await catalog.ask('PUT', '/api/auth/v1/anything', {
      headers: { 'content-type': 'text/x-odd', 'content-length': '0' },
    });
    expect(answer.status).toBe(200);
  });

  it('passes an answer on while it is being made', async () => {
    let finish: () => void = () => undefined;
    area.answer = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: first\n\n');
      finish = () => response.end('data: last\n\n');
    };
    const client = new Client('http://localhost', {
      connect: { socketPath: catalog.running!.address.slice('unix:'.length) },
    });
    try {
      const { body } = await client.request({
        method: 'GET',
        path: '/api/auth/v1/tail',
        headers: { authorization: `Bearer ${TOKEN}` },
      });
      const chunks: string[] = [];
      for await (const chunk of body) {
        chunks.push(String(chunk));
        finish();
      }
      expect(chunks).toEqual(['data: first\n\n', 'data: last\n\n']);
    } finally {
      await client.close();
    }
  });

  it('lets go of an area when the caller has gone', async () => {
    const gone = new Promise<void>((resolve) => {
      area.answer = (request, response) => {
        response.write('data: first\n\n');
        request.socket.once('close', () => resolve());
      };
    });
    const client = new Client('http://localhost', {
      connect: { socketPath: catalog.running!.address.slice('unix:'.length) },
    });
    const { body } = await client.request({
      method: 'GET',
      path: '/api/auth/v1/tail',
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    body.on('error', () => undefined);
    await client.destroy();
    await gone;
  });

  it('says which area does not answer, and when to come again', async () => {
    const answer = await catalog.ask('GET', '/api/waf/v1/rules');
    expect(answer).toMatchObject({
      status: 503,
      body: { code: 'ADMIN_UNAVAILABLE', detail: 'The waf area cannot answer right now.' },
    });
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
  });

  it('finds an area again that was away', async () => {
    await area.close();
    expect((await catalog.ask('GET', '/api/auth/v1/keys')).status).toBe(503);
    await area.open();
    expect((await catalog.ask('GET', '/api/auth/v1/keys')).status).toBe(200);
  });

  it('lets nobody through without the token', async () => {
    for (const path of [
      '/api/v1/services',
      '/api/auth/v1/keys',
      '/api/%61uth/v1/keys',
      '/api/v1/openapi.json',
      '/api/v1/none',
      '/nowhere',
      '/api/openapi.json',
    ]) {
      const answer = await catalog.ask('GET', path, { headers: { authorization: 'Bearer wrong' } });
      expect([path, answer.status, answer.body.code]).toEqual([path, 401, 'AUTH_REQUIRED']);
    }
    expect(area.seen).toEqual([]);
  });

  it('does not answer pages and names it does not know (DNS rebinding)', async () => {
    const foreign: Record<string, string>[] = [
      { host: 'rebound.example' },
      { origin: 'http://evil.example' },
      { origin: 'null' },
    ];
    for (const headers of foreign) {
      for (const path of ['/api/v1/services', '/api/auth/v1/keys']) {
        expect(await catalog.ask('GET', path, { headers })).toMatchObject({
          status: 403,
          body: { code: 'ADMIN_HOST_REFUSED' },
        });
      }
    }
    expect(
      (
        await catalog.ask('GET', '/api/v1/services', {
          headers: { host: 'admin.example', origin: 'https://admin.example' },
        })
      ).status,
    ).toBe(200);
    expect(area.seen).toEqual([]);
  });

  it('sends a reading once more when the area closes the kept connection it came over', async () => {
    const used = new WeakSet<Socket>();
    area.answer = (request, response) => {
      if (used.has(request.socket)) return void request.socket.destroy();
      used.add(request.socket);
      response.end('{"kept":true}');
    };
    for (let time = 0; time < 3; time++) {
      expect(await catalog.ask('GET', '/api/auth/v1/keys')).toMatchObject({ status: 200, body: { kept: true } });
    }
  });

  it('answers broken requests with a problem and no stack', async () => {
    const client = new Client('http://localhost', {
      connect: { socketPath: catalog.running!.address.slice('unix:'.length) },
    });
    const broken = await client.request({
      method: 'POST',
      path: '/api/v1/services',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
      body: '{"name": ',
    });
    expect(broken.statusCode).toBe(400);
    expect(await broken.body.json()).toMatchObject({ code: 'REQUEST_MALFORMED' });
    await client.close();
    expect(await catalog.ask('GET', '/api/v1/nothing')).toMatchObject({
      status: 404,
      body: { code: 'ROUTE_NOT_FOUND' },
    });
    expect(await catalog.ask('GET', '/api/nowhere/v1/x')).toMatchObject({ status: 404 });
  });
});

describe('the OpenAPI document', () => {
  const ofAuth = {
    openapi: '3.1.0',
    info: { title: 'auth', version: '1' },
    paths: {
      '/api/auth/v1/keys': {
        post: {
          operationId: 'KeysController_create',
          requestBody: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Service' } } } },
          responses: { '201': { description: 'made' } },
        },
      },
      '/api/v1/services': { get: { responses: {} } },
    },
    components: { schemas: { Service: { type: 'object' } } },
  };

  function referencesIn(value: unknown): string[] {
    if (typeof value !== 'object' || value === null) return [];
    return Object.entries(value).flatMap(([name, member]) =>
      name === '$ref' && typeof member === 'string' ? [member] : referencesIn(member),
    );
  }

  it('is one for all areas that answer, and names those that do not', async () => {
    area.answer = (_, response) => response.end(JSON.stringify(ofAuth));
    const { status, body } = await catalog.ask('GET', '/api/openapi.json');
    const document = body as OpenApi;
    expect(status).toBe(200);
    expect(document.openapi).toMatch(/^3\.1\./);
    expect(document['x-sallyport-areas']).toMatchObject({
      described: ['catalog', 'auth'],
      missing: expect.arrayContaining([{ area: 'waf', reason: 'the service does not answer' }]),
    });
    expect(Object.keys(document.paths)).toEqual(
      expect.arrayContaining([
        '/api/v1/services',
        '/api/v1/trust-entries/{name}',
        '/api/v1/changesets',
        '/api/auth/v1/keys',
      ]),
    );
    // An area cannot redefine what is not its own.
    expect(document.paths['/api/v1/services']).toHaveProperty('post');
    expect(document.components!['schemas']).toHaveProperty(['auth.Service']);
    expect(document.components!['schemas']).toHaveProperty('Service');
  });

  it('resolves every reference and calls no two operations alike', async () => {
    area.answer = (_, response) => response.end(JSON.stringify(ofAuth));
    const { body } = await catalog.ask('GET', '/api/openapi.json');
    const document = body as OpenApi;
    for (const reference of referencesIn(document)) {
      expect(reference).toMatch(/^#\//);
      const target = reference
        .slice(2)
        .split('/')
        .reduce<unknown>((value, part) => (value as Record<string, unknown> | undefined)?.[part], document);
      expect([reference, target]).not.toEqual([reference, undefined]);
    }
    const operations = Object.values(document.paths).flatMap(
      (item) => Object.values(item) as { operationId?: string }[],
    );
    const ids = operations.map(({ operationId }) => operationId).filter((id) => id !== undefined);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.length).toBeGreaterThan(40);
  });

  it('survives an area that answers nonsense', async () => {
    area.answer = (_, response) => response.end('<html>');
    const { status, body } = await catalog.ask('GET', '/api/openapi.json');
    expect(status).toBe(200);
    expect(body['x-sallyport-areas'].missing.map(({ area: name }: { area: string }) => name)).toContain('auth');
  });
});

describe('a database that goes away', () => {
  it('makes writes and reads answer 503 with Retry-After, and comes back without a restart', async () => {
    await relay.close();
    const write = await catalog.ask('POST', '/api/v1/consumers', { body: { name: 'shop' } });
    expect(write).toMatchObject({ status: 503, body: { code: 'ADMIN_UNAVAILABLE' } });
    expect(Number(write.headers['retry-after'])).toBeGreaterThan(0);
    expect((await catalog.ask('GET', '/api/v1/consumers')).status).toBe(503);
    await relay.open();
    await catalog.until(async () => (await catalog.ask('GET', '/api/v1/consumers')).status === 200);
    expect((await catalog.ask('POST', '/api/v1/consumers', { body: { name: 'shop' } })).status).toBe(201);
    expect((await catalog.served())?.consumers).toHaveLength(1);
  }, 20_000);
});
