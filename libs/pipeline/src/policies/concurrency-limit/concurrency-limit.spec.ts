import fc from 'fast-check';
import { isRefusal } from '@sallyport/contracts';
import { policyInput, somePrincipal, type TestExchange } from '@sallyport/testkit';
import type { PolicyHooks, PolicyInput, Settled, Verdict } from '../../policy';
import { servicesWithoutMemory } from '../../policy-services';
import { concurrencyLimit } from './concurrency-limit';

const settled: Settled = { status: 200, refusal: undefined, bytesIn: 0, bytesOut: 0, aborted: false };

function hooksFor(given: object, peers = 1): PolicyHooks {
  const route = policyInput().exchange.route;
  return concurrencyLimit.compile(concurrencyLimit.config.parse(given), route, {
    ...servicesWithoutMemory,
    peers: () => peers,
  });
}

function begin(hooks: PolicyHooks, input: PolicyInput): boolean {
  let verdict: Verdict;
  if (hooks.admit) verdict = hooks.admit(input);
  else hooks.authorised!(input, (given) => (verdict = given));
  return !isRefusal(verdict);
}

function by(consumer: string): PolicyInput & { exchange: TestExchange } {
  return policyInput({}, { principal: somePrincipal({ consumer }) });
}

describe('the number of requests under way', () => {
  it('is bounded for each caller, and a place is free again when its request is over', () => {
    const hooks = hooksFor({ limit: 2 });
    const open = [by('a'), by('a')];
    expect(open.map((input) => begin(hooks, input))).toEqual([true, true]);
    expect([begin(hooks, by('a')), begin(hooks, by('b'))]).toEqual([false, true]);
    hooks.settle!(open[0]!, settled);
    expect([begin(hooks, by('a')), begin(hooks, by('a'))]).toEqual([true, false]);
  });

  it('is shared among the processes that serve the same traffic, each at least one', () => {
    const hooks = hooksFor({ limit: 5, by: 'route' }, 2);
    expect([1, 2, 3].map(() => begin(hooks, by('a')))).toEqual([true, true, false]);
    const scarce = hooksFor({ limit: 1, by: 'route' }, 4);
    expect([begin(scarce, by('a')), begin(scarce, by('a'))]).toEqual([true, false]);
  });

  it('is judged before anyone is asked who calls, where that makes no difference', () => {
    expect(Object.keys(hooksFor({ limit: 1, by: 'address' }))).toContain('admit');
    expect(Object.keys(hooksFor({ limit: 1, by: 'key' }))).toContain('authorised');
  });

  it('never exceeds the limit and never loses a place, in whatever order requests begin and end', () => {
    const step = fc.oneof(
      fc.record({ begin: fc.constantFrom('a', 'b', 'c') }),
      fc.record({ end: fc.nat(), aborted: fc.boolean(), twice: fc.boolean() }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 60 }), (limit, steps) => {
        const hooks = hooksFor({ limit });
        const open: { consumer: string; input: PolicyInput }[] = [];
        const openOf = (consumer: string): number => open.filter((one) => one.consumer === consumer).length;
        for (const one of steps) {
          if ('begin' in one) {
            const input = by(one.begin);
            const admitted = begin(hooks, input);
            expect(admitted).toBe(openOf(one.begin) < limit);
            if (admitted) open.push({ consumer: one.begin, input });
            else hooks.settle!(input, { ...settled, status: 429 });
          } else if (open.length > 0) {
            const [ended] = open.splice(one.end % open.length, 1);
            hooks.settle!(ended!.input, { ...settled, aborted: one.aborted });
          }
        }
        for (const { input } of open) hooks.settle!(input, settled);
        for (const consumer of ['a', 'b', 'c']) {
          expect(Array.from({ length: limit + 1 }, () => begin(hooks, by(consumer)))).toEqual([
            ...Array<boolean>(limit).fill(true),
            false,
          ]);
        }
      }),
    );
  });
});
