/** Names we send to clients and upstreams. */
export const headers = {
  requestId: 'x-sallyport-request-id',
  correlationId: 'x-correlation-id',
  subject: 'x-sallyport-subject',
  consumer: 'x-sallyport-consumer',
  tenant: 'x-sallyport-tenant',
  configVersion: 'x-sallyport-config-version',
  model: 'x-sallyport-model',
  provider: 'x-sallyport-provider',
  costUsd: 'x-sallyport-cost-usd',
  attempts: 'x-sallyport-attempts',
  rateLimit: 'ratelimit',
  rateLimitPolicy: 'ratelimit-policy',
  shouldRetry: 'x-should-retry',
  retryAfterMs: 'retry-after-ms',
} as const;

/** Meaningful for one connection only and never passed on (RFC 9110 §7.6.1; RFC 7540 §3.2.1 for `http2-settings`). */
export const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
