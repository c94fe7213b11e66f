import { z } from 'zod';
import { refuse } from '@sallyport/contracts';
import { definePolicy, pass } from '../../policy';

export const bodyLimit = definePolicy({
  id: 'body-limit',
  summary:
    'Refuses a request whose body is larger than the route takes, before it is read where its length is announced.',
  config: z.strictObject({
    maxBytes: z
      .int()
      .min(0)
      .max(1024 * 1024 * 1024),
  }),
  example: { maxBytes: 65_536 },
  compile: ({ maxBytes }) => ({
    limitsBody: true,
    admit: ({ request, exchange }) => {
      if ((request.contentLength ?? 0) > maxBytes) return refuse('BODY_TOO_LARGE', { maxBytes });
      exchange.capBody(maxBytes);
      return pass;
    },
  }),
});
