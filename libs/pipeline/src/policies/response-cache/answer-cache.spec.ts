import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { AnswerDraft } from '../../draft';
import { AnswerCache, type CacheDecision, type CachedAnswer, type Flight } from './answer-cache';
import type { CacheRules } from './freshness';
import { readCacheControl } from './cache-control';
import { readHttpDate } from './http-date';
import type { CacheQuestion } from './question';

const rules: CacheRules = {
  unstatedMs: 0,
  stripSetCookie: false,
  staleIfErrorMs: 0,
  staleWhileRevalidateMs: 0,
  maxAnswerBytes: 2500,
  waitMs: 500,
};
const T0 = Date.UTC(2026, 0, 1);
const DATE = new Date(T0).toUTCString();

class Harness {
  now = T0;
  readonly alarms: { at: number; ring: () => void }[] = [];
  readonly cache: AnswerCache;

  constructor(maxBytes = 1_000_000) {
    this.cache = new AnswerCache(
      { now: () => this.now, monotonic: () => this.now },
      (ms, ring) => {
        const alarm = { at: this.now + ms, ring };
        this.alarms.push(alarm);
        return () => void this.alarms.splice(this.alarms.indexOf(alarm), 1);
      },
      maxBytes,
    );
  }

  ask(
    question: Partial<CacheQuestion> & { fields?: Record<string, string> } = {},
    more: Partial<CacheRules> = {},
  ): CacheDecision | 'waits' {
    return this.asking(question, more).decision ?? 'waits';
  }

  asking(question: Partial<CacheQuestion> & { fields?: Record<string, string> } = {}, more: Partial<CacheRules> = {}) {
    const { fields, ...rest } = question;
    const field = new Map(Object.entries(fields ?? {}));
    const asking: { decision?: CacheDecision; leave: () => void } = { leave: () => undefined };
    asking.leave = this.cache.ask(
      {
        method: 'GET',
        site: 'default http api.example',
        target: '/a',
        prefix: '',
        route: 'r',
        owner: 'billing',
        anonymous: false,
        shared: false,
        callerDecides: true,
        hasBody: false,
        field,
        forwarded: field,
        ...rest,
      },
      { ...rules, ...more },
      (decision) => (asking.decision = decision),
    );
    return asking;
  }

  /** Asks, and answers from the upstream when it gets there. */
  fetch(
    question: Parameters<Harness['ask']>[0],
    answer: { status?: number; fields?: Record<string, string>; body?: string },
    more: Partial<CacheRules> = {},
  ): {
    from: 'cache' | 'upstream' | 'waits' | 'nothing';
    served?: CachedAnswer;
    told?: string;
    conditions?: readonly string[];
  } {
    const decision = this.ask(question, more);
    if (decision === 'waits') return { from: 'waits' };
    if ('nothingKept' in decision) return { from: 'nothing' };
    if ('serve' in decision)
      return { from: 'cache', served: decision.serve, told: value(decision.serve, 'cache-status')! };
    return { ...answerWith(decision.flight, answer), conditions: decision.flight.conditions };
  }
}

function answerWith(flight: Flight, { status = 200, fields = {}, body = 'hello' }: Parameters<Harness['fetch']>[1]) {
  const head = flight.head(status, [...(fields['date'] ? [] : ['date', DATE]), ...Object.entries(fields).flat()]);
  if ('serve' in head) return { from: 'cache' as const, served: head.serve, told: value(head.serve, 'cache-status')! };
  flight.data(Buffer.from(body));
  flight.end();
  return { from: 'upstream' as const, told: head.cacheStatus };
}

function value({ fields }: CachedAnswer, name: string): string | undefined {
  const at = fields.findIndex((field, index) => index % 2 === 0 && field === name);
  return at < 0 ? undefined : fields[at + 1];
}

function flightOf(decision: CacheDecision | 'waits' | undefined): Flight {
  return (decision as { flight: Flight }).flight;
}

const byForce = { fields: { 'cache-control': 'no-cache' } };

interface VectorCase {
  name: string;
  rules?: Partial<CacheRules>;
  first: { question?: Record<string, unknown>; status?: number; fields?: Record<string, string> };
  after?: number;
  then: {
    question?: Record<string, unknown>;
    expect: 'cache' | 'upstream' | 'revalidates' | 'nothing';
    answered?: number;
    status?: number;
    age?: number;
  };
}
const vectors = parse(readFileSync(join(__dirname, 'rfc9111.vectors.yaml'), 'utf8')) as VectorCase[];

