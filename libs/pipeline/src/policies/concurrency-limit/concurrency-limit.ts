import { z } from 'zod';
import { refuse, type Refusal } from '@sallyport/contracts';
import { definePolicy, pass, type PolicyInput } from '../../policy';
import { countedBy } from '../rate-limit/dimensions';

export const concurrencyLimit = definePolicy({
  id: 'concurrency-limit',
  summary: 'Bounds how many requests of one caller, or of all callers, are under way at the same time.',
  config: z.strictObject({
    limit: z.int().min(1).max(1_000_000),
    by: z.enum(['consumer', 'key', 'address', 'route']).default('consumer'),
  }),
  example: { limit: 10, by: 'consumer' },
  compile: ({ limit, by }, _route, services) => {
    const open = new Map<string, number>();
    /** What this policy remembers of a request: the place it took. */
    const place = {};

    const take = (input: PolicyInput): Refusal | undefined => {
      const key = countedBy(by, input);
      const taken = open.get(key) ?? 0;
      // Each process that serves the same traffic has its share; one that has none at all would serve nobody.
      const share = Math.max(1, Math.floor(limit / services.peers()));
      if (taken >= share) return refuse('LIMIT_CONCURRENCY', { limit, by });
      open.set(key, taken + 1);
      input.exchange.keep(place, key);
      return pass;
    };

    return {
      // Who calls is known later; where it calls from and what it calls, at once.
      ...(by === 'address' || by === 'route' ? { admit: take } : { authorised: (input, done) => done(take(input)) }),
      settle: ({ exchange }) => {
        const key = exchange.kept(place);
        if (typeof key !== 'string') return;
        const left = (open.get(key) ?? 1) - 1;
        if (left > 0) open.set(key, left);
        else open.delete(key);
      },
    };
  },
});
