import { request as httpRequest } from 'node:http';
import { z } from 'zod';
import { refuse } from '@sallyport/contracts';
import { definePolicy, pass, policies, reply, type Policy, type PolicyHooks } from '@sallyport/pipeline';
import { someRoute } from '@sallyport/testkit';
import { GOOD_KEY, IngressUnderTest, RecordingUpstream, someUpstream, until, type Answer } from '../ingress-under-test';

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

let ingress: IngressUnderTest;
let upstream: RecordingUpstream;
let served = 0;

beforeAll(async () => {
  (policies as Policy[]).push(...probes);
  upstream = await RecordingUpstream.listen();
  ingress = await IngressUnderTest.start();
});

afterAll(async () => {
  await ingress.close();
  await upstream.close();
  (policies as Policy[]).splice(-probes.length);
});

beforeEach(() => {
  upstream.seen = [];
  ingress.runtime.trail.events.length = 0;
  upstream.respond = (_, response, body) =>
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
    expect(upstream.seen).toEqual([]);
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
    expect(upstream.seen).toMatchObject([
      {
        method: 'PUT',
        url: '/other/place?a=1',
        body: 'STRASSE',
        fields: { 'x-shaped': 'yes', 'content-type': 'text/upper', 'content-length': '7' },
      },
    ]);
    expect(JSON.stringify(ingress.runtime.trail.bodies('request.completed'))).toContain('/orders/7');
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
    expect([upstream.seen[0]!.body, answer.body]).toEqual(['<hi>', 'ECHO:<HI>!']);
    expect(upstream.seen[0]!.fields['transfer-encoding']).toBe('chunked');
  });

  it('may refuse a body that is too large for one of them, before it is read', async () => {
    await serve({ one: { requestBody: { mode: 'whole', maxBytes: 3, run: (_, _body, _draft, done) => done(pass) } } });
    expect([(await call('/orders', 'POST', 'abc')).status, (await call('/orders', 'POST', 'abcd')).status]).toEqual([
      200, 413,
    ]);
  });

  it('pass an answer on that is too large to be gathered, or refuse it', async () => {
    const large = 'x'.repeat(3000);
    upstream.respond = (_, response) => response.end(large);
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
    upstream.respond = () => undefined;
    await serve({ one: { settle: (_, { aborted }) => void ends.push(aborted) } });
    const request = httpRequest(`${ingress.running.address}/orders`, {
      agent: false,
      headers: { authorization: GOOD_KEY },
    });
    request.on('error', () => undefined);
    request.end();
    await until(() => upstream.seen.length === 1);
    request.destroy();
    await until(() => ends.length > 0);
    expect(ends).toEqual([true]);
  });

  it('hold up the upstream when the caller reads slowly', async () => {
    // More than the buffers of all sockets on the way hold.
    const total = 64 * 1024 * 1024;
    let written = 0;
    upstream.respond = (_, response) => {
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
        `${ingress.running.address}/orders`,
        { agent: false, headers: { authorization: GOOD_KEY } },
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
    upstream.respond = (_, response) => response.write('begun');
    await expect(call('/orders')).rejects.toThrow();
    await serve({});
    upstream.respond = (_, response) => response.end('ok');
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
  served++;
  const route = someRoute({
    policies: Object.keys(given).map((policy) => ({ policy, config: { nth: served } })),
  });
  await ingress.publish([route], someUpstream(upstream.url));
}

function statuses(): unknown[] {
  return ingress.records().map(({ status, outcome }) => [status, outcome]);
}

function call(path: string, method = 'GET', body?: string): Promise<Answer> {
  const fields = { authorization: GOOD_KEY, ...(body !== undefined && { 'content-type': 'text/plain' }) };
  return ingress.ask(path, { method, fields, body });
}

/** Waits until a number has not changed for a while. */
async function standsStill(read: () => number): Promise<number> {
  for (let last = -1; last !== read();) {
    last = read();
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  return read();
}