describe('the cache, by RFC 9111', () => {
  it.each(vectors.map((vector) => [vector.name, vector] as const))(
    '%s',
    (_, { first, after = 1, then, rules: more = {} }) => {
      const harness = new Harness();
      harness.fetch(first.question ?? {}, first, more);
      harness.now += after * 1000;
      const second = harness.fetch(then.question ?? {}, { status: then.answered ?? 200 }, more);
      const found = second.from === 'upstream' && second.conditions?.length ? 'revalidates' : second.from;
      expect(found).toBe(then.expect);
      if (then.age !== undefined) expect(value(second.served!, 'age')).toBe(String(then.age));
      if (then.status !== undefined && then.expect === 'cache') expect(second.served!.status).toBe(then.status);
    },
  );

  it('serves what it was given, with its age and what it did', () => {
    const harness = new Harness();
    const fields = { 'cache-control': 'max-age=60', 'content-type': 'text/plain', etag: '"1"' };
    expect(harness.fetch({}, { fields }).told).toBe('Sallyport; fwd=uri-miss; fwd-status=200; stored');
    harness.now += 7000;
    const { served } = harness.fetch({}, {});
    expect(served!.body.toString()).toBe('hello');
    expect(served!.fields).toEqual([
      'date',
      DATE,
      'cache-control',
      'max-age=60',
      'content-type',
      'text/plain',
      'etag',
      '"1"',
      'age',
      '7',
      'cache-status',
      'Sallyport; hit; ttl=53',
    ]);
  });

  it('answers HEAD with the head of a kept answer, and a caller who has it with 304', () => {
    const harness = new Harness();
    harness.fetch({}, { fields: { 'cache-control': 'max-age=60', 'content-type': 'text/plain', etag: '"1"' } });
    const head = harness.fetch({ method: 'HEAD' }, {}).served!;
    expect([head.status, head.body.length]).toEqual([200, 5]);
    const has = harness.fetch({ fields: { 'if-none-match': '"0", W/"1"' } }, {}).served!;
    expect([has.status, has.body.length, value(has, 'content-type')]).toEqual([304, 0, undefined]);
  });

  it('asks the upstream whether a stale answer still holds, and takes over what the 304 says', () => {
    const harness = new Harness();
    harness.fetch(
      {},
      { fields: { 'cache-control': 'max-age=1', etag: '"1"', 'content-type': 'text/plain', 'x-count': '1' } },
    );
    harness.now += 5000;
    const second = harness.fetch(
      {},
      { status: 304, fields: { 'cache-control': 'max-age=60', 'x-count': '2', 'content-type': 'x/y' } },
    );
    expect(second.conditions).toEqual(['if-none-match', '"1"']);
    expect([second.served!.status, value(second.served!, 'x-count'), value(second.served!, 'content-type')]).toEqual([
      200,
      '2',
      'text/plain',
    ]);
    expect(second.told).toBe('Sallyport; hit; fwd=stale; fwd-status=304');
    expect(harness.fetch({}, {}).from).toBe('cache');
  });

  it('does not keep what a 304 with another validator confirms', () => {
    const harness = new Harness();
    harness.fetch({}, { fields: { 'cache-control': 'max-age=1', etag: '"1"' } });
    harness.now += 5000;
    harness.fetch({}, { status: 304, fields: { 'cache-control': 'max-age=60', etag: '"2"' } });
    expect(harness.fetch({}, {}).told).toMatch(/uri-miss/);
  });

  it('keeps no answer of which not every byte has come', () => {
    const harness = new Harness();
    harness.fetch({}, { fields: { 'cache-control': 'max-age=60', 'content-length': '6' } });
    expect(harness.fetch({}, {}).from).toBe('upstream');
  });

  it('keeps the head as those left it who see the body first, and nothing that they forbid', () => {
    const harness = new Harness();
    const fields = ['cache-control', 'max-age=60', 'cache-status', 'CDN; hit'];
    const opened = (edit: (draft: AnswerDraft) => void) => {
      const { flight } = harness.ask() as { flight: Flight };
      const draft = new AnswerDraft('upstream', 200, [...fields, 'content-length', '9']);
      flight.head(draft.status, draft.fields.raw);
      draft.fields.set('x-before', 'edits a hit as well');
      draft.bodyFollows();
      edit(draft);
      const corrected = flight.bodyFollows(draft);
      flight.data(Buffer.from('packed'));
      flight.end();
      return corrected;
    };
    expect(opened((draft) => draft.fields.set('cache-control', 'no-store'))).toBe(
      'CDN; hit, Sallyport; fwd=uri-miss; fwd-status=200',
    );
    const pack = (draft: AnswerDraft) => {
      draft.fields.remove('content-length');
      draft.fields.set('content-encoding', 'gzip');
    };
    expect(opened(pack)).toBeUndefined();
    expect(harness.fetch({}, {}).served!.fields).toEqual([
      'cache-control',
      'max-age=60',
      'content-encoding',
      'gzip',
      'age',
      '0',
      'cache-status',
      'CDN; hit, Sallyport; hit; ttl=60',
    ]);
  });

  it('keeps an answer whose body never came only where it has none', () => {
    const harness = new Harness();
    const over = (target: string, status: number) => {
      const { flight } = harness.ask({ target }) as { flight: Flight };
      flight.head(status, ['cache-control', 'max-age=60']);
      flight.over();
      return harness.fetch({ target }, {}).from;
    };
    expect([over('/none', 204), over('/lost', 200)]).toEqual(['cache', 'upstream']);
  });

  it('lets stale answers stand in for an upstream that fails, for so long', () => {
    const harness = new Harness();
    harness.fetch({}, { fields: { 'cache-control': 'max-age=1, stale-if-error=10', etag: '"1"' } });
    harness.now += 5000;
    expect(harness.fetch({}, { status: 503 })).toMatchObject({
      from: 'cache',
      told: 'Sallyport; hit; fwd=stale; ttl=-4',
    });
    const { flight } = harness.ask({}) as { flight: Flight };
    expect(flight.failed()?.body.toString()).toBe('hello');
    harness.now += 7000;
    expect(harness.fetch({}, { status: 503 }).from).toBe('upstream');
  });
});

