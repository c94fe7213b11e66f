import { isRefusal } from '@sallyport/contracts';
import { policyInput } from '@sallyport/testkit';
import type { Load } from '../../policy';
import { servicesWithoutMemory } from '../../policy-services';
import { loadShedding } from './load-shedding';

function verdictFor(priority: 'low' | 'normal' | 'high', load: Load, byte = 0): unknown {
  const input = policyInput();
  const random = (count: number): Uint8Array => new Uint8Array(count).fill(byte);
  const hooks = loadShedding.compile({ priority }, input.exchange.route, { ...servicesWithoutMemory, load, random });
  return hooks.admit!(input);
}

describe('shedding load', () => {
  it('draws nothing in quiet times', () => {
    const load: Load = { busy: () => false, sheds: () => fail() };
    expect(verdictFor('low', load)).toBeUndefined();
  });

  it('asks for its priority, and with a chance that differs from request to request', () => {
    const asked: [string, number][] = [];
    const load: Load = { busy: () => true, sheds: (priority, chance) => asked.push([priority, chance]) === 0 };
    verdictFor('normal', load, 0);
    verdictFor('normal', load, 128);
    expect(asked.map(([priority, chance]) => [priority, Math.round(chance * 100)])).toEqual([
      ['normal', 0],
      ['normal', 50],
    ]);
  });

  it('turns away at once, and tells callers to come back at different moments around a second', () => {
    const load: Load = { busy: () => true, sheds: () => true };
    const waits = [0, 128, 255].map((byte) => {
      const refusal = verdictFor('low', load, byte);
      return isRefusal(refusal) ? [refusal.code, refusal.retryAfterMs] : undefined;
    });
    expect(waits).toEqual([
      ['INGRESS_OVERLOADED', 700],
      ['INGRESS_OVERLOADED', 1001],
      ['INGRESS_OVERLOADED', 1300],
    ]);
  });
});

function fail(): never {
  throw new Error('not to be asked');
}
