import { z } from 'zod';
import { refuse } from '@sallyport/contracts';
import { definePolicy, pass } from '../../policy';

/** Around a second: when everyone who was turned away came back at once, the next second would be as full. */
const RETRY_MS = 1000;

export const loadShedding = definePolicy({
  id: 'load-shedding',
  summary:
    'Says how early requests of the route are turned away when the gateway is busy, so that important ones get through.',
  config: z.strictObject({
    /** `low` goes first, `high` only when nothing else is left to turn away. */
    priority: z.enum(['low', 'normal', 'high']),
  }),
  example: { priority: 'low' },
  compile: ({ priority }, _route, { load, random }) => ({
    admit: () => {
      if (!load.busy()) return pass;
      const chance = unit(random);
      if (!load.sheds(priority, chance)) return pass;
      return refuse('INGRESS_OVERLOADED', {}, { retryAfterMs: Math.round(RETRY_MS * (0.7 + 0.6 * unit(random))) });
    },
  }),
});

/** A number from 0 up to 1. */
function unit(random: (count: number) => Uint8Array): number {
  const [high = 0, low = 0] = random(2);
  return (high * 256 + low) / 65_536;
}
