import fc from 'fast-check';
import type { Charge, Spending } from './limiter';
import { tenPerMinute } from './limiter.suite';
import { LocalLimiter } from './local-limiter';
import { MemorySource } from './memory-source';
import { ShareLimiter } from './share-limiter';
import type { LimitSource } from './source';

function make(deciders: number) {
  let time = 0;
  const clock = { now: () => time, monotonic: () => time };
  const central = new LocalLimiter(new MemorySource(clock));
  const share = new ShareLimiter(new MemorySource(clock), () => deciders);
  const spend = (limiter: LocalLimiter | ShareLimiter, charges: Charge[]): Spending => {
    let spending: Spending | undefined;
    limiter.spend('default', charges, (answer) => (spending = answer));
    return spending!;
  };
  const ask = (charges: Charge[]): Spending => {
    const spending = spend(central, charges);
    share.follow('default', charges, spending);
    return spending;
  };
  return { ask, alone: (charges: Charge[]) => spend(share, charges), advance: (by: number) => (time += by) };
}

describe('ShareLimiter', () => {
  it('goes on where the shared count ended: what is used up stays used up', () => {
    const { ask, alone } = make(1);
    for (let count = 0; count < 10; count++) ask([tenPerMinute]);
    expect(alone([tenPerMinute])).toMatchObject({ allowed: false, standings: [{ retryAfterMs: 6_000 }] });
  });

  it('has its share of what was left', () => {
    const { ask, alone } = make(2);
    for (let count = 0; count < 4; count++) ask([tenPerMinute]);
    const answers = Array.from({ length: 5 }, () => alone([tenPerMinute]).allowed);
    expect(answers).toEqual([true, true, true, false, false]);
  });

  it('admits together with the others never more than the limit has room for, whenever the shared count ends', () => {
    const steps = fc.array(fc.integer({ min: 0, max: 9_000 }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(steps, fc.nat(40), fc.integer({ min: 1, max: 4 }), (gaps, ends, deciders) => {
        const nodes = Array.from({ length: deciders }, () => make(deciders));
        let admitted = 0;
        let time = 0;
        for (const [index, gap] of gaps.entries()) {
          time += gap;
          nodes.forEach(({ advance }) => advance(gap));
          // Before the end all nodes see the same count; after it each is asked by itself.
          if (index < ends) admitted += Number(nodes.map(({ ask }) => ask([tenPerMinute]).allowed)[0]);
          else for (const { alone } of nodes) admitted += Number(alone([tenPerMinute]).allowed);
        }
        expect(admitted).toBeLessThanOrEqual(10 + time / 6_000);
      }),
    );
  });

  it('is told of every decision by the engine it stands in for', () => {
    let reachable = true;
    const clock = { now: () => 0, monotonic: () => 0 };
    const memory = new MemorySource(clock);
    const source: LimitSource = {
      draw: (tenant, draws, done) => (reachable ? memory.draw(tenant, draws, done) : done(undefined)),
    };
    const limiter = new LocalLimiter(source, () => 1, new ShareLimiter(new MemorySource(clock), () => 1));
    const allowed: boolean[] = [];
    const spend = (): void => limiter.spend('default', [tenPerMinute], (spending) => allowed.push(spending.allowed));
    for (let count = 0; count < 8; count++) spend();
    reachable = false;
    for (let count = 0; count < 4; count++) spend();
    expect(allowed.filter(Boolean)).toHaveLength(10);
  });
});
