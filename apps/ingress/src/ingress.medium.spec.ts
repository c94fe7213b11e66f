import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { refuse, systemClock, type Snapshot, type SnapshotRoute } from '@sallyport/contracts';
import { compileModels, LocalRouter } from '@sallyport/ai';
import type { Presented, VerifierOutcome } from '@sallyport/identity';
import { LocalLimiter, MemorySource } from '@sallyport/limits';
import { publishSnapshot } from '@sallyport/platform';
import { freePort, somePrincipal, someRoute, testRuntime, type TestRuntime } from '@sallyport/testkit';
import { Engine } from '@sallyport/waf';
import type { IngressConfig } from './config';
import { startIngress, type RunningIngress } from './ingress';

const KEY = 'Bearer good';

/** Accepts one bearer value: what a credential is worth is not this file's business. */
const verifier = {
  verify(presented: Presented, done: (outcome: VerifierOutcome) => void): void {
    done(
      presented.value === 'good' ? somePrincipal() : refuse('AUTH_TOKEN_INVALID', {}, { reason: 'not the good one' }),
    );
  },
};

const router = new LocalRouter({ leases: { lease: () => undefined } });
router.use(compileModels({ revision: 'c_1', models: [], accounts: [] }));

let runtime: TestRuntime;
let ingress: RunningIngress;
let upstream: Server;
let url: string;
let seen: { method: string; url: string; fields: NodeJS.Dict<string | string[]>; body: string; aborted: boolean }[];
let respond: (request: IncomingMessage, response: ServerResponse, body: string) => void;
let revision = 0;

beforeAll(async () => {
  upstream = createServer((request, response) => {
    const entry = { method: request.method!, url: request.url!, fields: request.headers, body: '', aborted: false };
    seen.push(entry);
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => undefined);
    response.on('close', () => (entry.aborted = !response.writableFinished));
    request.on('end', () => {
      entry.body = Buffer.concat(chunks).toString();
      respond(request, response, entry.body);
    });
  });
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  runtime = testRuntime('ingress');
  const config: IngressConfig = {
    ...runtime.config,
    listen: { http: { host: '127.0.0.1', port: await freePort() }, admin: null, health: null },
    workers: 1,
    drainSeconds: 1,
    balancerSeconds: 0,
    showConfigVersion: true,
    pepper: '00'.repeat(32),
    consult: { auth: '', rateLimit: '', waf: '', aiRouter: '' },
    catalogUrl: '',
  };
  const limiter = new LocalLimiter(new MemorySource(systemClock));
  const engines = { verifier, limiter, inspector: new Engine(), router };
  ingress = await startIngress(config, runtime, { engines });
  url = ingress.address;
});

afterAll(async () => {
  await ingress.close();
  await runtime.close();
  await new Promise((resolve) => upstream.close(resolve));
});

beforeEach(async () => {
  seen = [];
  runtime.trail.events.length = 0;
  runtime.trail.full = false;
  respond = (_, response, body) => response.writeHead(200, { 'content-type': 'text/plain' }).end(`echo:${body}`);
  await publish([someRoute()]);
});

