import { answerWith, byForce, flightOf, Harness, T0, value } from './cache-under-test.suite';
import type { CacheRules } from './freshness';
import type { CachedAnswer } from './served';

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

  it('is of the URL that callers know, whose prefix the upstream does not, in its one spelling', () => {
    const harness = new Harness();
    const targets = ['/orders/~7', '/orders/8'];
    for (const target of targets) harness.fetch({ target }, kept);
    const changed = { location: '/%7E7', 'content-location': '/orders/8' };
    harness.fetch({ method: 'POST', target: '/orders', prefix: '/orders' }, { status: 201, fields: changed });
    expect(targets.map((target) => harness.fetch({ target }, {}).from)).toEqual(['upstream', 'upstream']);
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
    const flight = flightOf(harness.ask({}));
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
    const flight = flightOf(harness.ask({}));
    const others = Array.from({ length: 50 }, () => harness.asking({}));
    expect(others.every(({ decision }) => decision === undefined)).toBe(true);
    answerWith(flight, kept);
    const told = others.map(({ decision }) => value((decision as { serve: CachedAnswer }).serve, 'cache-status'));
    expect(new Set(told)).toEqual(new Set(['Sallyport; fwd=uri-miss; collapsed']));
    expect(harness.alarms).toHaveLength(0);
  });

  it('do not wait for an answer that will not be kept', () => {
    const harness = new Harness();
    const flight = flightOf(harness.ask({}));
    const others = Array.from({ length: 5 }, () => harness.asking({}));
    flight.head(200, ['cache-control', 'no-store']);
    expect(others.every(({ decision }) => decision && 'flight' in decision)).toBe(true);
  });

  it('call one after the other when calls break off', () => {
    const harness = new Harness();
    const flight = flightOf(harness.ask({}));
    const [one, other] = [harness.asking({}), harness.asking({})];
    flight.abort();
    expect(one.decision).toHaveProperty('flight');
    expect(other.decision).toBeUndefined();
    answerWith(flightOf(one.decision), kept);
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
    const flight = flightOf(harness.ask({}));
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
