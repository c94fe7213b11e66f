import fc from 'fast-check';
import { refuse, type RequestHead } from '@sallyport/contracts';
import { policyInput, somePrincipal, someRoute, type TestExchange } from '@sallyport/testkit';
import { AnswerDraft, RequestDraft } from '../../draft';
import { isReply, type PolicyInput, type PolicyServices, type Verdict } from '../../policy';
import { servicesWithoutMemory } from '../../policy-services';
import { MemoryStore, type SharedStore } from '../../shared-store';
import { idempotencyKey } from './idempotency-key';
import { readKey } from './key';
import { readRecord, writeRecord, type LedgerRecord } from './ledger-record';

/** A cluster of gateways with one store and one clock. */
class Cluster {
  now = 1_000_000;
  away = false;
  /** What of the store does what it is asked to, and says that nobody can say. */
  silent: readonly (keyof SharedStore)[] = [];
  /** After how many milliseconds claims arrive at the store, which says at once that nobody can say. */
  lateBy = 0;
  /** Whether answers of the store wait for \`deliver\`. */
  slow = false;
  private waiting: (() => void)[] = [];
  private alarms: { at: number; ring: () => void; of: string }[] = [];
  private readonly memory = new MemoryStore({ now: () => this.now, monotonic: () => this.now }, 1_000_000);
  private readonly store: SharedStore = {
    get: (key, done) => this.ask('get', done, (told) => this.memory.get(key, told)),
    set: (key, value, ttlMs, done) => this.memory.set(key, value, ttlMs, done),
    claim: (key, value, ttlMs, done) => {
      const claim = (told: typeof done): void => this.memory.claim(key, value, ttlMs, told);
      if (this.lateBy === 0) return this.ask('claim', done, claim);
      this.alarms.push({ at: this.now + this.lateBy, ring: () => claim(() => undefined), of: 'store' });
      done('unavailable');
    },
    replace: (key, before, value, ttlMs, done) =>
      this.ask('replace', done, (told) => this.memory.replace(key, before, value, ttlMs, told)),
    remove: (key, before, done = () => undefined) =>
      this.ask('remove', done, (told) => this.memory.remove(key, before, told)),
  };

  private ask<Found>(
    what: keyof SharedStore,
    done: (found: Found | 'unavailable') => void,
    run: (told: (found: Found | 'unavailable') => void) => void,
  ): void {
    if (this.away) return done('unavailable');
    run((found) => {
      const answer = this.silent.includes(what) ? 'unavailable' : found;
      if (this.slow) this.waiting.push(() => done(answer));
      else done(answer);
    });
  }

  /** The store's answers arrive. */
  deliver(): void {
    for (const arrive of this.waiting.splice(0)) arrive();
  }

  gateway(name: string, config: object = {}) {
    const services: PolicyServices = {
      ...servicesWithoutMemory,
      clock: { now: () => this.now, monotonic: () => this.now },
      timers: {
        after: (ms, ring) => {
          const alarm = { at: this.now + ms, ring, of: name };
          this.alarms.push(alarm);
          return () => void (this.alarms = this.alarms.filter((other) => other !== alarm));
        },
      },
      store: this.store,
    };
    return new Gateway(idempotencyKey.compile(idempotencyKey.config.parse(config), someRoute(), services));
  }

  pass(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const next = this.alarms.filter(({ at }) => at <= end).sort((one, other) => one.at - other.at)[0];
      if (!next) break;
      this.alarms = this.alarms.filter((alarm) => alarm !== next);
      this.now = Math.max(this.now, next.at);
      next.ring();
    }
    this.now = end;
  }

  /** A gateway ends as by kill -9: nothing it planned happens. */
  kill(name: string): void {
    this.alarms = this.alarms.filter(({ of }) => of !== name);
  }
}

type Started = { verdict: Verdict; left?: boolean; input: PolicyInput & { exchange: TestExchange } };

let requests = 0;

class Gateway {
  /** Requests that went upstream. */
  executions = 0;

  constructor(private readonly hooks: ReturnType<typeof idempotencyKey.compile>) {}

