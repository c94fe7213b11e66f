import { z } from 'zod';
import { isRefusal, type Principal, type RequestHead, type SnapshotRoute } from '@sallyport/contracts';
import { policyExchange, someHead, somePrincipal, someRoute } from '@sallyport/testkit';
import { chargesOf, compileRoute, PolicyCompiler, PolicyError, type CompiledRoute } from './compile';
import { definePolicy, type PolicyInput } from './policy';
import { servicesWithoutMemory } from './policy-services';

describe('compiling a route', () => {
  it('inspects every route that does not say otherwise, and denies when nobody can inspect', () => {
    expect(compileRoute(someRoute()).inspection).toEqual({
      plan: 'structural:block',
      onFailure: 'deny',
      blocks: true,
      response: undefined,
    });
  });

  it('lets an internal route pass uninspected when nobody can inspect, flagged', () => {
    expect(compileRoute(someRoute({ class: 'internal' })).inspection?.onFailure).toBe('allow_flagged');
  });

  it('takes inspection from the route, and from a waf policy what it says otherwise', () => {
    const waf = { profile: 'json-api' as const, response: { inspect: true }, on_failure: 'allow_flagged' as const };
    expect(compileRoute(someRoute({ waf })).inspection).toEqual({
      plan: 'json-api:block:{"response":{"inspect":true}}',
      onFailure: 'allow_flagged',
      blocks: true,
      response: { blocks: true, holdBytes: 16_384 },
    });
    const policies = [{ policy: 'waf', config: { mode: 'detect' } }];
    expect(compileRoute(someRoute({ waf, policies })).inspection?.response).toMatchObject({ blocks: false });
  });

  it('switches inspection off only where a waf policy says so', () => {
    const route = someRoute({ policies: [{ policy: 'waf', config: { mode: 'off' } }] });
    expect(compileRoute(route).inspection).toBeUndefined();
  });

  it('names the place of a policy that does not exist and lists those that do', () => {
    const route = someRoute({ policies: [{ policy: 'rate-limits', config: {} }] });
    expect(() => compileRoute(route)).toThrow(
      /\/policies\/0\/policy: there is no policy “rate-limits”; there are body-limit, .*rate-limit, .*waf/,
    );
  });

  it.each([
    ['an unknown member', { maxBytes: 1, maxByte: 2 }, '/policies/0/config'],
    ['a value of the wrong type', { maxBytes: '1' }, '/policies/0/config/maxBytes'],
    ['a value out of range', { maxBytes: -1 }, '/policies/0/config/maxBytes'],
  ])('names the place of %s', (_, config, pointer) => {
    const route = someRoute({ policies: [{ policy: 'body-limit', config: config as never }] });
    expect(() => compileRoute(route)).toThrow(PolicyError);
    expect(() => compileRoute(route)).toThrow(pointer);
  });

  it('gives a route that limits bodies itself no other limit than its own', () => {
    expect(compileRoute(someRoute()).limitsBody).toBe(false);
    expect(compileRoute(someRoute({ policies: [{ policy: 'body-limit', config: { maxBytes: 9 } }] })).limitsBody).toBe(
      true,
    );
  });
});

describe('the body-limit policy', () => {
  const compiled = compileRoute(someRoute({ policies: [{ policy: 'body-limit', config: { maxBytes: 100 } }] }));

  it('refuses an announced body before it is read', () => {
    const refusal = compiled.admit[0]!.run(input(compiled, someHead({ contentLength: 101, hasBody: true })));
    expect(isRefusal(refusal) && refusal.code).toBe('BODY_TOO_LARGE');
  });

  it('has a body without an announced length counted while it is read', () => {
    const request = someHead({ hasBody: true });
    const exchange = policyExchange({ route: compiled.route });
    expect(compiled.admit[0]!.run({ request, exchange })).toBeUndefined();
    expect(exchange.caps).toEqual([100]);
  });
});

