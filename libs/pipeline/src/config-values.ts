import { z } from 'zod';
import { parseDuration } from '@sallyport/contracts';

const DURATION = /^\d{1,9}(ms|s|m|h|d)$/;

/**
 * A duration such as `250ms`, `5s` or `12h`, as milliseconds.
 * @param most the longest one, in the same form
 */
export function durationUpTo(most: string): z.ZodType<number, string> {
  return z
    .string()
    .refine((text) => DURATION.test(text), { error: 'write a duration such as 250ms, 5s or 12h', abort: true })
    .transform(parseDuration)
    .refine((ms) => ms <= parseDuration(most), `at most ${most}`);
}

const MIB = 1024 * 1024;

/** How large a body may be that a policy holds in one piece, in bytes. */
export const wholeBodyBytes = z
  .int()
  .min(1)
  .max(16 * MIB)
  .default(MIB);