  begin(key: string | undefined, body = '{}', more: Partial<RequestHead> = {}, principal = somePrincipal()): Started {
    const field = new Map(key === undefined ? [] : [['idempotency-key', key]]);
    const requestId = `req_${++requests}`;
    const input = policyInput({ method: 'POST', field, hasBody: true, ...more }, { principal, requestId });
    const started: Started = { verdict: undefined, input };
    started.verdict = this.hooks.admit!(input);
    if (started.verdict) return started;
    const draft = new RequestDraft(input.request, '/');
    const { requestBody } = this.hooks;
    if (requestBody?.mode === 'whole' && requestBody.wants!(input))
      requestBody.run(input, Buffer.from(body), draft, () => undefined);
    this.hooks.intercept!(
      input,
      (verdict) => {
        if (started.left) return;
        started.verdict = verdict;
        if (verdict !== undefined) return;
        this.executions += 1;
        input.exchange.isSentOn = true;
      },
      draft,
    );
    return started;
  }

  answer(
    { input }: Started,
    status = 201,
    body = 'made',
    fields: string[] = [],
    behind: (draft: AnswerDraft) => void = () => undefined,
    mayBeCut = false,
  ): void {
    const made = ['location', '/1', 'set-cookie', 'sid=1', ...fields];
    const draft = new AnswerDraft('upstream', status, made, mayBeCut);
    behind(draft);
    this.hooks.answerHead!(input, draft);
    // As policies before this one do, whose hooks come behind.
    draft.fields.add('x-before', '1');
    draft.bodyFollows();
    const out = { data: () => true, end: () => undefined, room: () => undefined, refuse: () => undefined };
    const transform =
      this.hooks.answerBody?.mode === 'stream' && status !== 204
        ? this.hooks.answerBody.open(input, draft, out)
        : undefined;
    if (transform) {
      transform.data(Buffer.from(body));
      transform.end();
    }
    this.end({ input } as Started);
  }

  /** The caller goes away. */
  leave(started: Started): void {
    started.left = true;
    started.input.exchange.close();
    this.end(started, undefined, true);
  }

  end({ input }: Started, refusal?: ReturnType<typeof refuse>, aborted = false): void {
    this.hooks.settle!(input, { status: 0, refusal, bytesIn: 0, bytesOut: 0, aborted });
  }

  send(key: string | undefined, body?: string, more?: Partial<RequestHead>): ReturnType<typeof told> {
    const started = this.begin(key, body, more);
    if (started.verdict === undefined) this.answer(started);
    return told(started);
  }
}

function told({ verdict }: Started): string | [number, string, readonly string[]] {
  if (verdict === undefined) return 'executed';
  return isReply(verdict) ? [verdict.status, Buffer.from(verdict.body).toString(), verdict.fields] : verdict.code;
}

const KEY = 'order-0001';
const MADE = [201, 'made', ['location', '/1', 'idempotency-replayed', 'true']];

