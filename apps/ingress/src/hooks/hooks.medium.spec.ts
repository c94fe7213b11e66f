import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';
import { refuse, systemClock, type Snapshot, type SnapshotRoute } from '@sallyport/contracts';
import { compileModels, LocalRouter } from '@sallyport/ai';
import { LocalLimiter, MemorySource } from '@sallyport/limits';
import { definePolicy, pass, policies, reply, type Policy, type PolicyHooks } from '@sallyport/pipeline';
import { publishSnapshot } from '@sallyport/platform';
import { freePort, somePrincipal, someRoute, testRuntime, type TestRuntime } from '@sallyport/testkit';
import { Engine } from '@sallyport/waf';
import { startIngress, type RunningIngress } from '../ingress';

/** What the policies `one`, `two` and `three` of this file do; each test says it anew. */
const behaviour: Record<string, PolicyHooks> = {};
const probes = ['one', 'two', 'three'].map((id) =>
  definePolicy({
    id,
    summary: 'Does what the test says.',
    config: z.strictObject({ nth: z.int() }),
    example: { nth: 0 },
    compile: () => behaviour[id] ?? {},
  }),
);

let runtime: TestRuntime;
let ingress: RunningIngress;
let upstream: Server;
let url: string;
let seen: { method: string; url: string; fields: NodeJS.Dict<string | string[]>; body: string }[];
let respond: (response: ServerResponse, body: string, request: IncomingMessage) => void;
let revision = 0;

beforeAll(async () => {
  (policies as Policy[]).push(...probes);
  upstream = createServer((request, response) => {
    const entry = { method: request.method!, url: request.url!, fields: request.headers, body: '' };
    seen.push(entry);
    request.on('data', (chunk: Buffer) => (entry.body += chunk.toString()));
    request.on('error', () => undefined);
    request.on('end', () => respond(response, entry.body, request));
  });
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  runtime = testRuntime('ingress');
  const engines = {
    verifier: {
      verify: (_: unknown, done: (outcome: ReturnType<typeof somePrincipal>) => void) => done(somePrincipal()),
    },
    limiter: new LocalLimiter(new MemorySource(systemClock)),
    inspector: new Engine(),
    router: new LocalRouter({ leases: { lease: () => undefined } }),
  };
  engines.router.use(compileModels({ revision: 'c_1', models: [], accounts: [] }));
  ingress = await startIngress(
    {
      ...runtime.config,
      listen: { http: { host: '127.0.0.1', port: await freePort() }, admin: null, health: null },
      workers: 1,
      drainSeconds: 1,
      balancerSeconds: 0,
      showConfigVersion: false,
      pepper: '00'.repeat(32),
      consult: { auth: '', rateLimit: '', waf: '', aiRouter: '' },
      catalogUrl: '',
    },
    runtime,
    { engines },
  );
  url = ingress.address;
});

afterAll(async () => {
  await ingress.close();
  await runtime.close();
  await new Promise((resolve) => upstream.close(resolve));
  (policies as Policy[]).splice(-probes.length);
});

beforeEach(() => {
  seen = [];
  runtime.trail.events.length = 0;
  respond = (response, body) =>
    response.writeHead(200, { 'content-type': 'text/plain', etag: '"1"' }).end(`echo:${body}`);
});

const append = (text: string): PolicyHooks['answerBody'] => ({
  mode: 'whole',
  maxBytes: 1000,
  larger: 'refuse',
  wants: () => true,
  run: (_input, _draft, body, done) => done(Buffer.concat([body, Buffer.from(text)])),
});

