import type { z } from 'zod';
import type { Policy } from '../policy';
import { bodyLimit } from './body-limit/body-limit';
import { rateLimit } from './rate-limit/rate-limit';
import { waf } from './waf/waf';

/** Every policy a route can carry; a new one is a folder and a line here. */
export const policies: readonly Policy[] = [bodyLimit, rateLimit, waf];

/** What the configuration of each policy must look like, by id; the catalog refuses at publish what would not compile. */
export const policyConfigSchemas: Readonly<Record<string, z.ZodType>> = Object.fromEntries(
  policies.map(({ id, config }) => [id, config]),
);
