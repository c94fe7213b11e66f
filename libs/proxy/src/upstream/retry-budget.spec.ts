import { array, assert, constantFrom, integer, nat, property, record } from 'fast-check';
import { RetryBudget } from './retry-budget';

const settings = { budgetPercent: 20, budgetMinimum: 3 };

describe('a retry budget', () => {
  it('lets three retries through where there is next to no traffic', () => {
    const budget = new RetryBudget(settings);
    budget.begin(0);
    const tries = [1, 2, 3, 4].map(() => budget.tryRetry(0));
    expect(tries).toEqual([true, true, true, false]);
  });

  it('holds back what follows each other as fast as what runs side by side', () => {
    const budget = new RetryBudget(settings);
    let retries = 0;
    for (let n = 0; n < 1_000; n++) {
      budget.begin(n);
      if (budget.tryRetry(n)) {
        retries++;
        budget.endRetry();
      }
      budget.end();
    }
    expect(retries).toBe(200);
  });

  it('is never exceeded, by what is under way or by any ten seconds', () => {
    const step = record({ does: constantFrom('begin', 'end', 'retry', 'retry', 'endRetry'), after: nat(400) });
    assert(
      property(integer({ min: 0, max: 20 }), array(step, { maxLength: 400 }), (budgetPercent, steps) => {
        const budget = new RetryBudget({ budgetPercent, budgetMinimum: 3 });
        const begun: number[] = [];
        const retried: number[] = [];
        let [now, active, retrying] = [0, 0, 0];
        for (const { does, after } of steps) {
          now += after;
          if (does === 'begin') {
            budget.begin(now);
            begun.push(now);
            active++;
          } else if (does === 'end' && active > 0) {
            budget.end();
            active--;
          } else if (does === 'endRetry' && retrying > 0) {
            budget.endRetry();
            retrying--;
          } else if (does === 'retry' && budget.tryRetry(now)) {
            retrying++;
            retried.push(now);
            expect(retrying).toBeLessThanOrEqual(Math.max(3, (active * budgetPercent) / 100));
            const recent = (list: number[]) => list.filter((at) => at > now - 10_000).length;
            // The slices of both counts begin and end together, so that the window is one second longer or shorter.
            const requests = begun.filter((at) => at > now - 11_000).length;
            expect(recent(retried)).toBeLessThanOrEqual(Math.max(3, (requests * budgetPercent) / 100) + 3);
          }
        }
      }),
    );
  });
});
