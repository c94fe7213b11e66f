import { z } from 'zod';
import { routePriority } from '@sallyport/contracts';
import { definePolicy } from '../../policy';

export const loadShedding = definePolicy({
  id: 'load-shedding',
  summary:
    'Says how early requests of the route are turned away when the gateway is busy, so that important ones get through.',
  config: z.strictObject({
    /** `low` goes first, `high` only when nothing else is left to turn away. */
    priority: routePriority,
  }),
  example: { priority: 'low' },
  // The ingress judges by it, once the route is known and before it asks anybody anything.
  compile: ({ priority }) => ({ priority }),
});
