import fc from 'fast-check';
import type { Charge, Spending } from '@sallyport/limits';
import { LocalLimiter, MemorySource } from '@sallyport/limits';
import { refuse, type RequestHead } from '@sallyport/contracts';
import { policyInput, somePrincipal, someRoute } from '@sallyport/testkit';
import type { PolicyHooks, PolicyInput, PolicyServices, Settled } from '../../policy';
import { servicesWithoutMemory } from '../../policy-services';
import { rateLimit } from './rate-limit';

function hooksFor(given: object, services: Partial<PolicyServices> = {}): PolicyHooks {
  return rateLimit.compile(rateLimit.config.parse(given), someRoute(), { ...servicesWithoutMemory, ...services });
}

function charges(given: object, input: PolicyInput): readonly Charge[] {
  return hooksFor(given).charges!(input) as readonly Charge[];
}

function keys(by: unknown, head: Partial<RequestHead> = {}, principal = somePrincipal()): string[] {
  return charges({ limit: 5, window: '1m', by }, policyInput(head, { principal })).map(({ key }) => key);
}

function withField(value: string): Partial<RequestHead> {
  return { field: new Map([['x-team', value]]) };
}

describe('several limits at once', () => {
  it('are each charged under a name of their own', () => {
    const limits = [
      { limit: 10, window: '1s', by: 'key' },
      { limit: 1000, window: '1d' },
      { name: 'everyone', limit: 50, window: '1s', by: 'route', burst: 20 },
    ];
    const made = charges({ limits }, policyInput({}, { principal: somePrincipal() }));
    expect(
      made.map(({ policy, key, limit, windowSeconds, burst }) => [policy, key, limit, windowSeconds, burst]),
    ).toEqual([
      ['per-1s', 'orders/v1:per-1s:key:7QmX2aB0cde', 10, 1, 10],
      ['per-1d', 'orders/v1:per-1d:consumer:billing', 1000, 86_400, 1000],
      ['everyone', 'orders/v1:everyone:route:*', 50, 1, 20],
    ]);
  });

  it.each([
    ['a list and a limit of its own', { limit: 1, window: '1s', limits: [{ limit: 1, window: '1s' }] }],
    [
      'two of one name',
      {
        limits: [
          { limit: 1, window: '1s' },
          { limit: 2, window: '1s', by: 'key' },
        ],
      },
    ],
    ['neither', {}],
    ['a limit without a window', { limit: 1 }],
    ['an empty list', { limits: [] }],
    ['a field that is no name', { limit: 1, window: '1s', by: { header: 'a b' } }],
    ['a claim that is not known here', { limit: 1, window: '1s', by: { claim: 'email' } }],
  ])('refuse %s', (_, given) => {
    expect(rateLimit.config.safeParse(given).success).toBe(false);
  });
});

describe('what a request is counted by', () => {
  it('can be a field, and then every member of its list', () => {
    expect(keys({ header: 'X-Team' }, withField('red'))).toEqual(['orders/v1:default:header.x-team:red']);
    expect(keys({ header: 'x-team' }, withField('red, blue,red'))).toEqual([
      'orders/v1:default:header.x-team:red',
      'orders/v1:default:header.x-team:blue',
    ]);
    expect(keys({ header: 'x-team' })).toEqual(['orders/v1:default:header.x-team:']);
  });

  it('can be a claim', () => {
    expect(keys({ claim: 'sub' })).toEqual(['orders/v1:default:claim.sub:billing-bot']);
  });

  it('can be several dimensions together', () => {
    expect(keys(['consumer', { header: 'x-team' }], withField('a, b'))).toEqual([
      'orders/v1:default:consumer+header.x-team:billing|a',
      'orders/v1:default:consumer+header.x-team:billing|b',
    ]);
  });

  it('makes bounded work and bounded keys of whatever a caller sends', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 5000 }),
        fc.array(fc.string(), { maxLength: 50 }),
        (text, list) => {
          for (const value of [text, list.join(',')]) {
            const made = keys(['consumer', { header: 'x-team' }], withField(value));
            expect(made.length).toBeLessThanOrEqual(8);
            for (const key of made) expect(key.length).toBeLessThan(200);
          }
        },
      ),
    );
  });

  it('never counts two values as one', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (one, other) => {
        const [a, b] = [one, other].map((value) => value.replaceAll(',', '.').trim());
        const same = keys({ header: 'x-team' }, withField(a!))[0] === keys({ header: 'x-team' }, withField(b!))[0];
        expect(same).toBe(a === b);
      }),
    );
  });
});

describe('a limit in bytes', () => {
  const given = { name: 'traffic', limit: 1000, window: '1h', unit: 'bytes' };
  const settled: Settled = { status: 200, refusal: undefined, bytesIn: 300, bytesOut: 500, aborted: false };

  function limited(): { pass(head: Partial<RequestHead>, end?: Partial<Settled>): boolean } {
    const limiter = new LocalLimiter(new MemorySource({ now: () => 0, monotonic: () => 0 }));
    const hooks = hooksFor(given, { charge: (tenant, made, done) => limiter.spend(tenant, made, done) });
    return {
      pass: (head, end = {}) => {
        const input = policyInput(head, { principal: somePrincipal() });
        const made = hooks.charges!(input) as readonly Charge[];
        let spending: Spending | undefined;
        limiter.spend('default', made, (given) => (spending = given));
        const refusal = spending!.allowed ? undefined : refuse('LIMIT_EXCEEDED');
        hooks.settle!(input, { ...settled, refusal, ...end });
        return spending!.allowed;
      },
    };
  }

  it('charges what is announced before the request is let in, in its own unit', () => {
    expect(charges(given, policyInput({ contentLength: 300, hasBody: true }))).toMatchObject([
      { cost: 300, unit: 'content-bytes' },
    ]);
    expect(charges(given, policyInput())).toMatchObject([{ cost: 1, unit: 'content-bytes' }]);
  });

  it('charges the rest when the request is over: what came unannounced, and the answer', () => {
    const route = limited();
    expect(route.pass({ contentLength: 300, hasBody: true }, { bytesOut: 600 })).toBe(true);
    expect(route.pass({ contentLength: 101, hasBody: true })).toBe(false);
    expect(route.pass({ contentLength: 100, hasBody: true }, { bytesIn: 100, bytesOut: 0 })).toBe(true);
    expect(route.pass({})).toBe(false);
  });

  it('lets the request that overdraws pass and nothing after it', () => {
    const route = limited();
    expect(route.pass({ hasBody: true }, { bytesIn: 50, bytesOut: 1_000_000 })).toBe(true);
    expect(route.pass({})).toBe(false);
  });

  it('takes nothing for a request that was refused for want of room', () => {
    const route = limited();
    expect(route.pass({ contentLength: 2000, hasBody: true }, { bytesOut: 400 })).toBe(false);
    expect(route.pass({ contentLength: 1000, hasBody: true }, { bytesIn: 1000, bytesOut: 0 })).toBe(true);
  });
});