describe('whose answers they are', () => {
  const kept = { fields: { 'cache-control': 'max-age=60' } };
  const toAll = { fields: { 'cache-control': 'max-age=60, public' } };

  it.each([
    ['another caller', { owner: 'someone else' }],
    ['another tenant', { site: 'acme http api.example' }],
    ['another host', { site: 'default http other.example' }],
    ['another scheme', { site: 'default https api.example' }],
    ['another query', { target: '/a?b' }],
    ['another route, or the same in another form', { route: 'r2' }],
  ])('an answer is never given to %s', (_, question) => {
    const harness = new Harness();
    harness.fetch({}, toAll);
    expect(harness.fetch(question, {}).from).toBe('upstream');
  });

  it('an answer to one caller is given to another one only where sharing is on and the answer says public', () => {
    const given = (shared: boolean, answer: typeof kept, anonymous = false) => {
      const harness = new Harness();
      harness.fetch({ shared, anonymous }, answer);
      return harness.fetch({ shared, owner: 'someone else' }, {}).from;
    };
    expect([given(false, toAll), given(true, kept), given(true, toAll), given(true, kept, true)]).toEqual([
      'upstream',
      'upstream',
      'cache',
      'cache',
    ]);
  });

  it('property: what the cache serves was once answered to the same caller, or to anybody with public', () => {
    const owner = fc.constantFrom('a', 'b', 'c');
    const control = fc.constantFrom(
      'max-age=5',
      'max-age=5, public',
      'no-store',
      'private, max-age=5',
      'max-age=0',
      's-maxage=3',
    );
    const step = fc.record({
      owner,
      control,
      target: fc.constantFrom('/x', '/y'),
      shared: fc.boolean(),
      wait: fc.nat(4000),
      method: fc.constantFrom('GET', 'GET', 'POST'),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const harness = new Harness();
        steps.forEach(({ owner: who, control: stated, target, shared, wait, method }, at) => {
          harness.now += wait;
          const from = harness.now;
          const body = JSON.stringify({ who, target, stated, from, at });
          const fetched = harness.fetch(
            { owner: who, target, shared, method },
            { fields: { 'cache-control': stated, date: new Date(from).toUTCString() }, body },
          );
          if (fetched.from !== 'cache') return;
          const origin = JSON.parse(fetched.served!.body.toString()) as {
            who: string;
            target: string;
            stated: string;
            from: number;
          };
          expect(origin.target).toBe(target);
          expect(origin.who === who || (shared && origin.stated.includes('public'))).toBe(true);
          expect(origin.stated).not.toMatch(/no-store|private/);
          expect(harness.now - origin.from).toBeLessThan(5000);
        });
      }),
    );
  });
});