describe('the way of a request', () => {
  it('leads to the upstream and back, and onto the record once', async () => {
    const answer = await call('/orders/7?expand=lines', { authorization: KEY });
    expect([answer.status, answer.body]).toEqual([200, 'echo:']);
    expect(seen.map(({ method, url: target }) => [method, target])).toEqual([['GET', '/orders/7?expand=lines']]);
    expect(records()).toEqual([{ status: '200', outcome: 'ok', request_id: answer.fields['x-sallyport-request-id'] }]);
  });

  it('tells the upstream who calls in fields of our own, and never the credential', async () => {
    await call('/orders', {
      authorization: KEY,
      'x-sallyport-subject': 'admin',
      'x-user': 'admin',
      'x-forwarded-for': '9.9.9.9',
    });
    const { fields } = seen[0]!;
    expect(fields['x-sallyport-subject']).toBe('billing-bot');
    expect([fields['authorization'], fields['x-user']]).toEqual([undefined, undefined]);
    expect(fields['x-forwarded-for']).toBe('127.0.0.1');
  });

  it('refuses a request without a credential, in a document that names code, cause and request', async () => {
    const answer = await call('/orders');
    expect(answer.status).toBe(401);
    expect(answer.fields['www-authenticate']).toContain('Bearer');
    expect(JSON.parse(answer.body)).toMatchObject({
      code: 'AUTH_REQUIRED',
      request_id: answer.fields['x-sallyport-request-id'],
    });
    expect(seen).toEqual([]);
    expect(records()).toMatchObject([{ status: '401', outcome: 'refused' }]);
  });

  it('keeps the exact reason of a refused credential for the record', async () => {
    const answer = await call('/orders', { authorization: 'Bearer bad' });
    expect(answer.body).not.toContain('not the good one');
    expect(JSON.stringify(runtime.trail.bodies('session.refused'))).toContain('not the good one');
  });

  it('serves a route that is open to everyone without a credential, but never with a bad one', async () => {
    await publish([someRoute({ auth: { anonymous: true, kinds: ['api-key', 'jwt'], trust: [], scopes: [] } })]);
    expect((await call('/orders')).status).toBe(200);
    expect((await call('/orders', { authorization: 'Bearer bad' })).status).toBe(401);
  });

  it('knows no route but those that are published', async () => {
    expect((await call('/ordersx', { authorization: KEY })).status).toBe(404);
    expect((await call('/Orders', { authorization: KEY })).status).toBe(404);
  });

  it('counts against the limit, says what is left on every answer, and when there is room again', async () => {
    await publish([someRoute({ policies: [{ policy: 'rate-limit', config: { limit: 2, window: '60s' } }] })]);
    const first = await call('/orders', { authorization: KEY });
    expect(first.fields['ratelimit-policy']).toBe('"default";q=2;w=60');
    expect(first.fields['ratelimit']).toMatch(/^"default";r=1;t=\d+$/);
    await call('/orders', { authorization: KEY });
    const refused = await call('/orders', { authorization: KEY });
    expect(refused.status).toBe(429);
    expect(Number(refused.fields['retry-after'])).toBeGreaterThan(0);
    expect(JSON.parse(refused.body)).toMatchObject({ code: 'LIMIT_EXCEEDED', 'violated-policies': ['default'] });
  });

  it('streams bodies of unknown length both ways', async () => {
    respond = (_, response, body) => {
      response.write('a');
      setTimeout(() => response.end(`b${body.length}`), 20);
    };
    const answer = await call(
      '/orders',
      { authorization: KEY, 'transfer-encoding': 'chunked' },
      'POST',
      'x'.repeat(200_000),
    );
    expect(answer.body).toBe('ab200000');
    expect(seen[0]!.body).toHaveLength(200_000);
  });

  it('answers HEAD with the fields of the answer and no body', async () => {
    respond = (_, response) => response.writeHead(200, { 'content-length': '5' }).end();
    const answer = await call('/orders', { authorization: KEY }, 'HEAD');
    expect([answer.status, answer.fields['content-length'], answer.body]).toEqual([200, '5', '']);
    expect(records()).toHaveLength(1);
  });

  it('names the revision that served the request', async () => {
    expect((await call('/orders', { authorization: KEY })).fields['x-sallyport-config-version']).toBe(`c_${revision}`);
  });
});

describe('an ageing version', () => {
  const at = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString();

  it('says on every answer that it is deprecated, when it ends and what follows', async () => {
    const deprecatedAt = at(-1);
    const sunsetAt = at(30);
    await publish([someRoute({ state: 'deprecated', lifecycle: { deprecatedAt, sunsetAt, successor: '/orders/v2' } })]);
    const { fields } = await call('/orders', { authorization: KEY });
    expect(fields['deprecation']).toBe(`@${Math.floor(Date.parse(deprecatedAt) / 1000)}`);
    expect(fields['sunset']).toBe(new Date(sunsetAt).toUTCString());
    expect(fields['link']).toBe('</orders/v2>; rel="successor-version"');
  });

  it('answers 410 from the sunset date on, without a new revision', async () => {
    await publish([
      someRoute({ state: 'deprecated', lifecycle: { deprecatedAt: at(-9), sunsetAt: at(-1), successor: null } }),
    ]);
    const answer = await call('/orders', { authorization: KEY });
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([410, 'SERVICE_SUNSET']);
    expect(seen).toEqual([]);
  });
});