describe('what a request is counted against', () => {
  const perMinute = { policy: 'rate-limit', config: { limit: 60, window: '1m' } };

  it('is the consumer unless the policy says otherwise', () => {
    const [charge] = charges([perMinute], somePrincipal());
    expect(charge).toEqual({
      policy: 'default',
      key: 'orders/v1:default:consumer:billing',
      limit: 60,
      windowSeconds: 60,
      burst: 60,
      cost: 1,
    });
  });

  it('is the address of a caller without a credential', () => {
    expect(charges([perMinute], undefined)[0]!.key).toBe('orders/v1:default:consumer:192.0.2.7');
  });

  it.each([
    ['2001:db8:1:2:aaaa::1', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::', '2001:db8:1:2::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::ffff:192.0.2.9', '192.0.2.9'],
  ])('is one bucket for a whole network of addresses: %s → %s', (clientAddress, network) => {
    const byAddress = { policy: 'rate-limit', config: { limit: 60, window: '1m', by: 'address' } };
    const head = someHead({ clientAddress });
    expect(charges([byAddress], somePrincipal(), head)[0]!.key).toBe(`orders/v1:default:address:${network}`);
  });

  it('never shares a bucket between two policies of different names', () => {
    const other = { policy: 'rate-limit', config: { name: 'burst', limit: 5, window: '1s' } };
    const keys = charges([perMinute, other], somePrincipal()).map(({ key }) => key);
    expect(new Set(keys).size).toBe(2);
  });

  it('includes the rate of the key and the limits of the consumer, wherever the call goes', () => {
    const principal = somePrincipal({ quotas: [{ name: 'key', limit: 10, windowSeconds: 60 }] });
    const compiled = compileRoute(someRoute());
    const found = chargesOf(
      compiled,
      [{ name: 'contract', limit: 1000, windowSeconds: 3600 }],
      input(compiled, someHead(), principal),
    );
    expect(found.map(({ key, limit }) => [key, limit])).toEqual([
      ['key:7QmX2aB0cde:key', 10],
      ['consumer:billing:contract', 1000],
    ]);
  });

  it('can be tighter at once than over the window, never looser', () => {
    const bursty = (burst: number): number =>
      charges([{ policy: 'rate-limit', config: { limit: 60, window: '1m', burst } }], somePrincipal())[0]!.burst;
    expect([bursty(5), bursty(500)]).toEqual([5, 60]);
  });
});

function charges(
  policies: object[],
  principal: Principal | undefined,
  head = someHead(),
): ReturnType<typeof chargesOf> {
  const compiled = compileRoute(someRoute({ policies: policies as never }));
  return chargesOf(compiled, [], input(compiled, head, principal));
}

function input(compiled: CompiledRoute, request: RequestHead, principal?: Principal): PolicyInput {
  return { request, exchange: policyExchange({ route: compiled.route, principal }) };
}

describe('the policies of a configuration', () => {
  const counting = (): { made: string[]; retired: string[]; compiler: PolicyCompiler } => {
    const made: string[] = [];
    const retired: string[] = [];
    const counter = definePolicy({
      id: 'counter',
      summary: 'Counts how often it was compiled.',
      config: z.strictObject({ name: z.string().default('a') }),
      example: {},
      compile: ({ name }) => {
        made.push(name);
        return { admit: () => undefined, retire: () => void retired.push(name) };
      },
    });
    return { made, retired, compiler: new PolicyCompiler(servicesWithoutMemory, [counter]) };
  };
  const routeWith = (...names: string[]): SnapshotRoute =>
    someRoute({ policies: names.map((name) => ({ policy: 'counter', config: { name } })) });

  it('keep what they remember through a change of the configuration that does not change them', () => {
    const { made, retired, compiler } = counting();
    const first = compiler.compile([routeWith('a', 'b')]);
    first.adopt();
    const second = compiler.compile([{ ...routeWith('b', 'a'), trustTrace: true }]);
    second.adopt();
    expect([made, retired]).toEqual([['a', 'b'], []]);
    expect(second.routes[0]!.admit.map(({ run }) => run)).toEqual(
      first.routes[0]!.admit.map(({ run }) => run).reverse(),
    );
  });

  it('retire when no route has them any more', () => {
    const { made, retired, compiler } = counting();
    compiler.compile([routeWith('a', 'b')]).adopt();
    compiler.compile([routeWith('b', 'c')]).adopt();
    expect([made, retired]).toEqual([['a', 'b', 'c'], ['a']]);
  });

  it('are two where a route carries the same one twice', () => {
    const { made, compiler } = counting();
    compiler.compile([routeWith('a', 'a')]).adopt();
    compiler.compile([routeWith('a', 'a')]).adopt();
    expect(made).toEqual(['a', 'a']);
  });

  it('are those of before when one of the new ones cannot be compiled', () => {
    const { made, retired, compiler } = counting();
    compiler.compile([routeWith('a')]).adopt();
    const poison = someRoute({ policies: [{ policy: 'counter', config: { name: 7 } }] });
    expect(() => compiler.compile([routeWith('a', 'b'), poison])).toThrow('/policies/0/config/name');
    compiler.compile([routeWith('a', 'c')]).discard();
    compiler.compile([routeWith('a')]).adopt();
    expect([made, retired]).toEqual([
      ['a', 'b', 'c'],
      ['b', 'c'],
    ]);
  });
});

describe('the hooks of a route', () => {
  const both = definePolicy({
    id: 'both',
    summary: 'Has a hook on either side.',
    config: z.strictObject({ n: z.int() }),
    example: { n: 1 },
    compile: () => ({ admit: () => undefined, answerHead: () => undefined, intercept: (_, done) => done(undefined) }),
  });

  it('stand in the order of the file on the way in, and in reverse on the way out', () => {
    const route = someRoute({ policies: [1, 2, 3].map((n) => ({ policy: 'both', config: { n } })) });
    const compiled = compileRoute(route, servicesWithoutMemory, [both]);
    expect(compiled.admit.map(({ at }) => at)).toEqual([0, 1, 2]);
    expect(compiled.answerHead.map(({ at }) => at)).toEqual([2, 1, 0]);
    expect([compiled.shape, compiled.requestBody, compiled.answerBody, compiled.settle]).toEqual([[], [], [], []]);
  });
});
