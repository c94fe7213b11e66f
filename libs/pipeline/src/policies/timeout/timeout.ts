import { z } from 'zod';
import { parseDuration, refuse } from '@sallyport/contracts';
import { definePolicy, pass } from '../../policy';

function duration(maxMs: number): z.ZodType<number, string> {
  return z
    .string()
    .refine((text) => /^\d{1,9}(ms|s|m)$/.test(text), 'a duration such as 250ms, 5s or 2m')
    .transform((text) => parseDuration(text))
    .refine((ms) => ms >= 1 && ms <= maxMs, `from 1ms to ${maxMs / 1000}s`);
}

export const timeout = definePolicy({
  id: 'timeout',
  summary: 'Ends a request that takes longer than the route allows, as a whole or in one of its phases, with a 504.',
  config: z
    .strictObject({
      /** From the first byte of the request to the last byte of the answer. */
      exchange: duration(3_600_000).optional(),
      /** Until there is a connection to the upstream: one that stands, or one that is free. */
      connect: duration(60_000).optional(),
      /** From the last byte of the request to the head of the answer. */
      firstByte: duration(900_000).optional(),
      /** Between two bytes of the answer. */
      idle: duration(900_000).optional(),
    })
    .refine((given) => Object.keys(given).length > 0, 'bound the exchange or one of its phases'),
  example: { exchange: '10s', connect: '500ms', firstByte: '5s' },
  compile: ({ exchange: wholeMs, connect, firstByte, idle }, _route, { clock, timers }) => ({
    timeouts: {
      ...(connect !== undefined && { connectMs: connect }),
      ...(firstByte !== undefined && { firstByteMs: firstByte }),
      ...(idle !== undefined && { idleMs: idle }),
    },
    ...(wholeMs !== undefined && {
      admit: ({ exchange }) => {
        const left = Math.max(0, exchange.startedAt + wholeMs - clock.now());
        const takeBack = timers.after(left, () =>
          exchange.abandon(
            refuse('UPSTREAM_TIMEOUT', { seconds: wholeMs / 1000 }, { reason: 'the exchange took too long' }),
          ),
        );
        exchange.onClose(takeBack);
        return pass;
      },
    }),
  }),
});