describe('the hooks of policies', () => {
  it('meet a request in the order of the file, and its answer in reverse', async () => {
    const met: string[] = [];
    const noting = (id: string): PolicyHooks => ({
      admit: () => void met.push(`admit ${id}`),
      authorised: (_, done) => (met.push(`authorised ${id}`), done(pass)),
      charges: () => void met.push(`charges ${id}`),
      shape: () => void met.push(`shape ${id}`),
      requestBody: {
        mode: 'whole',
        maxBytes: 100,
        run: (_, body, _draft, done) => (met.push(`body ${id} ${body.toString()}`), done(pass)),
      },
      intercept: (_, done) => (met.push(`intercept ${id}`), done(pass)),
      answerHead: () => void met.push(`head ${id}`),
      answerBody: append(id),
      settle: (_, { status, aborted }) => void met.push(`settle ${id} ${status} ${aborted}`),
    });
    await serve({ one: noting('1'), two: noting('2') });
    const answer = await call('/orders', 'POST', 'hi');
    expect([answer.status, answer.body]).toEqual([200, 'echo:hi21']);
    expect(answer.fields['content-length']).toBe('9');
    expect(met).toEqual(
      ['admit', 'authorised', 'charges', 'shape', 'body', 'intercept']
        .flatMap((hook) => (hook === 'body' ? ['body 1 hi', 'body 2 hi'] : [`${hook} 1`, `${hook} 2`]))
        .concat(['head 2', 'head 1', 'settle 1 200 false', 'settle 2 200 false']),
    );
  });

  it('may answer in the place of the upstream, and only the policies before see that answer', async () => {
    await serve({
      one: { answerHead: (_, draft) => void draft.fields.set('x-one', draft.origin), answerBody: append('1') },
      two: { intercept: (_, done) => setImmediate(() => done(reply(203, ['x-made', 'here'], Buffer.from('made')))) },
      three: { answerHead: (_, draft) => void draft.fields.set('x-three', draft.origin), answerBody: append('3') },
    });
    const answer = await call('/orders', 'POST', 'hi');
    expect([answer.status, answer.body]).toEqual([203, 'made1']);
    expect([answer.fields['x-one'], answer.fields['x-three'], answer.fields['x-made']]).toEqual([
      'reply',
      undefined,
      'here',
    ]);
    expect(seen).toEqual([]);
    expect(statuses()).toEqual([['203', 'ok']]);
  });

  it.each(['admit', 'authorised', 'intercept'] as const)('answer from %s, and a HEAD without a body', async (hook) => {
    const made = reply(200, ['x-made', 'here'], Buffer.from('made'));
    await serve({
      one:
        hook === 'admit' ? { admit: () => made } : { [hook]: (_: unknown, done: (v: unknown) => void) => done(made) },
    });
    expect((await call('/orders')).body).toBe('made');
    const head = await call('/orders', 'HEAD');
    expect([head.status, head.body, head.fields['content-length']]).toEqual([200, '', '4']);
  });

  it('edit what goes upstream and leave what is recorded', async () => {
    await serve({
      one: {
        shape: (_, draft) => {
          draft.fields.set('x-shaped', 'yes');
          draft.method = 'PUT';
          return draft.setPath('/other/place') ?? draft.setQuery('a=1');
        },
        requestBody: {
          mode: 'whole',
          maxBytes: 100,
          run: (_, body, draft, done) => {
            draft.fields.set('content-type', 'text/upper');
            done(Buffer.from(body.toString().toUpperCase()));
          },
        },
      },
    });
    await call('/orders/7', 'POST', 'straße');
    expect(seen).toMatchObject([
      {
        method: 'PUT',
        url: '/other/place?a=1',
        body: 'STRASSE',
        fields: { 'x-shaped': 'yes', 'content-type': 'text/upper', 'content-length': '7' },
      },
    ]);
    expect(JSON.stringify(runtime.trail.bodies('request.completed'))).toContain('/orders/7');
  });

  it('change bodies as they pass, both ways', async () => {
    const upper = (text: Buffer): Buffer => Buffer.from(text.toString().toUpperCase());
    await serve({
      one: {
        answerBody: {
          mode: 'stream',
          open: (_, draft, out) => {
            draft.fields.remove('content-length');
            return {
              data: (chunk) => out.data(upper(chunk)),
              end: () => {
                out.data(Buffer.from('!'));
                out.end();
              },
            };
          },
        },
      },
      two: {
        requestBody: {
          mode: 'stream',
          open: (_, _draft, out) => ({
            data: (chunk) => out.data(Buffer.concat([Buffer.from('<'), chunk])),
            end: () => {
              out.data(Buffer.from('>'));
              out.end();
            },
          }),
        },
      },
    });
    const answer = await call('/orders', 'POST', 'hi');
    expect([seen[0]!.body, answer.body]).toEqual(['<hi>', 'ECHO:<HI>!']);
    expect(seen[0]!.fields['transfer-encoding']).toBe('chunked');
  });

  it('may refuse a body that is too large for one of them, before it is read', async () => {
    await serve({ one: { requestBody: { mode: 'whole', maxBytes: 3, run: (_, _body, _draft, done) => done(pass) } } });
    expect([(await call('/orders', 'POST', 'abc')).status, (await call('/orders', 'POST', 'abcd')).status]).toEqual([
      200, 413,
    ]);
  });

  it('pass an answer on that is too large to be gathered, or refuse it', async () => {
    const large = 'x'.repeat(3000);
    respond = (response) => response.end(large);
    const gathering = (larger: 'pass' | 'refuse'): PolicyHooks => ({
      answerBody: {
        mode: 'whole',
        maxBytes: 1000,
        larger,
        wants: () => true,
        run: (_i, _d, _b, done) => done(Buffer.from('never')),
      },
    });
    await serve({ one: gathering('pass') });
    expect((await call('/orders')).body).toBe(large);
    await serve({ one: gathering('refuse') });
    expect((await call('/orders')).status).toBe(502);
  });

  it('see refusals as well, but cannot make anything else of them', async () => {
    await serve({
      one: {
        answerHead: (_, draft) => {
          draft.status = 200;
          draft.fields.set('x-seen', draft.origin);
          return pass;
        },
      },
      two: { admit: () => refuse('POLICY_DENIED', { reason: 'as a test' }) },
    });
    const answer = await call('/orders');
    expect([answer.status, answer.fields['x-seen'], JSON.parse(answer.body)]).toMatchObject([
      403,
      'refusal',
      { code: 'POLICY_DENIED' },
    ]);
  });

  it('are told the end of every request once, also of one whose caller went away', async () => {
    const ends: boolean[] = [];
    respond = () => undefined;
    await serve({ one: { settle: (_, { aborted }) => void ends.push(aborted) } });
    const request = httpRequest(`${url}/orders`, { agent: false, headers: { authorization: 'Bearer good' } });
    request.on('error', () => undefined);
    request.end();
    await until(() => seen.length === 1);
    request.destroy();
    await until(() => ends.length > 0);
    expect(ends).toEqual([true]);
  });

  it('hold up the upstream when the caller reads slowly', async () => {
    // More than the buffers of all sockets on the way hold.
    const total = 64 * 1024 * 1024;
    let written = 0;
    respond = (response) => {
      const write = (): void => {
        while (written < total) {
          written += 65_536;
          if (!response.write(Buffer.alloc(65_536))) return void response.once('drain', write);
        }
        response.end();
      };
      write();
    };
    await serve({
      one: {
        answerBody: {
          mode: 'stream',
          open: (_i, _d, out) => ({ data: (chunk) => out.data(chunk), end: () => out.end() }),
        },
      },
    });
    const bytes = await new Promise<number>((resolve, reject) => {
      const request = httpRequest(
        `${url}/orders`,
        { agent: false, headers: { authorization: 'Bearer good' } },
        (response) => {
          let read = 0;
          response.pause();
          void standsStill(() => written).then((held) => {
            expect(held).toBeLessThan(total);
            response.on('data', (chunk: Buffer) => (read += chunk.length));
            response.on('end', () => resolve(read));
            response.resume();
          }, reject);
        },
      );
      request.on('error', reject);
      request.end();
    });
    expect(bytes).toBe(total);
  });
});