describe('the idempotency-key policy', () => {
  it('lets a request through once, and answers the next ones as the first, at whichever gateway', () => {
    const cluster = new Cluster();
    const [one, two] = [cluster.gateway('one'), cluster.gateway('two')];
    expect(one.send(KEY)).toBe('executed');
    expect(two.send(`"${KEY}"`)).toEqual([201, 'made', ['location', '/1', 'idempotency-replayed', 'true']]);
    cluster.pass(24 * 3_600_000);
    expect(two.send(KEY)).toBe('executed');
  });

  it('does not replay an answer of which nobody can tell whether it was whole', () => {
    const gateway = new Cluster().gateway('one');
    gateway.answer(gateway.begin(KEY), 201, 'ma', [], undefined, true);
    expect(gateway.send(KEY)).toBe('IDEMPOTENCY_NOT_REPLAYABLE');
  });

  it.each([
    ['another body', '{"a":1}', {}],
    ['another path', '{}', { path: '/other' }],
    ['another query', '{}', { query: 'a=1', hasQuery: true }],
    ['another method', '{}', { method: 'PATCH' }],
    [
      'another media type',
      '{}',
      {
        field: new Map([
          ['idempotency-key', KEY],
          ['content-type', 'text/plain'],
        ]),
      },
    ],
  ])('refuses the same key with %s', (_, body, more) => {
    const gateway = new Cluster().gateway('one');
    gateway.send(KEY);
    expect(gateway.send(KEY, body, more)).toBe('IDEMPOTENCY_MISMATCH');
  });

  it.each([
    ['consumers', { consumer: 'other' }],
    ['users of one OAuth client', { subject: 'bob' }],
    ['clients of one user', { client: 'other' }],
  ])('keeps the keys of %s apart, and tells neither of the other', (_, more) => {
    const gateway = new Cluster().gateway('one');
    gateway.send(KEY);
    expect(told(gateway.begin(KEY, '{}', {}, somePrincipal(more)))).toBe('executed');
    expect(told(gateway.begin('order-0002', '{"a":1}', {}, somePrincipal(more)))).toBe('executed');
    gateway.send('order-0003');
    expect(told(gateway.begin('order-0003', '{"a":2}', {}, somePrincipal(more)))).toBe('executed');
  });

  it.each([
    [{ required: true }, undefined, 'IDEMPOTENCY_KEY_INVALID'],
    [{}, undefined, 'executed'],
    [{}, 'short', 'IDEMPOTENCY_KEY_INVALID'],
    [{}, 'two-keys-1, two-keys-2', 'IDEMPOTENCY_KEY_INVALID'],
    [{}, 'x'.repeat(256), 'IDEMPOTENCY_KEY_INVALID'],
    [{}, '"with \\"quotes\\""', 'executed'],
  ])('with %j and the key %s: %s', (config, key, outcome) => {
    expect(new Cluster().gateway('one', config).send(key)).toBe(outcome);
  });

  it('says so while the first is under way, however long that takes', () => {
    const cluster = new Cluster();
    const [one, two] = [cluster.gateway('one'), cluster.gateway('two')];
    const first = one.begin(KEY);
    for (let minutes = 0; minutes < 10; minutes++) {
      expect(two.send(KEY)).toBe('IDEMPOTENCY_IN_PROGRESS');
      cluster.pass(60_000);
    }
    one.answer(first);
    expect(two.send(KEY)).toEqual(MADE);
  });

  it('refuses while the store is away, and executes nothing', () => {
    const cluster = new Cluster();
    const gateway = cluster.gateway('one');
    cluster.away = true;
    expect([gateway.send(KEY), gateway.executions]).toEqual(['IDEMPOTENCY_UNAVAILABLE', 0]);
  });

  it('puts an answer down when the store is back, that came while it was away', () => {
    const cluster = new Cluster();
    const gateway = cluster.gateway('one');
    const first = gateway.begin(KEY);
    cluster.away = true;
    gateway.answer(first);
    cluster.pass(120_000);
    cluster.away = false;
    expect(gateway.send(KEY)).toBe('IDEMPOTENCY_IN_PROGRESS');
    cluster.pass(1_000);
    expect(gateway.send(KEY)).toEqual(MADE);
    expect(gateway.executions).toBe(1);
  });

  it.each(['refuse', 'execute'])('after the end of the gateway that was at it, with whenUnknown: %s', (whenUnknown) => {
    const cluster = new Cluster();
    cluster.gateway('one', { whenUnknown }).begin(KEY);
    cluster.kill('one');
    const two = cluster.gateway('two', { whenUnknown });
    cluster.pass(59_000);
    expect(two.send(KEY)).toBe('IDEMPOTENCY_IN_PROGRESS');
    cluster.pass(2_000);
    expect(two.send(KEY)).toBe('IDEMPOTENCY_IN_PROGRESS');
    cluster.pass(3_000);
    expect(two.send(KEY)).toBe(whenUnknown === 'refuse' ? 'IDEMPOTENCY_OUTCOME_UNKNOWN' : 'executed');
  });

  it('does not take a gateway for gone that only stood still', () => {
    const cluster = new Cluster();
    const [one, two] = [
      cluster.gateway('one', { whenUnknown: 'execute' }),
      cluster.gateway('two', { whenUnknown: 'execute' }),
    ];
    const first = one.begin(KEY);
    cluster.now += 70_000;
    expect(two.send(KEY)).toBe('IDEMPOTENCY_IN_PROGRESS');
    cluster.pass(2_000);
    cluster.pass(2_000);
    expect(two.send(KEY)).toBe('IDEMPOTENCY_IN_PROGRESS');
    one.answer(first);
    expect(two.send(KEY)).toEqual(MADE);
  });

  it.each([
    ['UPSTREAM_UNREACHABLE', false, 'executed'],
    ['ROUTE_NOT_FOUND', false, 'executed'],
    ['INTERNAL', false, 'executed'],
    ['UPSTREAM_UNREACHABLE', true, 'IDEMPOTENCY_OUTCOME_UNKNOWN'],
    ['INGRESS_OVERLOADED', true, 'IDEMPOTENCY_OUTCOME_UNKNOWN'],
    ['UPSTREAM_TIMEOUT', true, 'IDEMPOTENCY_OUTCOME_UNKNOWN'],
    ['UPSTREAM_BROKE', true, 'IDEMPOTENCY_OUTCOME_UNKNOWN'],
  ] as const)('after %s, and %s that something was sent on: %s', (code, isSentOn, then) => {
    const gateway = new Cluster().gateway('one');
    const first = gateway.begin(KEY);
    first.input.exchange.isSentOn = isSentOn;
    gateway.end(first, refuse(code));
    expect(gateway.send(KEY)).toBe(then);
  });

  it('knows nothing of a request whose caller left before the answer came', () => {
    const gateway = new Cluster().gateway('one');
    gateway.end(gateway.begin(KEY), undefined, true);
    expect(gateway.send(KEY)).toBe('IDEMPOTENCY_OUTCOME_UNKNOWN');
  });

  it('lets a key be used again that the upstream did nothing for', () => {
    const gateway = new Cluster().gateway('one');
    gateway.answer(gateway.begin(KEY), 503);
    expect(gateway.send(KEY)).toBe('executed');
  });

  it('leaves a key to whoever took it over, when the one that only stood still finds that nothing was done', () => {
    const cluster = new Cluster();
    const [one, two, three] = ['one', 'two', 'three'].map((name) => cluster.gateway(name, { whenUnknown: 'execute' }));
    const first = one!.begin(KEY);
    cluster.now += 61_000;
    expect(two!.send(KEY)).toBe('IDEMPOTENCY_IN_PROGRESS');
    cluster.now += 3_100;
    const second = two!.begin(KEY);
    one!.answer(first, 503);
    expect([told(second), three!.send(KEY)]).toEqual(['executed', 'IDEMPOTENCY_IN_PROGRESS']);
    two!.answer(second);
    expect(three!.send(KEY)).toEqual(MADE);
  });

  it('frees a key when the store is back, that the upstream did nothing for while it was away', () => {
    const cluster = new Cluster();
    const gateway = cluster.gateway('one');
    const first = gateway.begin(KEY);
    cluster.away = true;
    gateway.answer(first, 503);
    cluster.pass(120_000);
    cluster.away = false;
    cluster.pass(1_000);
    expect(gateway.send(KEY)).toBe('executed');
  });

  it.each([
    ['new', {}],
    ['taken over from a gateway that ended', { whenUnknown: 'execute' }],
  ])('frees a key, %s, whose caller left while it was being claimed', (what, config) => {
    const cluster = new Cluster();
    const [one, two] = [cluster.gateway('one', config), cluster.gateway('two', config)];
    if (what !== 'new') one.end(one.begin(KEY), refuse('UPSTREAM_BROKE'));
    cluster.slow = true;
    const gone = one.begin(KEY);
    if (what !== 'new') cluster.deliver();
    one.leave(gone);
    cluster.deliver();
    cluster.slow = false;
    expect(two.send(KEY)).toBe('executed');
    cluster.pass(600_000);
    expect(two.send(KEY)).toEqual(MADE);
  });

  it('frees a key in time that the store took, and said that it could not say', () => {
    const cluster = new Cluster();
    const gateway = cluster.gateway('one');
    cluster.silent = ['claim'];
    expect(gateway.send(KEY)).toBe('IDEMPOTENCY_UNAVAILABLE');
    cluster.silent = [];
    cluster.pass(1_000);
    expect(gateway.send(KEY)).toBe('executed');
    expect(gateway.executions).toBe(1);
  });

  it('frees a key that the store took later than it said anything', () => {
    const cluster = new Cluster();
    const gateway = cluster.gateway('one');
    cluster.lateBy = 1_500;
    expect(gateway.send(KEY)).toBe('IDEMPOTENCY_UNAVAILABLE');
    cluster.lateBy = 0;
    cluster.pass(3_000);
    expect(gateway.send(KEY)).toBe('executed');
  });

  it('gives the key that it meant to take over back as it was, when the store does not say that it took it', () => {
    const cluster = new Cluster();
    const gateway = cluster.gateway('one', { whenUnknown: 'execute' });
    gateway.end(gateway.begin(KEY), refuse('UPSTREAM_BROKE'));
    cluster.silent = ['replace'];
    expect(gateway.send(KEY)).toBe('IDEMPOTENCY_UNAVAILABLE');
    cluster.silent = [];
    cluster.pass(1_000);
    expect(gateway.send(KEY, '{"a":1}')).toBe('IDEMPOTENCY_MISMATCH');
    expect(gateway.send(KEY)).toBe('executed');
  });

  it.each([
    ['a stream', {}, 'data: x', ['content-type', 'text/event-stream']],
    ['a large answer', { maxAnswerBytes: 3 }, 'made', []],
    ['any answer where only the status is kept', { keep: 'status' }, 'made', []],
  ])('does not replay %s, and does not execute again either', (_, config, body, fields) => {
    const gateway = new Cluster().gateway('one', config);
    gateway.answer(gateway.begin(KEY), 200, body, fields);
    expect(gateway.send(KEY)).toBe('IDEMPOTENCY_NOT_REPLAYABLE');
  });

  it('replays an answer without a body', () => {
    const gateway = new Cluster().gateway('one');
    gateway.answer(gateway.begin(KEY), 204);
    expect(gateway.send(KEY)).toMatchObject([204, '', expect.anything()]);
  });

  it('keeps the head as it was here, and not what policies before it made of it', () => {
    const gateway = new Cluster().gateway('one');
    gateway.answer(gateway.begin(KEY), 204, '', [], ({ fields }) => fields.set('x-behind', '1'));
    gateway.answer(gateway.begin('order-0002'), 201, 'made', [], ({ fields }) => fields.set('x-behind', '1'));
    for (const key of [KEY, 'order-0002'])
      expect(gateway.send(key)).toMatchObject([
        expect.anything(),
        expect.anything(),
        ['location', '/1', 'x-behind', '1', 'idempotency-replayed', 'true'],
      ]);
  });

  it('property: whatever happens, and in whatever order, a key is executed once, but where nothing was done', () => {
    const step = fc.record({
      gateway: fc.nat(2),
      what: fc.constantFrom(
        'send',
        'answer',
        'timeout',
        'unreachable',
        'away',
        'silent',
        'back',
        'wait',
        'kill',
        'leave',
      ),
      ms: fc.nat(90_000),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const cluster = new Cluster();
        const gateways = ['0', '1', '2'].map((name) => cluster.gateway(name));
        const open: Started[][] = [[], [], []];
        let undone = 0;
        for (const { gateway: at, what, ms } of steps) {
          const gateway = gateways[at]!;
          if (what === 'send') {
            const started = gateway.begin(KEY);
            if (started.verdict === undefined) open[at]!.push(started);
          } else if (what === 'away' || what === 'silent' || what === 'back') {
            cluster.away = what === 'away';
            cluster.silent = what === 'silent' ? ['claim', 'replace', 'remove'] : [];
          } else if (what === 'wait') cluster.pass(ms);
          else if (what === 'kill') {
            cluster.kill(String(at));
            open[at] = [];
          } else {
            const started = open[at]!.pop();
            if (!started) continue;
            if (what === 'answer') gateway.answer(started);
            if (what === 'leave') gateway.leave(started);
            if (what === 'timeout') gateway.end(started, refuse('UPSTREAM_TIMEOUT'));
            if (what === 'unreachable') {
              started.input.exchange.isSentOn = false;
              gateway.end(started, refuse('UPSTREAM_UNREACHABLE'));
              undone += 1;
            }
          }
        }
        const executions = gateways.reduce((sum, { executions: of }) => sum + of, 0);
        expect(executions - undone).toBeLessThanOrEqual(1);
      }),
      { numRuns: 500 },
    );
  });
});

