import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { AnswerDraft } from '../../draft';
import { DATE, flightOf, Harness, T0, value } from './cache-under-test.suite';
import { readCacheControl } from './cache-control';
import type { CacheRules } from './freshness';
import { readHttpDate } from './http-date';

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

  it('does not take a 304 with another validator for a word on what it has, and asks anew', () => {
    const other = { status: 304, fields: { 'cache-control': 'max-age=60', etag: '"2"' } };
    const contradicted = (question: Parameters<Harness['fetch']>[0], more: Partial<CacheRules> = {}) => {
      const harness = new Harness();
      harness.fetch({}, { fields: { 'cache-control': 'max-age=1', etag: '"1"' } }, more);
      harness.now += 5000;
      const told = harness.fetch(question, other, more);
      expect(harness.fetch({}, {}).told).toMatch(/uri-miss/);
      return told;
    };
    expect(contradicted({})).toMatchObject({ from: 'nothing' });
    expect(contradicted({ fields: { 'if-none-match': '"2"' } })).toMatchObject({
      from: 'upstream',
      told: 'Sallyport; fwd=stale; fwd-status=304',
    });
    const { served } = contradicted({}, { staleIfErrorMs: 60_000 });
    expect([value(served!, 'etag'), served!.body.toString()]).toEqual(['"1"', 'hello']);
  });

  it('takes what a 304 says of bytes for no word on those it has', () => {
    const harness = new Harness();
    const fields = { 'cache-control': 'max-age=60', 'content-encoding': 'gzip' };
    harness.fetch({}, { fields: { ...fields, etag: 'W/"1"' } });
    harness.now += 70_000;
    const confirmed = { 'cache-control': 'max-age=60', etag: '"1"', 'content-digest': 'x', 'repr-digest': 'y' };
    const { served } = harness.fetch({}, { status: 304, fields: confirmed });
    expect(['content-encoding', 'etag'].map((name) => value(served!, name))).toEqual(['gzip', 'W/"1"']);
    expect(['content-digest', 'repr-digest'].map((name) => value(served!, name))).toEqual([undefined, undefined]);
  });

  it('counts the age of an answer without a date, and of a 304 without one, from when it came', () => {
    const harness = new Harness();
    const fields = ['cache-control', 'max-age=60', 'etag', '"1"'];
    const fetched = (status: number) => {
      const flight = flightOf(harness.ask());
      const head = flight.head(status, fields);
      flight.end();
      return head;
    };
    fetched(200);
    harness.now += 100_000;
    expect(fetched(304)).toHaveProperty('serve');
    harness.now += 10_000;
    const { served } = harness.fetch({}, {});
    expect([value(served!, 'age'), value(served!, 'date')]).toEqual(['10', new Date(T0 + 100_000).toUTCString()]);
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
      const flight = flightOf(harness.ask());
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
      'date',
      DATE,
      'age',
      '0',
      'cache-status',
      'CDN; hit, Sallyport; hit; ttl=60',
    ]);
  });

  it('keeps an answer whose body never came only where it has none', () => {
    const harness = new Harness();
    const over = (target: string, status: number) => {
      const flight = flightOf(harness.ask({ target }));
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
    const flight = flightOf(harness.ask({}));
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
