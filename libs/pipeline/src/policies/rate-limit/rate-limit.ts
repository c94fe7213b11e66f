import { isIPv6 } from 'node:net';
import { z } from 'zod';
import { parseDuration, type Principal, type RequestHead } from '@sallyport/contracts';
import { definePolicy } from '../../policy';

const window = z
  .string()
  .refine((text) => /^\d+(s|m|h|d)$/.test(text) && parseDuration(text) > 0, 'a window such as 1s, 1m, 12h or 30d')
  .transform((text) => parseDuration(text) / 1000)
  .refine((seconds) => seconds <= 31_622_400, 'at most 366 days');

export const rateLimit = definePolicy({
  id: 'rate-limit',
  summary: 'Allows so many requests in a window, counted by consumer, key, address or for the route as a whole.',
  config: z.strictObject({
    /** Shown to callers in RateLimit-Policy. */
    name: z
      .string()
      .regex(/^[a-z0-9-]{1,32}$/)
      .default('default'),
    limit: z.int().min(1).max(1_000_000_000),
    window,
    by: z.enum(['consumer', 'key', 'address', 'route']).default('consumer'),
    /** How many may come at once; the limit itself when it is not given. */
    burst: z.int().min(1).optional(),
  }),
  example: { limit: 100, window: '60s', by: 'consumer' },
  compile: ({ name, limit, window: windowSeconds, by, burst }, route) => {
    const prefix = `${route.service}/${route.version}:${name}:${by}:`;
    return {
      charges: ({ request, exchange }) => ({
        policy: name,
        key: prefix + countedBy(by, request, exchange.principal),
        limit,
        windowSeconds,
        burst: Math.min(burst ?? limit, limit),
        cost: 1,
      }),
    };
  },
});

function countedBy(
  by: 'consumer' | 'key' | 'address' | 'route',
  request: RequestHead,
  principal: Principal | undefined,
): string {
  if (by === 'route') return '*';
  if (by === 'address' || principal === undefined) return addressRange(request.clientAddress);
  return by === 'key' ? principal.credential.id : principal.consumer;
}

/** One household has a /64 of IPv6 addresses and must not have 2⁶⁴ budgets; a mapped IPv4 address is its IPv4 address. */
export function addressRange(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped) return mapped[1]!;
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.split('%')[0]!.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const missing = tail === undefined ? 0 : 8 - left.length - right.length;
  const groups = [...left, ...Array<string>(Math.max(0, missing)).fill('0'), ...right];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