describe('rel-T17: a throw in a policy is that request’s 500', () => {
  const thrown = (): never => {
    throw new Error('a defect of a policy');
  };
  const faults: Record<string, PolicyHooks> = {
    admit: { admit: thrown },
    authorised: { authorised: thrown },
    'authorised, later': { authorised: ({ exchange }) => void setImmediate(exchange.guarded(thrown)) },
    charges: { charges: thrown },
    shape: { shape: thrown },
    'requestBody whole': { requestBody: { mode: 'whole', maxBytes: 100, run: thrown } },
    'requestBody wants': { requestBody: { mode: 'whole', maxBytes: 100, wants: thrown, run: thrown } },
    'requestBody stream open': { requestBody: { mode: 'stream', open: thrown } },
    'requestBody stream data': { requestBody: { mode: 'stream', open: () => ({ data: thrown, end: thrown }) } },
    intercept: { intercept: thrown },
    'intercept, later': { intercept: ({ exchange }) => void setImmediate(exchange.guarded(thrown)) },
    answerHead: { answerHead: thrown },
    'answerBody wants': { answerBody: { mode: 'whole', maxBytes: 100, larger: 'pass', wants: thrown, run: thrown } },
    'answerBody whole': {
      answerBody: { mode: 'whole', maxBytes: 100, larger: 'pass', wants: () => true, run: thrown },
    },
    'answerBody stream open': { answerBody: { mode: 'stream', open: thrown } },
    'answerHead of a refusal': { answerHead: thrown, authorised: (_, done) => done(refuse('POLICY_DENIED')) },
  };

  it.each(Object.entries(faults))('from %s, recorded, and the next request is served', async (_, hooks) => {
    await serve({ one: hooks });
    const answer = await call('/orders', 'POST', 'hi');
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([500, 'INTERNAL']);
    expect(answer.body).not.toContain('a defect of a policy');
    await until(() => statuses().length === 1);
    expect(statuses()).toEqual([['500', 'internal_error']]);
    await serve({});
    expect((await call('/orders')).status).toBe(200);
  });

  it('cuts an answer that has begun', async () => {
    await serve({ one: { answerBody: { mode: 'stream', open: () => ({ data: thrown, end: thrown }) } } });
    respond = (response) => response.write('begun');
    await expect(call('/orders')).rejects.toThrow();
    await serve({});
    respond = (response) => response.end('ok');
    expect((await call('/orders')).status).toBe(200);
  });

  it('lets the answer go where it only comes at the end, and the other policies are still told', async () => {
    const told: number[] = [];
    await serve({ one: { settle: thrown }, two: { settle: (_, { status }) => void told.push(status) } });
    expect((await call('/orders')).status).toBe(200);
    expect(told).toEqual([200]);
  });
});

