import { policyInput } from '@sallyport/testkit';
import { compileRoute } from '../../compile';
import { servicesWithoutMemory } from '../../policy-services';
import { someRoute } from '@sallyport/testkit';
import { timeout } from './timeout';

describe('the deadline of an exchange', () => {
  function armed(now: number): { left: number | undefined; ring: () => void; input: ReturnType<typeof policyInput> } {
    const input = policyInput({}, { startedAt: 1_000 });
    const alarm: { left: number | undefined; ring: () => void } = { left: undefined, ring: () => undefined };
    const hooks = timeout.compile(timeout.config.parse({ exchange: '2s' }), input.exchange.route, {
      ...servicesWithoutMemory,
      clock: { now: () => now, monotonic: () => now },
      timers: {
        after: (ms, ring) => {
          Object.assign(alarm, { left: ms, ring });
          return () => (alarm.left = undefined);
        },
      },
    });
    hooks.admit!(input);
    return {
      ...alarm,
      input,
      get left() {
        return alarm.left;
      },
    };
  }

  it('counts from the first byte of the request', () => {
    expect(armed(1_500).left).toBe(1_500);
    expect(armed(9_000).left).toBe(0);
  });

  it('ends the exchange with a 504 when it rings', () => {
    const { ring, input } = armed(1_000);
    ring();
    expect(input.exchange.ended).toMatchObject([{ code: 'UPSTREAM_TIMEOUT', params: { seconds: 2 } }]);
  });

  it('is taken back when the exchange is over before', () => {
    const alarm = armed(1_000);
    alarm.input.exchange.close();
    expect(alarm.left).toBeUndefined();
  });
});

describe('the phases of a route', () => {
  it('take the place of those of the upstream, the last policy member by member', () => {
    const route = someRoute({
      policies: [
        { policy: 'timeout', config: { connect: '100ms', firstByte: '1s' } },
        { policy: 'timeout', config: { firstByte: '2s', idle: '1m' } },
      ],
    });
    expect(compileRoute(route).timeouts).toEqual({ connectMs: 100, firstByteMs: 2000, idleMs: 60_000 });
    expect(compileRoute(someRoute()).timeouts).toBeUndefined();
  });

  it.each([{}, { exchange: '0s' }, { connect: '2m' }, { idle: '5' }])('refuse %p', (given) => {
    expect(timeout.config.safeParse(given).success).toBe(false);
  });
});
