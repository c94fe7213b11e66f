import { connect } from 'node:net';
import type { SnapshotRoute } from '@sallyport/contracts';
import { freePort, someRoute } from '@sallyport/testkit';
import {
  GOOD_KEY as KEY,
  IngressUnderTest,
  RecordingUpstream,
  someUpstream,
  until,
  type Answer,
} from './ingress-under-test';

let ingress: IngressUnderTest;
let upstream: RecordingUpstream;

beforeAll(async () => {
  upstream = await RecordingUpstream.listen();
  ingress = await IngressUnderTest.start({ config: { showConfigVersion: true } });
});

afterAll(async () => {
  await ingress.close();
  await upstream.close();
});

beforeEach(async () => {
  upstream.seen = [];
  ingress.runtime.trail.events.length = 0;
  ingress.runtime.trail.full = false;
  upstream.respond = (_, response, body) =>
    response.writeHead(200, { 'content-type': 'text/plain' }).end(`echo:${body}`);
  await publish([someRoute()]);
});

describe('the way of a request', () => {
  it('leads to the upstream and back, and onto the record once', async () => {
    const answer = await call('/orders/7?expand=lines', { authorization: KEY });
    expect([answer.status, answer.body]).toEqual([200, 'echo:']);
    expect(upstream.seen.map(({ method, url: target }) => [method, target])).toEqual([
      ['GET', '/orders/7?expand=lines'],
    ]);
    expect(records()).toEqual([{ status: '200', outcome: 'ok', request_id: answer.fields['x-sallyport-request-id'] }]);
  });

  it('tells the upstream who calls in fields of our own, and never the credential', async () => {
    await call('/orders', {
      authorization: KEY,
      'x-sallyport-subject': 'admin',
      'x-user': 'admin',
      'x-forwarded-for': '9.9.9.9',
    });
    const { fields } = upstream.seen[0]!;
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
    expect(upstream.seen).toEqual([]);
    expect(records()).toMatchObject([{ status: '401', outcome: 'refused' }]);
  });

  it('keeps the exact reason of a refused credential for the record', async () => {
    const answer = await call('/orders', { authorization: 'Bearer bad' });
    expect(answer.body).not.toContain('not the good one');
    expect(JSON.stringify(ingress.runtime.trail.bodies('session.refused'))).toContain('not the good one');
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
    upstream.respond = (_, response, body) => {
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
    expect(upstream.seen[0]!.body).toHaveLength(200_000);
  });

  it('answers HEAD with the fields of the answer and no body', async () => {
    upstream.respond = (_, response) => response.writeHead(200, { 'content-length': '5' }).end();
    const answer = await call('/orders', { authorization: KEY }, 'HEAD');
    expect([answer.status, answer.fields['content-length'], answer.body]).toEqual([200, '5', '']);
    expect(records()).toHaveLength(1);
  });

  it('names the revision that served the request', async () => {
    expect((await call('/orders', { authorization: KEY })).fields['x-sallyport-config-version']).toBe(ingress.revision);
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

  it.each([
    ['/a%20b/v2', '/a%20b/v2'],
    ['https://docs.example/é?q=100%', 'https://docs.example/%C3%A9?q=100%25'],
    ['/x>;rel="other', '/x%3E;rel=%22other'],
  ])('names what follows as a URI: %s', async (successor, uri) => {
    await publish([
      someRoute({ state: 'deprecated', lifecycle: { deprecatedAt: at(-1), sunsetAt: at(30), successor } }),
    ]);
    const { fields } = await call('/orders', { authorization: KEY });
    expect(fields['link']).toBe(`<${uri}>; rel="successor-version"`);
  });

  it('answers 410 from the sunset date on, without a new revision', async () => {
    await publish([
      someRoute({ state: 'deprecated', lifecycle: { deprecatedAt: at(-9), sunsetAt: at(-1), successor: null } }),
    ]);
    const answer = await call('/orders', { authorization: KEY });
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([410, 'SERVICE_SUNSET']);
    expect(upstream.seen).toEqual([]);
  });
});

describe('bad input', () => {
  it('is refused before it is read when its length is announced', async () => {
    await publish([someRoute({ policies: [{ policy: 'body-limit', config: { maxBytes: 10 } }] })]);
    const answer = await call('/orders', { authorization: KEY }, 'POST', 'x'.repeat(11));
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([413, 'BODY_TOO_LARGE']);
    expect(upstream.seen).toEqual([]);
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
    expect(upstream.seen.every(({ aborted }) => aborted)).toBe(true);
  });

  it('may be larger than the default where the route says so', async () => {
    await publish([someRoute({ policies: [{ policy: 'body-limit', config: { maxBytes: 3_000_000 } }] })]);
    const answer = await call('/orders', { authorization: KEY }, 'POST', 'x'.repeat(2_000_000));
    expect(answer.status).toBe(200);
  });

  it('that is broken JSON is refused by inspection before it is forwarded', async () => {
    const answer = await call('/orders', { authorization: KEY, 'content-type': 'application/json' }, 'POST', '{"a":');
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([400, 'WAF_MALFORMED']);
    expect(upstream.seen).toEqual([]);
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
    const socket = connect(ingress.port, '127.0.0.1');
    socket.write(`POST /orders HTTP/1.1\r\nhost: a\r\nauthorization: ${KEY}\r\ncontent-length: 100\r\n\r\nabc`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    await until(() => records().length === 1);
    expect(upstream.seen.filter(({ body }) => body !== '')).toEqual([]);
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
    upstream.respond = () => undefined;
    await publish([someRoute()], undefined, { firstByteMs: 100 });
    const answer = await call('/orders', { authorization: KEY });
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([504, 'UPSTREAM_TIMEOUT']);
    expect(records()).toMatchObject([{ outcome: 'upstream_timeout' }]);
  });

  it('that breaks off in the middle ends the answer, never as if it were whole', async () => {
    upstream.respond = (_, response) => {
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
    expect(upstream.seen).toEqual([]);
  });
});

describe('the record', () => {
  it('of a caller who left says so, and the upstream is told at once', async () => {
    upstream.respond = () => undefined;
    const socket = connect(ingress.port, '127.0.0.1');
    socket.write(`GET /orders HTTP/1.1\r\nhost: a\r\nauthorization: ${KEY}\r\n\r\n`);
    await until(() => upstream.seen.length === 1);
    socket.destroy();
    await until(() => upstream.seen[0]!.aborted && records().length === 1);
    expect(records()).toMatchObject([{ outcome: 'client_aborted' }]);
  });

  it('is missed on a public route when the spool is full, and counted', async () => {
    ingress.runtime.trail.full = true;
    expect((await call('/orders', { authorization: KEY })).status).toBe(200);
    expect(await ingress.runtime.metrics.exposition()).toMatch(/sallyport_audit_unaudited_total\{[^}]*\} [1-9]/);
  });

  it('is demanded on a regulated route: without it nothing is served', async () => {
    await publish([someRoute({ class: 'regulated' })]);
    expect((await call('/orders', { authorization: KEY })).status).toBe(200);
    expect(ingress.runtime.trail.bodies('request.admitted')).toHaveLength(1);
    ingress.runtime.trail.full = true;
    const answer = await call('/orders', { authorization: KEY });
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([503, 'AUDIT_UNAVAILABLE']);
    expect(upstream.seen).toHaveLength(1);
  });
});

describe('models', () => {
  const chat = (body: object, fields = { authorization: KEY }): ReturnType<typeof call> =>
    call('/v1/chat/completions', { ...fields, 'content-type': 'application/json' }, 'POST', JSON.stringify(body));

  it('answer through echo, with usage and cost on the record', async () => {
    const answer = await chat({ model: 'echo', messages: [{ role: 'user', content: 'hello there' }] });
    expect(JSON.parse(answer.body).choices[0].message.content).toBe('hello there');
    expect(ingress.records()[0]).toMatchObject({ cost_usd: '0', outcome: 'ok' });
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
  target = upstream.url,
  timeouts: Partial<{ firstByteMs: number }> = {},
  allowPrivate = true,
): Promise<void> {
  const usual = someUpstream(target);
  await ingress.publish(routes, { ...usual, timeouts: { ...usual.timeouts, ...timeouts }, allowPrivate });
}

function call(path: string, fields: Record<string, string> = {}, method = 'GET', body?: string): Promise<Answer> {
  return ingress.ask(path, { method, fields, body });
}

function raw(bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(ingress.port, '127.0.0.1', () => socket.write(bytes));
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
  });
}

function records(): { status: unknown; outcome: unknown; request_id: unknown }[] {
  return ingress.records().map(({ status, outcome, request_id }) => ({ status, outcome, request_id }));
}
