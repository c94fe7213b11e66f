import fc from 'fast-check';
import { parseList } from 'structured-headers';
import type { Standing } from './limiter';
import { rateLimitField, rateLimitPolicyField, retryAfterMs } from './rate-limit-fields';

const used: Standing = {
  policy: 'default',
  limit: 100,
  windowSeconds: 60,
  remaining: 0,
  resetMs: 60_000,
  retryAfterMs: 11_200,
};

describe('rate limit fields', () => {
  it('name the policy, its quota and its window', () => {
    expect(rateLimitPolicyField([used])).toBe('"default";q=100;w=60');
  });

  it('say how many are left and when the refused call passes, in whole seconds and never too early', () => {
    expect(rateLimitField([used])).toBe('"default";r=0;t=12');
  });

  it('say when all is back while some are left', () => {
    expect(rateLimitField([{ ...used, remaining: 50, resetMs: 29_500, retryAfterMs: 0 }])).toBe('"default";r=50;t=30');
  });

  it('say when the next one comes after the last one was taken', () => {
    expect(rateLimitField([{ ...used, limit: 10, retryAfterMs: 0 }])).toBe('"default";r=0;t=6');
  });

  it('list every limit that counted the request', () => {
    const both = [used, { ...used, policy: 'route', limit: 1_000 }];
    expect(rateLimitPolicyField(both)).toBe('"default";q=100;w=60, "route";q=1000;w=60');
  });

  it('make the caller wait for the slowest of the refused limits', () => {
    expect(retryAfterMs([used, { ...used, retryAfterMs: 300 }, { ...used, retryAfterMs: 0 }])).toBe(11_200);
    expect(retryAfterMs([])).toBe(0);
  });

  it('are structured lists that another parser reads back as they were meant', () => {
    const standings = fc.array(
      fc.record({
        policy: fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 32 }),
        limit: fc.integer({ min: 1, max: 1e9 }),
        windowSeconds: fc.integer({ min: 1, max: 31_622_400 }),
        remaining: fc.nat(1e9),
        resetMs: fc.nat(2 ** 32 - 1),
        retryAfterMs: fc.nat(2 ** 32 - 1),
      }),
      { minLength: 1, maxLength: 4 },
    );
    fc.assert(
      fc.property(standings, (all) => {
        const policies = parseList(rateLimitPolicyField(all));
        const limits = parseList(rateLimitField(all));
        for (const [index, { policy, limit, windowSeconds, remaining }] of all.entries()) {
          expect(policies[index]).toEqual([
            policy,
            new Map([
              ['q', limit],
              ['w', windowSeconds],
            ]),
          ]);
          expect(limits[index]![0]).toBe(policy);
          expect(limits[index]![1].get('r')).toBe(remaining);
          expect(Number.isInteger(limits[index]![1].get('t'))).toBe(true);
        }
      }),
    );
  });

  it('never break, whatever a name holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (policy) => {
        expect(parseList(rateLimitPolicyField([{ ...used, policy }]))).toHaveLength(1);
      }),
    );
  });
});