describe('a change', () => {
  const kept = { fields: { 'cache-control': 'max-age=60, public' } };

  it('makes the cache forget the URL for every caller, and what Location and Content-Location name', () => {
    const harness = new Harness();
    const targets = ['/a', '/b?x=1', '/c'];
    for (const target of targets) harness.fetch({ target, owner: 'x' }, kept);
    const changed = { location: 'http://api.example/b?x=1', 'content-location': 'c' };
    expect(harness.fetch({ method: 'POST' }, { status: 201, fields: changed }).told).toBe(
      'Sallyport; fwd=method; fwd-status=201',
    );
    expect(targets.map((target) => harness.fetch({ target, owner: 'x' }, {}).from)).toEqual([
      'upstream',
      'upstream',
      'upstream',
    ]);
  });

  it.each([
    ['that failed', { method: 'PUT' }, { status: 500 }],
    ['that was none', { method: 'OPTIONS' }, { status: 200 }],
    [
      'of another site',
      { method: 'PUT', target: '/z' },
      { status: 200, fields: { location: 'http://evil.example/a' } },
    ],
  ])('%s changes nothing', (_, question, answer) => {
    const harness = new Harness();
    harness.fetch({}, kept);
    harness.fetch(question, answer);
    expect(harness.fetch({}, {}).from).toBe('cache');
  });

  it('is not overtaken by an answer that was asked for before it', () => {
    const harness = new Harness();
    const { flight } = harness.ask({}) as { flight: Flight };
    harness.fetch({ method: 'DELETE' }, { status: 204 });
    answerWith(flight, kept);
    expect(harness.fetch({}, {}).from).toBe('upstream');
  });

  it('is not overtaken by the slower of two answers, though the other one was asked for by force', () => {
    const harness = new Harness();
    const slow = flightOf(harness.ask());
    harness.now += 10;
    harness.fetch(byForce, { ...kept, body: 'before' });
    harness.fetch({ method: 'POST' }, { status: 204 });
    answerWith(slow, { ...kept, body: 'before the change' });
    expect(harness.fetch({}, {}).from).toBe('upstream');
  });

  it('leaves nothing to stand in for an upstream that fails after it', () => {
    const harness = new Harness();
    harness.fetch({}, { fields: { 'cache-control': 'max-age=0, stale-if-error=60', etag: '"1"' } });
    const flight = flightOf(harness.ask());
    harness.fetch({ method: 'PUT' }, { status: 204 });
    expect(flight.failed()).toBeUndefined();
  });
});

describe('of two answers to the same question', () => {
  const kept = { 'cache-control': 'max-age=60' };

  it.each([
    ['in one space', {}, kept],
    ['of the caller and of everybody', { shared: true }, { 'cache-control': 'max-age=60, public' }],
  ])('the one that was asked for later is served, whichever came first: %s', (_, question, fields) => {
    const harness = new Harness();
    const slow = flightOf(harness.ask(question));
    harness.now += 1000;
    harness.fetch({ ...question, ...byForce }, { fields, body: 'new' });
    answerWith(slow, { fields: kept, body: 'old' });
    expect(harness.fetch(question, {}).served!.body.toString()).toBe('new');
  });

  it('the newest is served of those whose chosen fields match', () => {
    const harness = new Harness();
    harness.fetch({ fields: { 'x-v': '1' } }, { fields: { ...kept, vary: 'x-v' }, body: 'old' });
    harness.now += 1000;
    harness.fetch({ fields: { 'x-v': '2' } }, { fields: kept, body: 'new' });
    expect(harness.fetch({ fields: { 'x-v': '1' } }, {}).served!.body.toString()).toBe('new');
  });
});

