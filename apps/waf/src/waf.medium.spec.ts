import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials, Metadata } from '@grpc/grpc-js';
import { buckets, refusalFromWire, requestHeadToWire, systemClock, wafV1 } from '@sallyport/contracts';
import { createEmbeddedBus, createMetrics, type Runtime } from '@sallyport/platform';
import type { Hit, InspectionAnswer, Inspector, MalformedRequest, ResponseHead } from '@sallyport/waf';
import { testRuntime } from '@sallyport/testkit';
import { describeInspector, headUnderTest } from '../../../libs/waf/src/inspector.suite';
import { Agent, request } from 'undici';
import { readWafConfig } from './config';
import { startWaf, type RunningWaf } from './waf';

const TOKEN = 'an-admin-token-of-this-test';

/** One waf service on unix sockets, over a bus of its own. */
async function start() {
  const folder = mkdtempSync(join(tmpdir(), 'sp-'));
  const paths = { grpc: join(folder, 'g'), admin: join(folder, 'a'), health: join(folder, 'h') };
  const bus = createEmbeddedBus(systemClock);
  const sha256 = createHash('sha256').update(TOKEN).digest('hex');
  await (await bus.kv(buckets.adminToken)).put('current', Buffer.from(JSON.stringify({ sha256 })));
  const listen = { grpc: { path: paths.grpc }, admin: { path: paths.admin }, health: { path: paths.health } };
  const config = { ...readWafConfig({}), dataDir: folder, crsDir: 'none', listen };
  const base = testRuntime('waf', { bus });
  const runtime = { ...base, config, metrics: createMetrics('waf') } as Runtime;
  const waf: RunningWaf = await startWaf(config, runtime);
  const client = new wafV1.InspectionServiceClient(`unix:${paths.grpc}`, credentials.createInsecure());
  return {
    paths,
    client,
    waf,
    async close() {
      client.close();
      await waf.close();
      await base.close();
      await bus.drain();
      rmSync(folder, { recursive: true });
    },
  };
}

const pointNames: Readonly<Record<number, InspectionAnswer['point']>> = {
  1: 'request-head',
  2: 'request-body',
  3: 'response-head',
  4: 'response-body',
  5: 'malformed',
};
const extentNames: Readonly<Record<number, InspectionAnswer['inspected']['extent']>> = {
  1: 'full',
  2: 'partial',
  3: 'skipped',
  4: 'exhausted',
};
const verdictNames: Readonly<Record<number, InspectionAnswer['verdict']>> = { 1: 'pass', 2: 'refuse', 3: 'flag' };

/** The plainest client of a Decide stream: no batches, no deadlines, no reconnect. */
class StreamInspector implements Inspector {
  private readonly stream: ReturnType<wafV1.InspectionServiceClient['decide']>;
  private readonly waiting = new Map<number, (answer: InspectionAnswer) => void>();
  private last = 0;

  constructor(client: wafV1.InspectionServiceClient) {
    this.stream = client.decide();
    this.stream.on('error', () => undefined);
    this.stream.on('data', ({ answers }: wafV1.DecideBatchReply) => {
      for (const answer of answers) this.waiting.get(answer.exchange)?.(readAnswer(answer));
    });
  }

  open(
    { head, plan, tenant, requestId, route = '' }: Parameters<Inspector['open']>[0],
    answer: (answer: InspectionAnswer) => void,
  ) {
    const exchange = ++this.last;
    let over = false;
    this.waiting.set(exchange, (given) => {
      over ||= given.enough;
      answer(given);
    });
    const ask = (step: wafV1.Ask['step']) => void this.stream.write({ asks: [{ exchange, step }] });
    ask({ $case: 'open', value: { head: requestHeadToWire(head), plan, tenant, requestId, route } });
    return {
      body: (chunk: Uint8Array) => {
        if (!over) ask({ $case: 'body', value: Buffer.from(chunk) });
        return !over;
      },
      bodyEnd: () => ask({ $case: 'bodyEnd', value: {} }),
      response: ({ status, version, fields }: ResponseHead) => {
        const raw = fields.map(({ name, value }) => ({ name, value: Buffer.from(value, 'latin1') }));
        ask({ $case: 'responseHead', value: { status, version, fields: raw } });
      },
      responseBody: (chunk: Uint8Array) => {
        ask({ $case: 'responseBody', value: Buffer.from(chunk) });
        return true;
      },
      responseEnd: () => ask({ $case: 'responseEnd', value: {} }),
      close: (outcome: string) => {
        this.waiting.delete(exchange);
        ask({ $case: 'close', value: { outcome } });
      },
    };
  }