describe('bad input', () => {
  it('is refused before it is read when its length is announced', async () => {
    await publish([someRoute({ policies: [{ policy: 'body-limit', config: { maxBytes: 10 } }] })]);
    const answer = await call('/orders', { authorization: KEY }, 'POST', 'x'.repeat(11));
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([413, 'BODY_TOO_LARGE']);
    expect(seen).toEqual([]);
  });

  it('is counted while it is read when no length is announced, and never reaches the upstream whole', async () => {
    await publish([someRoute({ policies: [{ policy: 'body-limit', config: { maxBytes: 10 } }] })]);
    const answer = await call(
      '/orders',
      { authorization: KEY, 'transfer-encoding': 'chunked' },
      'POST',
      'x'.repeat(5000),
    );
    expect(answer.status).toBe(413);
    expect(seen.every(({ aborted }) => aborted)).toBe(true);
  });

  it('may be larger than the default where the route says so', async () => {
    await publish([someRoute({ policies: [{ policy: 'body-limit', config: { maxBytes: 3_000_000 } }] })]);
    const answer = await call('/orders', { authorization: KEY }, 'POST', 'x'.repeat(2_000_000));
    expect(answer.status).toBe(200);
  });

  it('that is broken JSON is refused by inspection before it is forwarded', async () => {
    const answer = await call('/orders', { authorization: KEY, 'content-type': 'application/json' }, 'POST', '{"a":');
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([400, 'WAF_MALFORMED']);
    expect(seen).toEqual([]);
    expect(records()).toMatchObject([{ status: '400', outcome: 'refused' }]);
  });

  it('that is no HTTP gets an answer that says so, and the end of the connection', async () => {
    const answer = await raw('GET /orders HTTP/1.1\r\nhost: a\r\nbad header\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('REQUEST_MALFORMED');
  });

  it.each([
    ['a path that climbs', 'GET /orders/%2e%2e/admin HTTP/1.1\r\nhost: a\r\n\r\n'],
    ['two hosts', 'GET /orders HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n'],
    ['an underscore in a field name', 'GET /orders HTTP/1.1\r\nhost: a\r\nx_forwarded_for: b\r\n\r\n'],
  ])('that can be read in two ways is refused: %s', async (_, bytes) => {
    const answer = await raw(bytes);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer.toLowerCase()).toContain('connection: close');
  });

  it('that was cut off reaches the upstream as an aborted request, if at all', async () => {
    const { port } = new URL(url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(`POST /orders HTTP/1.1\r\nhost: a\r\nauthorization: ${KEY}\r\ncontent-length: 100\r\n\r\nabc`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    await until(() => records().length === 1);
    expect(seen.filter(({ body }) => body !== '')).toEqual([]);
  });
});

describe('a bad upstream', () => {
  it('that refuses the connection is 502, and its address stays in the house', async () => {
    await publish([someRoute()], `http://127.0.0.1:${await freePort()}`);
    const answer = await call('/orders', { authorization: KEY });
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([502, 'UPSTREAM_UNREACHABLE']);
    expect(answer.body).not.toContain('127.0.0.1');
    expect(records()).toMatchObject([{ outcome: 'upstream_error' }]);
  });

  it('that stays silent is 504 after the time the route gives it', async () => {
    respond = () => undefined;
    await publish([someRoute()], undefined, { firstByteMs: 100 });
    const answer = await call('/orders', { authorization: KEY });
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([504, 'UPSTREAM_TIMEOUT']);
    expect(records()).toMatchObject([{ outcome: 'upstream_timeout' }]);
  });

  it('that breaks off in the middle ends the answer, never as if it were whole', async () => {
    respond = (_, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('half');
      setTimeout(() => response.destroy(), 20);
    };
    await expect(call('/orders', { authorization: KEY })).rejects.toThrow();
    await until(() => records().length === 1);
    expect(records()).toMatchObject([{ outcome: 'upstream_error' }]);
  });

  it('may not be reached at a private address unless the operator allows it', async () => {
    await publish([someRoute()], undefined, {}, false);
    const answer = await call('/orders', { authorization: KEY });
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([502, 'UPSTREAM_UNREACHABLE']);
    expect(seen).toEqual([]);
  });
});

describe('the record', () => {
  it('of a caller who left says so, and the upstream is told at once', async () => {
    respond = () => undefined;
    const { port } = new URL(url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(`GET /orders HTTP/1.1\r\nhost: a\r\nauthorization: ${KEY}\r\n\r\n`);
    await until(() => seen.length === 1);
    socket.destroy();
    await until(() => seen[0]!.aborted && records().length === 1);
    expect(records()).toMatchObject([{ outcome: 'client_aborted' }]);
  });

  it('is missed on a public route when the spool is full, and counted', async () => {
    runtime.trail.full = true;
    expect((await call('/orders', { authorization: KEY })).status).toBe(200);
    expect(await runtime.metrics.exposition()).toMatch(/sallyport_audit_unaudited_total\{[^}]*\} [1-9]/);
  });

  it('is demanded on a regulated route: without it nothing is served', async () => {
    await publish([someRoute({ class: 'regulated' })]);
    expect((await call('/orders', { authorization: KEY })).status).toBe(200);
    expect(runtime.trail.bodies('request.admitted')).toHaveLength(1);
    runtime.trail.full = true;
    const answer = await call('/orders', { authorization: KEY });
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([503, 'AUDIT_UNAVAILABLE']);
    expect(seen).toHaveLength(1);
  });
});

describe('models', () => {
  const chat = (body: object, fields = { authorization: KEY }): ReturnType<typeof call> =>
    call('/v1/chat/completions', { ...fields, 'content-type': 'application/json' }, 'POST', JSON.stringify(body));

  it('answer through echo, with usage and cost on the record', async () => {
    const answer = await chat({ model: 'echo', messages: [{ role: 'user', content: 'hello there' }] });
    expect(JSON.parse(answer.body).choices[0].message.content).toBe('hello there');
    expect(sallyportOf(runtime.trail.bodies('request.completed')[0]!)).toMatchObject({ cost_usd: '0', outcome: 'ok' });
  });

  it('stream, and end as the dialect ends', async () => {
    const answer = await chat({ model: 'echo', stream: true, messages: [{ role: 'user', content: 'one two' }] });
    expect(answer.fields['content-type']).toContain('text/event-stream');
    expect(answer.body.trimEnd().endsWith('data: [DONE]')).toBe(true);
  });

  it('refuse in the words the clients of the dialect know', async () => {
    const answer = await chat({ model: 'nobody', messages: [{ role: 'user', content: 'x' }] });
    expect([answer.status, JSON.parse(answer.body).error.code]).toEqual([404, 'model_not_found']);
    const anonymous = await chat({ model: 'echo', messages: [] }, {} as never);
    expect([anonymous.status, JSON.parse(anonymous.body).error.code]).toEqual([401, 'invalid_api_key']);
  });

  it('are listed as far as the caller may use them', async () => {
    const answer = await call('/v1/models', { authorization: KEY });
    expect(JSON.parse(answer.body).data.map(({ id }: { id: string }) => id)).toContain('echo');
  });
});

describe('the pages of the gateway', () => {
  it('explain every code a problem can have', async () => {
    const answer = await call('/problems/limit-exceeded');
    expect(answer.status).toBe(200);
    expect(answer.body).toContain('LIMIT_EXCEEDED');
    expect((await call('/problems/no-such-code')).status).toBe(404);
  });
});

// ---- the bench ----------------------------------------------------------------------------------------------------

async function publish(
  routes: SnapshotRoute[],
  target = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`,
  timeouts: Partial<{ firstByteMs: number }> = {},
  allowPrivate = true,
): Promise<void> {
  const snapshot: Snapshot = {
    schema: 1,
    revision: `c_${++revision}`,
    createdAt: new Date().toISOString(),
    routes,
    upstreams: [
      {
        id: 'orders',
        tenant: 'default',
        name: 'orders',
        targets: [{ url: target, weight: 1 }],
        timeouts: { connectMs: 1000, firstByteMs: 5000, idleMs: 5000, ...timeouts },
        allowPrivate,
      },
    ],
    consumers: [],
    models: [],
    accounts: [],
    trust: [],
  };
  await publishSnapshot(runtime.bus, snapshot);
  await until(() => ingress.revision() === snapshot.revision);
}

interface Called {
  readonly status: number;
  readonly fields: Record<string, string>;
  readonly body: string;
}

function call(path: string, fields: Record<string, string> = {}, method = 'GET', body?: string): Promise<Called> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(`${url}${path}`, { method, headers: fields, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode!,
          fields: response.headers as Record<string, string>,
          body: Buffer.concat(chunks).toString(),
        }),
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}

function raw(bytes: string): Promise<string> {
  const { port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), '127.0.0.1', () => socket.write(bytes));
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
  });
}

function sallyportOf(body: Record<string, unknown>): Record<string, unknown> {
  return (body['unmapped'] as { sallyport: Record<string, unknown> }).sallyport;
}

function records(): { status: unknown; outcome: unknown; request_id: unknown }[] {
  return runtime.trail.bodies('request.completed').map((body) => {
    const { outcome, request_id } = sallyportOf(body);
    return { status: body['status_code'], outcome, request_id };
  });
}

async function until(condition: () => boolean): Promise<void> {
  for (let waited = 0; !condition(); waited += 5) {
    if (waited > 5000) throw new Error('not within 5 s');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