describe('many who ask for the same at once', () => {
  const kept = { fields: { 'cache-control': 'max-age=60' } };

  it('are one call to the upstream', () => {
    const harness = new Harness();
    const { flight } = harness.ask({}) as { flight: Flight };
    const others = Array.from({ length: 50 }, () => harness.asking({}));
    expect(others.every(({ decision }) => decision === undefined)).toBe(true);
    answerWith(flight, kept);
    const told = others.map(({ decision }) => value((decision as { serve: CachedAnswer }).serve, 'cache-status'));
    expect(new Set(told)).toEqual(new Set(['Sallyport; fwd=uri-miss; collapsed']));
    expect(harness.alarms).toHaveLength(0);
  });

  it('do not wait for an answer that will not be kept', () => {
    const harness = new Harness();
    const { flight } = harness.ask({}) as { flight: Flight };
    const others = Array.from({ length: 5 }, () => harness.asking({}));
    flight.head(200, ['cache-control', 'no-store']);
    expect(others.every(({ decision }) => decision && 'flight' in decision)).toBe(true);
  });

  it('call one after the other when calls break off', () => {
    const harness = new Harness();
    const { flight } = harness.ask({}) as { flight: Flight };
    const [one, other] = [harness.asking({}), harness.asking({})];
    flight.abort();
    expect(one.decision).toHaveProperty('flight');
    expect(other.decision).toBeUndefined();
    answerWith((one.decision as { flight: Flight }).flight, kept);
    expect(other.decision).toHaveProperty('serve');
  });

  it('wait so long and no longer', () => {
    const harness = new Harness();
    harness.ask({});
    const waits = harness.asking({});
    expect(harness.alarms[0]!.at).toBe(T0 + 500);
    harness.alarms[0]!.ring();
    expect(waits.decision).toHaveProperty('flight');
  });

  it('hear nothing any more once they left', () => {
    const harness = new Harness();
    const { flight } = harness.ask({}) as { flight: Flight };
    const left = harness.asking({});
    left.leave();
    answerWith(flight, kept);
    expect([left.decision, harness.alarms.length]).toEqual([undefined, 0]);
  });

  describe('where what is kept is stale at once', () => {
    const stale = { 'cache-control': 'max-age=0', etag: '"1"' };

    /** One flight, and some who wait for it. */
    function waiting(more: Partial<CacheRules> = {}) {
      const harness = new Harness();
      harness.fetch({}, { fields: stale }, more);
      harness.now += 1000;
      const flight = flightOf(harness.ask({}, more));
      const others = Array.from({ length: 5 }, () => harness.asking({}, more));
      expect(others.every(({ decision }) => decision === undefined)).toBe(true);
      return { harness, flight, others };
    }

    it.each([
      ['confirmed', 304],
      ['answered anew', 200],
    ])('go on all at once when it is %s, each with a question of its own', (_, status) => {
      const { harness, flight, others } = waiting();
      harness.now += 300;
      answerWith(flight, { status, fields: stale });
      expect(others.map(({ decision }) => flightOf(decision).conditions)).toEqual(
        others.map(() => ['if-none-match', '"1"']),
      );
      for (const { decision } of others)
        expect(answerWith(flightOf(decision), { status: 304, fields: stale }).from).toBe('cache');
    });

    it('are all served what may stand in for an upstream that fails, which was asked once', () => {
      const more = { staleIfErrorMs: 3_600_000 };
      const { flight, others } = waiting(more);
      expect(answerWith(flight, { status: 503 }).from).toBe('cache');
      expect(others.map(({ decision }) => decision)).toEqual(
        others.map(() => ({ serve: expect.objectContaining({ status: 200 }) as unknown })),
      );
    });

    it('stands in for HEAD as well, with the conditions of the caller', () => {
      const more = { staleIfErrorMs: 3_600_000 };
      const { harness, flight } = waiting(more);
      flight.abort();
      const head = flightOf(harness.ask({ method: 'HEAD' }, more));
      expect(head.conditions).toEqual([]);
      expect(head.head(503, [])).toMatchObject({ serve: { status: 200 } });
    });

    it('does not stand in for the answer to another method', () => {
      const more = { staleIfErrorMs: 3_600_000 };
      const { harness } = waiting(more);
      expect(harness.fetch({ method: 'POST' }, { status: 503 }, more).from).toBe('upstream');
    });
  });

  it('are served the stale answer while one fetches the next, where that is allowed', () => {
    const harness = new Harness();
    harness.fetch({}, { fields: { 'cache-control': 'max-age=1, stale-while-revalidate=30', etag: '"1"' } });
    harness.now += 3000;
    expect(harness.ask({})).toHaveProperty('flight');
    expect(harness.fetch({}, {}).told).toBe('Sallyport; hit; ttl=-2');
  });
});

