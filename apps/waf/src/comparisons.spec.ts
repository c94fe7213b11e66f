import { createMetrics } from '@sallyport/platform';
import { Comparisons } from './comparisons';
import type { Found } from './compared-inspection';
import type { Compared } from './guarded-inspector';

const found = (ruleset: string, rules: readonly number[], refused = false, isDone = true): Found => ({
  ruleset,
  rules: new Set(rules),
  refused,
  isDone,
});
const compared = (candidate: Found, inForce: Found, more: Partial<Compared> = {}): Compared => ({
  trial: 'canary',
  route: 'shop/v1/search',
  requestId: 'req_1',
  candidate,
  inForce,
  ...more,
});
const comparisons = () => new Comparisons({ now: () => 0 }, createMetrics('waf'));

describe('the comparison of a rule set on trial with the one in force', () => {
  it('tells what the candidate alone refuses, by rule and route, with a request to explain', () => {
    const tally = comparisons();
    tally.add(compared(found('new', [1, 2], true), found('old', [1])));
    tally.add(compared(found('new', [2]), found('old', []), { requestId: 'req_2' }));
    tally.add(compared(found('new', [3], true), found('old', [3], true)));
    expect(tally.views).toMatchObject([
      { candidate: 'new', inForce: 'old', trial: 'canary', requests: 3, refusedByBoth: 1, refusedByCandidate: 1 },
    ]);
    expect(tally.views[0]!.rules).toEqual([
      { rule: 2, route: 'shop/v1/search', foundBy: 'candidate', requests: 2, refused: 1, requestId: 'req_2' },
    ]);
  });

  it('tells what is let through as soon as the candidate is in force', () => {
    const tally = comparisons();
    tally.add(compared(found('new', []), found('old', [9], true)));
    expect(tally.views[0]).toMatchObject({
      refusedByInForce: 1,
      rules: [{ rule: 9, foundBy: 'in-force', refused: 1 }],
    });
  });

  it('takes nothing for a difference that one of them was not shown to its end', () => {
    const tally = comparisons();
    tally.add(compared(found('new', [1], true), found('old', [], false, false)));
    expect(tally.views[0]).toMatchObject({ undecided: 1, refusedByCandidate: 0, rules: [] });
  });

  it('keeps so many rules and pairs and counts the rest', () => {
    const tally = comparisons();
    const rules = Array.from({ length: 1_100 }, (_, at) => at);
    tally.add(compared(found('new', rules), found('old', [])));
    expect([tally.views[0]!.rules.length, tally.views[0]!.untold]).toEqual([1_000, 100]);
    for (let pair = 0; pair < 20; pair++) tally.add(compared(found(`new-${pair}`, []), found('old', [])));
    expect(tally.views).toHaveLength(8);
  });
});
