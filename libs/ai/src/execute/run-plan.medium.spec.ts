import { randomBytes } from 'node:crypto';
import {
  aiV1,
  formatUsd,
  isRefusal,
  systemClock,
  type Principal,
  type SnapshotAccount,
  type SnapshotModel,
} from '@sallyport/contracts';
import { UpstreamPools } from '@sallyport/proxy';
import { startFakeVendor, VENDOR_USAGE, VENDOR_WORDS, type FakeVendor, type VendorAct } from '@sallyport/testkit';
import { readChatRequest } from '../dialects/openai-chat/parse';
import { compileModels } from '../plan/compile';
import { LocalRouter } from '../plan/local-router';
import type { Planned } from '../router';
import { openWires } from '../wires/registry';
import type { ChatClient, ChatFacts, ChatRun } from './chat-call';
import { completeChat } from './run-plan';
import { systemTimers, type Timers } from './timers';

const principal = { tenant: 'default', consumer: 'shop', models: ['*'] } as unknown as Principal;
const random = (count: number) => randomBytes(count);
const price = {
  inputPerMillion: '0.15',
  outputPerMillion: '0.6',
  cacheReadPerMillion: '0.075',
  currency: 'USD',
} as const;

/** A caller that keeps what it is given. */
class Caller implements ChatClient {
  status = 0;
  fields: Readonly<Record<string, string>> = {};
  readonly chunks: Buffer[] = [];
  ended = false;
  settlements: aiV1.Settlement[] = [];
  facts: ChatFacts | undefined;
  /** Refuses more after every chunk while set. */
  slow = false;
  private readonly watchers = new Set<() => void>();

  head(status: number, fields: Readonly<Record<string, string>>): void {
    expect(this.status).toBe(0);
    this.status = status;
    this.fields = fields;
    this.changed();
  }

  data(chunk: Buffer): boolean {
    expect(this.status).not.toBe(0);
    expect(this.ended).toBe(false);
    this.chunks.push(chunk);
    this.changed();
    return !this.slow;
  }

  end(): void {
    expect(this.ended).toBe(false);
    this.ended = true;
    this.changed();
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString('utf8');
  }

  /** What a client reads out of the stream. */
  get said(): string {
    const events = this.text.split('\n\n').filter((event) => event.startsWith('data: {'));
    const chunks = events.map(
      (event) => JSON.parse(event.slice(6)) as { choices?: { delta?: { content?: string } }[] },
    );
    return chunks.map((chunk) => chunk.choices?.[0]?.delta?.content ?? '').join('');
  }

  async until(what: () => boolean): Promise<void> {
    while (!what()) await new Promise<void>((resolve) => this.watchers.add(resolve));
  }

  finished(facts: ChatFacts): void {
    expect(this.facts).toBeUndefined();
    this.facts = facts;
    this.changed();
  }

  private changed(): void {
    for (const wake of this.watchers) wake();
    this.watchers.clear();
  }
}