/** Puts a route in force whose policies do what is given; those that are not named are not there. */
async function serve(given: Record<string, PolicyHooks>): Promise<void> {
  for (const id of Object.keys(behaviour)) delete behaviour[id];
  Object.assign(behaviour, given);
  revision++;
  const port = (upstream.address() as AddressInfo).port;
  const route: SnapshotRoute = someRoute({
    policies: Object.keys(given).map((policy) => ({ policy, config: { nth: revision } })),
  });
  const snapshot = {
    schema: 1,
    revision: `c_${revision}`,
    createdAt: '2026-01-01T00:00:00Z',
    routes: [route],
    upstreams: [
      {
        id: 'orders',
        tenant: 'default',
        name: 'orders',
        targets: [{ url: `http://127.0.0.1:${port}`, weight: 1 }],
        timeouts: { connectMs: 1000, firstByteMs: 5000, idleMs: 5000 },
        allowPrivate: true,
      },
    ],
    consumers: [],
    models: [],
    accounts: [],
    trust: [],
  };
  await publishSnapshot(runtime.bus, snapshot as unknown as Snapshot);
  await until(() => ingress.revision() === snapshot.revision);
}

function statuses(): unknown[] {
  return runtime.trail
    .bodies('request.completed')
    .map((body) => [
      body['status_code'],
      (body['unmapped'] as Record<string, Record<string, unknown>>)['sallyport']!['outcome'],
    ]);
}

interface Called {
  readonly status: number;
  readonly fields: Record<string, string>;
  readonly body: string;
}

function call(path: string, method = 'GET', body?: string): Promise<Called> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: 'Bearer good', ...(body !== undefined && { 'content-type': 'text/plain' }) };
    const request = httpRequest(`${url}${path}`, { method, headers, agent: false }, (response) => {
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

/** Waits until a number has not changed for a while. */
async function standsStill(read: () => number): Promise<number> {
  for (let last = -1; last !== read();) {
    last = read();
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  return read();
}

async function until(condition: () => boolean): Promise<void> {
  for (let waited = 0; !condition(); waited += 5) {
    if (waited > 5000) throw new Error('not within 5 s');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