  malformed(request: MalformedRequest, answer: (answer: InspectionAnswer) => void): void {
    const exchange = ++this.last;
    this.waiting.set(exchange, answer);
    const value = { ...request, packet: Buffer.from(request.packet) };
    this.stream.write({ asks: [{ exchange, step: { $case: 'malformed', value } }] });
  }

  close(): Promise<void> {
    const ended = new Promise<void>((resolve) => this.stream.once('end', resolve));
    this.stream.end();
    return ended;
  }
}

function readAnswer({ point, verdict, refused, hits, inspected, ...rest }: wafV1.Answer): InspectionAnswer {
  return {
    point: pointNames[point]!,
    verdict: verdictNames[verdict]!,
    ...(refused && { refusal: refusalFromWire(refused) }),
    hits: hits as Hit[],
    enough: rest.enough,
    inspected: {
      extent: extentNames[inspected!.extent]!,
      bytes: Number(inspected!.bytes),
      why: inspected!.why || undefined,
    },
    ruleset: rest.ruleset,
    cpuMicros: rest.cpuMicros,
  };
}

describeInspector('waf service', async () => {
  const service = await start();
  const inspector = new StreamInspector(service.client);
  return {
    inspector,
    close: async () => {
      await inspector.close();
      await service.close();
    },
  };
});

describe('the waf service', () => {
  let service: Awaited<ReturnType<typeof start>>;
  const agents: Agent[] = [];

  beforeAll(async () => {
    service = await start();
  });
  afterAll(async () => {
    await Promise.all(agents.map((agent) => agent.close()));
    await service.close();
  });

  async function get(socketPath: string, path: string, token?: string) {
    const agent = new Agent({ connect: { socketPath } });
    agents.push(agent);
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const { statusCode, body } = await request(`http://waf${path}`, { dispatcher: agent, headers });
    return { status: statusCode, text: await body.text() };
  }

  it('inspects one whole request for whoever holds the admin token', async () => {
    const head = requestHeadToWire(headUnderTest({ query: 'file=../x' }));
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${TOKEN}`);
    const reply = await new Promise<wafV1.InspectReply>((resolve, reject) =>
      service.client.inspect(
        { head, plan: 'structural:block', tenant: 'default', body: Buffer.alloc(0) },
        metadata,
        (error, given) => (error ? reject(error) : resolve(given)),
      ),
    );
    expect(reply).toMatchObject({ verdict: wafV1.Verdict.VERDICT_REFUSE, refused: { code: 'WAF_BLOCKED' } });
  });

  it('lists its rules and explains one of them', async () => {
    const { status, text } = await get(service.paths.admin, '/api/waf/v1/rules', TOKEN);
    expect(status).toBe(200);
    const { items } = JSON.parse(text) as { items: { id: number }[] };
    expect(items.map(({ id }) => id)).toContain(7702002);
    const one = await get(service.paths.admin, '/api/waf/v1/rules/7702002', TOKEN);
    expect(JSON.parse(one.text)).toMatchObject({ id: 7702002, severity: 'critical' });
    expect((await get(service.paths.admin, '/api/waf/v1/rules/1', TOKEN)).status).toBe(404);
    expect((await get(service.paths.admin, '/api/waf/v1/rules')).status).toBe(401);
  });

  it('says what is in force and who is connected', async () => {
    const inspector = new StreamInspector(service.client);
    await new Promise<InspectionAnswer>((resolve) =>
      inspector.open({ head: headUnderTest(), plan: 'off', tenant: '', requestId: '' }, resolve),
    );
    const { text } = await get(service.paths.admin, '/api/waf/v1/status', TOKEN);
    expect(JSON.parse(text)).toMatchObject({ ruleset: 'built-in', streams: 1, exchanges: 0 });
    await inspector.close();
  });

  it('is ready, and counts what it decided', async () => {
    expect((await get(service.paths.health, '/readyz')).status).toBe(200);
    const { text } = await get(service.paths.health, '/metrics');
    expect(text).toMatch(/sallyport_waf_decisions_total\{[^}]*action="refuse"[^}]*\} 1\b/);
    expect(text).toMatch(/sallyport_waf_rule_hits_total\{[^}]*rule="7702002"[^}]*\} 1\b/);
  });
});
