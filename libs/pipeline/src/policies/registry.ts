import type { Policy } from '../policy';
import { bodyLimit } from './body-limit/body-limit';
import { compression } from './compression/compression';
import { concurrencyLimit } from './concurrency-limit/concurrency-limit';
import { cors } from './cors/cors';
import { headerRewrite } from './header-rewrite/header-rewrite';
import { idempotencyKey } from './idempotency-key/idempotency-key';
import { ipAllowDeny } from './ip-allow-deny/ip-allow-deny';
import { loadShedding } from './load-shedding/load-shedding';
import { mock } from './mock/mock';
import { pathRewrite } from './path-rewrite/path-rewrite';
import { rateLimit } from './rate-limit/rate-limit';
import { requestSize } from './request-size/request-size';
import { requestTransform } from './request-transform/request-transform';
import { requestValidation } from './request-validation/request-validation';
import { responseCache } from './response-cache/response-cache';
import { responseTransform } from './response-transform/response-transform';
import { timeout } from './timeout/timeout';
import { waf } from './waf/waf';

/** Every policy a route can carry; a new one is a folder and a line here. */
export const policies: readonly Policy[] = [
  bodyLimit,
  compression,
  concurrencyLimit,
  cors,
  headerRewrite,
  idempotencyKey,
  ipAllowDeny,
  loadShedding,
  mock,
  pathRewrite,
  rateLimit,
  requestSize,
  requestTransform,
  requestValidation,
  responseCache,
  responseTransform,
  timeout,
  waf,
];

/** The same by id, for the catalog, which refuses at publish what would not compile. */
export const policiesById: Readonly<Record<string, Policy>> = Object.fromEntries(
  policies.map((policy) => [policy.id, policy]),
);