describe('what is kept of a key', () => {
  it('is read as it was written', () => {
    const record = fc.oneof<fc.Arbitrary<LedgerRecord>[]>(
      fc.record({ state: fc.constant('unknown' as const), fingerprint: fc.string() }),
      fc.record({
        state: fc.constant('running' as const),
        fingerprint: fc.string(),
        owner: fc.string(),
        leaseUntil: fc.nat(),
      }),
      fc.record({
        state: fc.constant('answered' as const),
        fingerprint: fc.string(),
        status: fc.integer({ min: 200, max: 599 }),
        fields: fc.array(fc.string()),
        body: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
      }),
    );
    fc.assert(fc.property(record, (one) => expect(readRecord(writeRecord(one))).toEqual(one)));
  });

  it.each(['', '{}\n', 'x\n', '{"state":"other"}\n'])('is nothing where it reads %j', (text) => {
    expect(readRecord(Buffer.from(text))).toBeUndefined();
  });

  it.each([
    ['abcdefgh', 'abcdefgh'],
    ['"a b c d e"', 'a b c d e'],
    ['"a\\"b\\\\cdef"', 'a"b\\cdef'],
    ['a b c d e', undefined],
    ['"abcdefgh', undefined],
    ['ümlaut-key', undefined],
  ])('the key %s is %s', (text, key) => expect(readKey(text)).toBe(key));
});