describe('completeChat', () => {
  let first: FakeVendor;
  let second: FakeVendor;
  let pools: UpstreamPools;

  beforeEach(async () => {
    [first, second] = await Promise.all([startFakeVendor(), startFakeVendor()]);
    pools = new UpstreamPools();
  });

  afterEach(async () => {
    await pools.destroy();
    await Promise.all([first.close(), second.close()]);
  });

  function account(name: string, vendor: FakeVendor): SnapshotAccount {
    const key = `\${env:KEY_${name.toUpperCase()}}`;
    return {
      tenant: 'default',
      name,
      provider: name,
      wire: 'openai-chat',
      baseUrl: vendor.baseUrl,
      allowPrivate: true,
      key,
    };
  }

  function planFor(model: string, stream: boolean, timeouts: Partial<aiV1.Timeouts> = {}): Planned {
    const one = { account: 'first', model: 'vendor-small', price };
    const models: SnapshotModel[] = [
      { tenant: 'default', name: 'one', class: 'public', targets: [one] },
      { tenant: 'default', name: 'unpriced', class: 'public', targets: [{ ...one, price: null }] },
      {
        tenant: 'default',
        name: 'two',
        class: 'public',
        targets: [one, { account: 'second', model: 'vendor-large', price }],
      },
    ];
    const router = new LocalRouter({
      leases: { lease: (id) => ({ id, kind: 'bearer', secret: `secret-of-${id.split('@')[0]}`, expiresAt: Infinity }) },
    });
    router.use(
      compileModels({ revision: 'c_1', models, accounts: [account('first', first), account('second', second)] }),
    );
    let planned: Planned | undefined;
    const question = {
      requestId: 'req_1',
      tenant: 'default',
      principal,
      model,
      stream,
      inputBytes: 1,
      maxOutputTokens: 0,
    };
    router.plan(question, (outcome) => {
      if (isRefusal(outcome)) throw new Error(outcome.code);
      planned = outcome;
    });
    const { plan, lease } = planned!;
    const attempts = plan.attempts.map((attempt) => ({ ...attempt, timeouts: { ...attempt.timeouts!, ...timeouts } }));
    return { plan: { ...plan, attempts }, lease };
  }

  function run(
    request: Readonly<Record<string, unknown>> | string,
    options: { timeouts?: Partial<aiV1.Timeouts>; timers?: Timers; caller?: Caller } = {},
  ): { caller: Caller; exchange: ChatRun } {
    const caller = options.caller ?? new Caller();
    const body =
      typeof request === 'string'
        ? request
        : JSON.stringify({ messages: [{ role: 'user', content: 'hi' }], ...request });
    const chat = readChatRequest(Buffer.from(body));
    if (isRefusal(chat)) throw new Error(chat.code);
    const timers = options.timers ?? systemTimers;
    const exchange = completeChat({
      requestId: 'req_1',
      tenant: 'default',
      consumer: 'shop',
      credential: 'kid',
      request: chat,
      planned: planFor(chat.model, chat.stream, options.timeouts),
      wires: openWires({ pools, clock: systemClock, timers, random }),
      clock: systemClock,
      timers,
      random,
      client: caller,
      onAttempt: () => ({ traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' }),
      onSettled: (settlement) => caller.settlements.push(settlement),
      onFinished: (facts) => caller.finished(facts),
    });
    return { caller, exchange };
  }

  async function answered(request: Parameters<typeof run>[0], options?: Parameters<typeof run>[1]): Promise<Caller> {
    const { caller } = run(request, options);
    await caller.until(() => caller.facts !== undefined);
    return caller;
  }

  describe('passing through', () => {
    it('changes the name of the model in the body and nothing else, and shows the provider only its own key', async () => {
      await answered('{ "model" : "one", "messages":[{"role":"user","content":"a"}], "unknown": {"x":[1, 2]} }');
      const [request] = first.requests;
      expect(request!.body).toBe(
        '{ "model" : "vendor-small", "messages":[{"role":"user","content":"a"}], "unknown": {"x":[1, 2]} }',
      );
      expect(request!.path).toBe('/v1/chat/completions');
      expect(request!.headers).toMatchObject({
        authorization: 'Bearer secret-of-default/first',
        'accept-encoding': 'identity',
        traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
      });
    });

    it('gives the bytes of an answer back as they came, with what it cost', async () => {
      const rawBody = '{ "choices":[{"index":0}],\n "usage":{"prompt_tokens":1000001,"completion_tokens":3} }';
      first.script({ rawBody });
      const caller = await answered({ model: 'one' });
      expect(caller.text).toBe(rawBody);
      expect(caller.status).toBe(200);
      expect(caller.fields).toMatchObject({
        'content-type': 'application/json',
        'content-length': String(Buffer.byteLength(rawBody)),
        'x-sallyport-provider': 'first',
        'x-sallyport-model': 'one',
        'x-sallyport-cost-usd': '0.15000195',
      });
    });

    it('asks for usage although the client did not, and takes the chunk out again', async () => {
      const caller = await answered({ model: 'one', stream: true });
      expect(JSON.parse(first.requests[0]!.body)).toMatchObject({ stream_options: { include_usage: true } });
      expect(caller.said).toBe(VENDOR_WORDS.join(''));
      expect(caller.text).not.toContain('usage');
      expect(caller.text.endsWith('data: [DONE]\n\n')).toBe(true);
      expect(caller.fields).toMatchObject({ 'content-type': 'text/event-stream; charset=utf-8' });
      expect(caller.settlements[0]).toMatchObject({
        usage: { input: 11n, output: 7n },
        source: aiV1.UsageSource.USAGE_SOURCE_REPORTED,
      });
    });

    it('leaves the usage chunk to a client that asked for it, and its options alone', async () => {
      const caller = await answered({ model: 'one', stream: true, stream_options: { include_usage: true, x: 1 } });
      expect(JSON.parse(first.requests[0]!.body)).toMatchObject({ stream_options: { include_usage: true, x: 1 } });
      expect(caller.text).toContain('"usage":{"prompt_tokens":11');
    });

    it.each([1, 3, 7, 50])(
      'gives the same stream when the vendor cuts it into pieces of %i bytes',
      async (chunkBytes) => {
        first.script({}, { chunkBytes });
        const whole = await answered({ model: 'one', stream: true });
        const pieces = await answered({ model: 'one', stream: true });
        expect(pieces.text).toBe(whole.text);
        expect(pieces.settlements[0]!.costPicoUsd).toBe(whole.settlements[0]!.costPicoUsd);
      },
    );

    it('keeps the line ends of the vendor', async () => {
      first.script({ lineEnd: '\r\n' });
      const caller = await answered({ model: 'one', stream: true });
      expect(caller.text.endsWith('data: [DONE]\r\n\r\n')).toBe(true);
    });

    it('completes a stream whose vendor sends no end marker after saying why it stopped', async () => {
      first.script({ fault: 'no-marker' });
      const caller = await answered({ model: 'one', stream: true });
      expect(caller.facts!.outcome).toBe(aiV1.Outcome.OUTCOME_OK);
      expect(caller.text.endsWith('data: [DONE]\n\n')).toBe(true);
    });
  });

  describe('money', () => {
    it.each(['own-chunk', 'last-chunk', 'every-chunk'] as const)(
      'bills usage on %s once, to the pico',
      async (usagePlace) => {
        const usage = {
          prompt_tokens: 1_003,
          completion_tokens: 77,
          total_tokens: 1_080,
          prompt_tokens_details: { cached_tokens: 333 },
          completion_tokens_details: { reasoning_tokens: 50 },
        };
        first.script({ usage, usagePlace });
        const caller = await answered({ model: 'one', stream: true });
        expect(caller.settlements).toHaveLength(1);
        // 670 × 0.15 + 333 × 0.075 + 77 × 0.6 µUSD
        expect(formatUsd(caller.settlements[0]!.costPicoUsd)).toBe('0.000171675');
        expect(caller.facts!.costPicoUsd).toBe(caller.settlements[0]!.costPicoUsd);
      },
    );

    it('estimates what a vendor does not report, and says so', async () => {
      first.script({ usagePlace: 'none' });
      const caller = await answered({ model: 'one', stream: true });
      expect(caller.settlements[0]).toMatchObject({ source: aiV1.UsageSource.USAGE_SOURCE_ESTIMATED });
      expect(caller.settlements[0]!.usage!.output).toBe(BigInt(VENDOR_WORDS.length + 1));
    });

    it('serves a model without a price and settles it as unpriced', async () => {
      const caller = await answered({ model: 'unpriced' });
      expect(caller.status).toBe(200);
      expect(caller.fields).not.toHaveProperty('x-sallyport-cost-usd');
      expect(caller.settlements[0]).toMatchObject({ unpriced: true, costPicoUsd: 0n, usage: { input: 11n } });
      expect(caller.facts!.costPicoUsd).toBeUndefined();
    });

    it('charges what the vendor charges over many answers', async () => {
      const callers = await Promise.all(
        Array.from({ length: 20 }, (_, index) => answered({ model: 'one', stream: index % 2 === 0 })),
      );
      const output = callers.map((caller) => caller.settlements[0]!.usage!.output).reduce((sum, count) => sum + count);
      const billed = first.bill.reduce((sum, line) => sum + line.usage.completion_tokens, 0);
      expect(output).toBe(BigInt(billed));
      expect(billed).toBe(20 * VENDOR_USAGE.completion_tokens);
    });
  });

  describe('falling back before content', () => {
    const acts: [string, VendorAct][] = [
      ...[401, 403, 404, 408, 425, 429, 500, 502, 503, 504, 529].map((status): [string, VendorAct] => [
        `status ${status}`,
        { status },
      ]),
      ['a redirect', { status: 302, headers: { location: 'http://127.0.0.1:1/' } }],
      ['a reset before the head', { fault: 'reset-before-head' }],
      ['a reset before content', { fault: 'reset', afterEvents: 1 }],
      ['an error event before content', { fault: 'error', afterEvents: 1 }],
      ['an empty stream', { rawBody: 'data: [DONE]\n\n' }],
      ['a stream that ends before content', { fault: 'no-end', afterEvents: 1 }],
      ['silence instead of a head', { fault: 'never-answer' }],
      ['silence instead of content', { fault: 'stall', afterEvents: 1 }],
      ['a page instead of a stream', { rawBody: '<html>', contentType: 'text/html' }],
      ['an event without an end', { rawBody: Buffer.alloc(1_100_000, 0x61) }],
    ];

    it.each(acts)('%s: the next target answers, and nothing of the first is seen', async (_, act) => {
      first.script(act);
      const caller = await answered(
        { model: 'two', stream: true },
        { timeouts: { headMs: 500, firstContentMs: 1000 } },
      );
      expect(caller.status).toBe(200);
      expect(caller.said).toBe(VENDOR_WORDS.join(''));
      expect(caller.text).not.toContain('vendor-small');
      expect(caller.fields).toMatchObject({ 'x-sallyport-attempts': '2', 'x-sallyport-provider': 'second' });
      expect(caller.settlements.map(({ n, costPicoUsd }) => [n, costPicoUsd > 0n])).toEqual([
        [1, false],
        [2, true],
      ]);
      expect(caller.settlements[0]!.source).toBe(aiV1.UsageSource.USAGE_SOURCE_NONE);
      expect(JSON.parse(second.requests[0]!.body)).toMatchObject({ model: 'vendor-large' });
    });

    it.each<[string, VendorAct]>([
      ['an error in a 200 body', { rawBody: '{"error":{"message":"canary"}}' }],
      ['half an answer', { fault: 'reset' }],
      ['something that is not JSON', { rawBody: '<html>canary</html>' }],
    ])('not streamed, %s: the next target answers', async (_, act) => {
      first.script(act);
      const caller = await answered({ model: 'two' });
      expect(caller.status).toBe(200);
      expect(JSON.parse(caller.text)).toMatchObject({ model: 'vendor-large' });
    });

    it('does not go elsewhere with what is the fault of the caller, and repeats a known code only', async () => {
      const error = { message: 'canary host db-7', code: 'context_length_exceeded' };
      first.script({ status: 400, errorBody: JSON.stringify({ error }) });
      const caller = await answered({ model: 'two' });
      expect(second.requests).toHaveLength(0);
      expect(caller.status).toBe(400);
      expect(caller.text).toContain('context_length_exceeded');
      expect(caller.text).not.toContain('canary');
      expect(caller.facts!.outcome).toBe(aiV1.Outcome.OUTCOME_REFUSED);
    });

    it.each<[string, VendorAct, number, string]>([
      ['a busy vendor', { status: 429, headers: { 'retry-after': '7' } }, 503, 'upstream_busy'],
      ['a broken vendor', { status: 500, errorBody: 'canary' }, 502, 'upstream_broke'],
      ['a silent vendor', { fault: 'never-answer' }, 504, 'timeout'],
    ])('%s without a stand-in is a typed error', async (_, act, status, code) => {
      first.script(act);
      const caller = await answered({ model: 'one' }, { timeouts: { headMs: 60 } });
      expect(caller.status).toBe(status);
      expect(JSON.parse(caller.text)).toMatchObject({ error: { type: 'server_error', code } });
      expect(caller.text).not.toContain('canary');
      if (status === 503) expect(caller.fields).toMatchObject({ 'retry-after': '7', 'retry-after-ms': '7000' });
    });

    it('names a target nobody listens at', async () => {
      await first.close();
      const caller = await answered({ model: 'one' });
      expect(JSON.parse(caller.text)).toMatchObject({ error: { code: 'upstream_unreachable' } });
    });
  });

  describe('breaking off after content', () => {
    it.each<[string, VendorAct, string]>([
      ['a reset', { fault: 'reset', afterEvents: 3 }, 'upstream_broke'],
      ['an error event', { fault: 'error', afterEvents: 3 }, 'upstream_broke'],
      ['half an event', { fault: 'half-event', afterEvents: 3 }, 'upstream_broke'],
      ['an end without finish and marker', { fault: 'no-end', afterEvents: 3 }, 'upstream_broke'],
      ['a stall', { fault: 'stall', afterEvents: 3 }, 'timeout'],
    ])('%s ends the stream with an error event and without the end marker', async (_, act, code) => {
      first.script(act);
      const caller = await answered({ model: 'two', stream: true }, { timeouts: { idleMs: 80 } });
      expect(second.requests).toHaveLength(0);
      expect(caller.ended).toBe(true);
      const events = caller.text.trimEnd().split('\n\n');
      expect(JSON.parse(events.at(-1)!.slice(6))).toMatchObject({ error: { type: 'server_error', code, param: null } });
      expect(caller.text).not.toContain('[DONE]');
      expect(caller.text).not.toContain('canary');
      expect(caller.settlements).toMatchObject([{ source: aiV1.UsageSource.USAGE_SOURCE_ESTIMATED, n: 1 }]);
      expect(caller.facts!.refusal?.code).toBeDefined();
    });
  });

  describe('a caller that leaves', () => {
    it.each([0, 1, 4])(
      'after %i pieces of content has the upstream closed within 200 ms and pays for what came',
      async (count) => {
        first.script({ fault: count === 0 ? 'never-answer' : 'stall', afterEvents: count + 1 });
        const { caller, exchange } = run({ model: 'two', stream: true });
        await first.received(1);
        if (count > 0) await caller.until(() => caller.said === VENDOR_WORDS.slice(0, count).join(''));
        const leftAt = performance.now();
        exchange.gone();
        expect((await first.requests[0]!.aborted) - leftAt).toBeLessThan(200);
        const source = count === 0 ? 'USAGE_SOURCE_NONE' : 'USAGE_SOURCE_ESTIMATED';
        expect(caller.settlements).toMatchObject([
          {
            outcome: aiV1.Outcome.OUTCOME_CLIENT_ABORTED,
            source: aiV1.UsageSource[source],
            usage: { output: BigInt(count) },
          },
        ]);
        expect(caller.facts).toMatchObject({
          outcome: aiV1.Outcome.OUTCOME_CLIENT_ABORTED,
          status: count === 0 ? 499 : 200,
        });
        expect(second.requests).toHaveLength(0);
        exchange.gone();
        expect(caller.settlements).toHaveLength(1);
      },
    );
  });

  describe('backpressure', () => {
    it('stops the vendor while the caller takes nothing, and loses nothing', async () => {
      const words = Array.from({ length: 400 }, (_, index) => `${'x'.repeat(20_000)}${index} `);
      first.script({ words });
      const caller = new Caller();
      caller.slow = true;
      const { exchange } = run({ model: 'one', stream: true }, { caller });
      await caller.until(() => caller.chunks.length > 0);
      // The vendor has 8 MB to say; what fits into the sockets between us is a small part of it.
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(Buffer.concat(caller.chunks).length).toBeLessThan(1_000_000);
      caller.slow = false;
      exchange.drained();
      await caller.until(() => caller.facts !== undefined);
      expect(caller.said).toBe(words.join(''));
    });

    it('does not take a slow caller for a stalled vendor', async () => {
      first.script({ words: Array.from({ length: 100 }, () => 'y'.repeat(20_000)) });
      const caller = new Caller();
      caller.slow = true;
      const { exchange } = run({ model: 'one', stream: true }, { caller, timeouts: { idleMs: 50 } });
      await caller.until(() => caller.chunks.length > 0);
      await new Promise((resolve) => setTimeout(resolve, 120));
      caller.slow = false;
      exchange.drained();
      await caller.until(() => caller.facts !== undefined);
      expect(caller.facts!.outcome).toBe(aiV1.Outcome.OUTCOME_OK);
    });
  });

  it('opens a silent stream with a comment after 15 s, and another target may still answer', async () => {
    const alarms: { ms: number; ring: () => void }[] = [];
    const timers: Timers = {
      after(ms, ring) {
        const alarm = { ms, ring };
        alarms.push(alarm);
        const cancel = ms === 15_000 ? () => undefined : systemTimers.after(ms, ring);
        return () => cancel();
      },
    };
    first.script({ fault: 'never-answer' });
    const clock = jest.spyOn(systemClock, 'monotonic');
    const { caller } = run({ model: 'two', stream: true }, { timers, timeouts: { headMs: 500 } });
    await first.received(1);
    const now = performance.now();
    clock.mockReturnValueOnce(now + 15_001);
    alarms.find(({ ms }) => ms === 15_000)!.ring();
    clock.mockRestore();
    expect(caller.text).toBe(': keep-alive\n\n');
    await caller.until(() => caller.facts !== undefined);
    expect(caller.said).toBe(VENDOR_WORDS.join(''));
    expect(caller.facts!.attempts).toBe(2);
  });

  describe('echo', () => {
    it('says what it was told, and counts words', async () => {
      const caller = await answered({ model: 'echo', messages: [{ role: 'user', content: 'say  this back' }] });
      expect(JSON.parse(caller.text)).toMatchObject({
        model: 'echo',
        choices: [{ message: { content: 'say  this back' }, finish_reason: 'stop' }],
        usage: { prompt_tokens: 3, completion_tokens: 3, total_tokens: 6 },
      });
      expect(caller.settlements[0]).toMatchObject({ costPicoUsd: 0n, unpriced: false, provider: 'echo' });
    });

    it('streams word by word', async () => {
      const caller = await answered({
        model: 'echo',
        stream: true,
        messages: [{ role: 'user', content: 'one two three' }],
      });
      expect(caller.said).toBe('one two three');
      expect(caller.text.match(/"content":"[^"]/g)).toHaveLength(3);
    });

    it('waits for a slow caller and stops when it leaves', async () => {
      const caller = new Caller();
      caller.slow = true;
      const content = 'word '.repeat(5_000);
      const { exchange } = run({ model: 'echo', stream: true, messages: [{ role: 'user', content }] }, { caller });
      expect(caller.chunks.length).toBeLessThan(5);
      exchange.drained();
      exchange.gone();
      expect(caller.facts).toMatchObject({ outcome: aiV1.Outcome.OUTCOME_CLIENT_ABORTED });
    });
  });
});