describe('an answer that must be asked about at every use', () => {
  const stale = { staleWhileRevalidateMs: 10_000, staleIfErrorMs: 10_000 };

  it.each([
    ['no-cache, max-age=60', {}],
    ['no-cache', {}],
    ['no-cache, stale-while-revalidate=30', {}],
    ['max-age=0, stale-while-revalidate=30', { 'cache-control': 'max-age=0' }],
  ])('is not served while another caller asks: %s, to a caller with %j', (control, fields) => {
    const harness = new Harness();
    harness.fetch({}, { fields: { 'cache-control': control, etag: '"1"' } }, stale);
    harness.now += 1000;
    expect(harness.ask({}, stale)).toHaveProperty('flight');
    expect(harness.ask({ fields }, stale)).toBe('waits');
  });

  it('is not served for an upstream that fails', () => {
    const harness = new Harness();
    harness.fetch({}, { fields: { 'cache-control': 'no-cache, stale-if-error=60', etag: '"1"' } }, stale);
    expect(harness.fetch({}, { status: 503 }, stale).from).toBe('upstream');
  });
});

describe('the memory of the cache', () => {
  const kept = { fields: { 'cache-control': 'max-age=60' } };

  it('is bounded in bytes, and what was used longest ago goes first', () => {
    const harness = new Harness(5000);
    const body = 'x'.repeat(1000);
    for (const target of ['/1', '/2', '/3']) harness.fetch({ target }, { ...kept, body });
    harness.fetch({ target: '/1' }, {});
    harness.fetch({ target: '/4' }, { ...kept, body });
    const from = (target: string) => ('serve' in (harness.ask({ target }) as object) ? 'cache' : 'upstream');
    expect(['/1', '/2', '/3', '/4'].map(from)).toEqual(['cache', 'upstream', 'cache', 'cache']);
  });

  it('property: never holds more than it may, and forgets everything it is told to', () => {
    const step = fc.record({ target: fc.nat(20), size: fc.nat(3000), vary: fc.nat(40) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const harness = new Harness(10_000);
        for (const { target, size, vary } of steps) {
          const question = { target: `/${target}`, fields: { 'x-v': String(vary) } };
          harness.fetch(question, { fields: { ...kept.fields, vary: 'X-V' }, body: 'y'.repeat(size) });
          expect(harness.cache.store.bytes).toBeLessThanOrEqual(10_000);
        }
        for (let target = 0; target <= 20; target++)
          harness.fetch({ target: `/${target}`, method: 'PUT' }, { status: 200 });
        expect([harness.cache.store.bytes, harness.cache.store.size]).toEqual([0, 0]);
      }),
    );
  });
});

describe('reading what others wrote', () => {
  it.each([
    ['max-age=60', [['max-age', '60']]],
    [
      ' Max-Age="60" , public,, x="a, b\\"c"',
      [
        ['max-age', '60'],
        ['public', ''],
        ['x', 'a, b\\"c'],
      ],
    ],
    ['max-age=1, max-age=2', [['max-age', '1']]],
    ['', []],
    ['max age=1', [['no-store', '']]],
    ['public, "', [['no-store', '']]],
  ])('Cache-Control: %s', (text, directives) => expect([...readCacheControl(text)]).toEqual(directives));

  it.each([
    ['Sun, 06 Nov 1994 08:49:37 GMT', 784_111_777_000],
    ['Sunday, 06-Nov-94 08:49:37 GMT', 784_111_777_000],
    ['Sun Nov  6 08:49:37 1994', 784_111_777_000],
    ['Sun, 06 Nov 1994 08:49:37 +0000', undefined],
    ['0', undefined],
    ['Sun, 06 Nov 1994 25:49:37 GMT', undefined],
  ])('Date: %s', (text, time) => expect(readHttpDate(text, T0)).toBe(time));
});
