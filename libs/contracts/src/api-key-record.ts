import { z } from 'zod';

/** One API key as auth distributes it on the bus: enough to verify, nothing that could be presented. */
export const apiKeyRecord = z.strictObject({
  kid: z.string().regex(/^[0-9A-Za-z]{11}$/),
  /** HMAC-SHA-256 of the whole key under the pepper of `pepperVersion`, base64url. */
  mac: z.string(),
  pepperVersion: z.int(),
  tenant: z.string(),
  name: z.string(),
  consumer: z.string(),
  scopes: z.array(z.string()),
  /** Services the key may call; `*` is every one. */
  services: z.array(z.string()),
  models: z.array(z.string()),
  /** Ranges the caller's address must lie in; empty: any. */
  cidrs: z.array(z.string()),
  /** Mandatory: no unlimited key exists. */
  rate: z.strictObject({ limit: z.int().min(1), windowSeconds: z.int().min(1) }),
  /** Mandatory spending bound, decimal USD a month; enforced once budgets are. */
  budgetUsdPerMonth: z.string(),
  expiresAt: z.iso.datetime(),
  status: z.enum(['active', 'revoked']),
});
export type ApiKeyRecord = z.infer<typeof apiKeyRecord>;
