import { parseDuration } from '@sallyport/contracts';
import { parseAddressRange } from '@sallyport/identity';
import { z } from 'zod';

const DAY_MS = 86_400_000;
const DEFAULT_LIFE_MS = 90 * DAY_MS;
const LONGEST_LIFE_MS = 365 * DAY_MS;
const DAY_SECONDS = 86_400;

const name = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'a name is 1–63 of a–z, 0–9 and -, with no - at either end');
const listOf = <T extends z.ZodType>(item: T) => z.array(item).max(100, 'at most 100 entries');
const duration = z.string().regex(/^\d{1,9}(ms|s|m|h|d)$/, 'write a duration such as 30s, 12h or 90d');

const window = duration.refine((text) => {
  const milliseconds = parseDuration(text);
  return milliseconds % 1000 === 0 && milliseconds >= 1000 && milliseconds <= DAY_SECONDS * 1000;
}, 'a window is whole seconds, from 1s to 24h');

const range = z.string().superRefine((text, context) => {
  try {
    parseAddressRange(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
  }
});

/**
 * What an administrator says of a new key. Tenant, owner and id are not among it: they are never read from a body. Rate
 * and budget always hold: what is left out is filled in and shown, and no value means “without limit”.
 */
export const mintRequest = z.strictObject({
  name,
  consumer: name.optional().describe('The consumer whose limits count; default: the name of the key.'),
  scopes: listOf(
    z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, 'a scope is 1–128 printable characters'),
  ).default([]),
  services: listOf(z.union([z.literal('*'), name]))
    .min(1)
    .default(['*'])
    .describe('Services the key may call; * is every one.'),
  models: listOf(z.string().regex(/^(\*|[A-Za-z0-9][A-Za-z0-9._:/-]{0,127})$/, 'write the name of a model, or *'))
    .default(['*'])
    .describe('Models the key may call; * is every one.'),
  cidrs: listOf(range).default([]).describe('Ranges the caller’s address must lie in; none: any.'),
  rate: z
    .strictObject({ limit: z.int().min(1).max(1_000_000), window: window.default('60s') })
    .default({ limit: 60, window: '60s' }),
  budgetUsdPerMonth: z
    .string()
    .regex(/^\d{1,7}(\.\d{1,9})?$/, 'write decimal US dollars such as 5 or 12.50')
    .refine((text) => Number(text) > 0 && Number(text) <= 1_000_000, 'a budget is above 0 and at most 1000000')
    .default('5'),
  expiresIn: duration.optional().describe('Life from now, at most 365d; default 90d. Not beside expiresAt.'),
  expiresAt: z.iso.datetime({ offset: true }).optional(),
});

export type MintRequest = z.input<typeof mintRequest>;

/**
 * The moment a new key ends.
 * @param now milliseconds since the epoch
 * @returns what is wrong with the wish, as text for the caller, when it cannot be granted.
 */
export function expiryOf(
  { expiresIn, expiresAt }: Pick<MintRequest, 'expiresIn' | 'expiresAt'>,
  now: number,
): { readonly at: Date } | { readonly pointer: string; readonly problem: string } {
  if (expiresIn !== undefined && expiresAt !== undefined) {
    return { pointer: '/expiresIn', problem: 'expiresIn and expiresAt exclude each other' };
  }
  const pointer = expiresIn === undefined ? '/expiresAt' : '/expiresIn';
  const at =
    expiresAt === undefined ? now + (expiresIn ? parseDuration(expiresIn) : DEFAULT_LIFE_MS) : Date.parse(expiresAt);
  if (at <= now) return { pointer, problem: 'the key would have ended already' };
  if (at > now + LONGEST_LIFE_MS) return { pointer, problem: 'a key lives at most 365 days' };
  return { at: new Date(at) };
}
