import { z } from 'zod';
import { parseDuration } from '@sallyport/contracts';
import type { Charge } from '@sallyport/limits';
import { definePolicy, type PolicyInput, type PolicyRoute, type Settled } from '../../policy';
import { countedBy, keyPart } from './dimensions';

const window = z
  .string()
  .refine((text) => /^\d+(s|m|h|d)$/.test(text) && parseDuration(text) > 0, 'a window such as 1s, 1m, 12h or 30d')
  .refine((text) => parseDuration(text) / 1000 <= 31_622_400, 'at most 366 days');

const dimension = z.union([
  z.enum(['consumer', 'key', 'address', 'route']),
  /** Each member of the field is counted; requests without it are counted together. */
  z.strictObject({
    header: z
      .string()
      .regex(/^[!#$%&'*+.^`|~0-9A-Za-z-]{1,64}$/)
      .transform((name) => name.toLowerCase()),
  }),
  /** What the token or the key says of its bearer. */
  z.strictObject({ claim: z.enum(['sub', 'client_id', 'tenant']) }),
]);
type AnyDimension = z.output<typeof dimension>;

const name = z.string().regex(/^[a-z0-9-]{1,32}$/);
const members = {
  limit: z.int().min(1).max(4_000_000_000),
  window,
  by: z.union([dimension, z.array(dimension).min(1).max(4)]).default('consumer'),
  /** How much may come at once; the limit itself when it is not given. */
  burst: z.int().min(1).optional(),
  /** `bytes` counts bodies: what was announced before the request is let in, the rest when it is over. */
  unit: z.enum(['requests', 'bytes']).default('requests'),
};

const oneLimit = z.strictObject({
  /** Shown to callers in RateLimit-Policy; left out: made from the window. */
  name: name.optional(),
  ...members,
});

const config = z
  .strictObject({
    /** Shown to callers in RateLimit-Policy. */
    name: name.default('default'),
    ...members,
    limit: members.limit.optional(),
    window: members.window.optional(),
    /** Several limits at once, in the place of the members above: a request must fit into all of them. */
    limits: z.array(oneLimit).min(1).max(16).optional(),
  })
  .superRefine(({ limit, window: period, limits }, context) => {
    const missing = (path: string[], message: string): void =>
      context.addIssue({ code: 'custom', path, message, input: undefined });
    if (limits !== undefined) {
      if (limit !== undefined || period !== undefined)
        missing(['limits'], 'give one limit or a list of limits, not both');
      const names = limits.map(nameOf);
      if (new Set(names).size < names.length) missing(['limits'], 'limits that count in the same window need names');
      return;
    }
    if (limit === undefined) missing(['limit'], 'how many requests or bytes a window takes');
    if (period === undefined) missing(['window'], 'a window such as 1s, 1m, 12h or 30d');
  });

type OneLimit = z.output<typeof oneLimit>;

function nameOf(limit: Pick<OneLimit, 'name' | 'window'>): string {
  return limit.name ?? `per-${limit.window}`;
}

/** One limit, ready to make its charges. */
interface CompiledLimit {
  readonly bytes: boolean;
  charge(key: string, cost: number): Charge;
  /** One key for each member of a list that is counted by. */
  keys(input: PolicyInput): string[];
}

export const rateLimit = definePolicy({
  id: 'rate-limit',
  summary:
    'Allows so many requests or bytes in a window, counted by consumer, key, address, a field, a claim, or for the route as a whole; several at once.',
  config,
  reads: ({ by, limits }) =>
    [by, ...(limits ?? []).map((one) => one.by)]
      .flat()
      .flatMap((one) => (typeof one === 'object' && 'header' in one ? [one.header] : [])),
  example: { limit: 100, window: '60s', by: 'consumer' },
  compile: ({ limits, limit, window: period, ...rest }, route, services) => {
    const compiled = (limits ?? [{ ...rest, limit: limit!, window: period! }]).map((one) => compileLimit(one, route));
    const [only] = compiled;
    if (compiled.length === 1 && !only!.bytes) return { charges: (input) => chargesFor(only!, input, 1) };
    const weighing = compiled.some(({ bytes }) => bytes);
    /** What this policy remembers of a request: what it was counted against. */
    const counted = {};
    return {
      charges: (input) => {
        const announced = Math.max(1, input.request.contentLength ?? 0);
        const charges: Charge[] = [];
        for (const one of compiled) charges.push(...chargesFor(one, input, one.bytes ? announced : 1));
        if (weighing) input.exchange.keep(counted, charges);
        return charges;
      },
      ...(weighing && {
        settle: ({ request, exchange }: PolicyInput, settled: Settled) => {
          const charges = exchange.kept(counted) as readonly Charge[] | undefined;
          // What was refused for want of room took nothing.
          if (!charges || settled.refusal?.code === 'LIMIT_EXCEEDED') return;
          const rest = settled.bytesOut + Math.max(0, settled.bytesIn - Math.max(1, request.contentLength ?? 0));
          for (const charge of charges) {
            if (charge.unit === 'content-bytes') owe(services, route.tenant, charge, rest);
          }
        },
      }),
    };
  },
});

const MAX_COST = 2 ** 32 - 1;

/** Takes what was used; of what there is no room for, all there is: the next caller then finds nothing. */
function owe(
  { charge }: Pick<Parameters<typeof rateLimit.compile>[2], 'charge'>,
  tenant: string,
  used: Charge,
  bytes: number,
): void {
  const cost = Math.min(bytes, MAX_COST);
  if (cost <= 0) return;
  charge(tenant, [{ ...used, cost }], ({ allowed, standings }) => {
    const left = standings[0]?.remaining ?? 0;
    if (!allowed && left > 0) charge(tenant, [{ ...used, cost: Math.min(cost, left) }], () => undefined);
  });
}

function chargesFor(limit: CompiledLimit, input: PolicyInput, cost: number): Charge[] {
  const charges: Charge[] = [];
  for (const key of limit.keys(input)) charges.push(limit.charge(key, cost));
  return charges;
}

function compileLimit(one: OneLimit, route: PolicyRoute): CompiledLimit {
  const { limit, window: period, burst, unit } = one;
  const policy = nameOf(one);
  const by = Array.isArray(one.by) ? one.by : [one.by];
  const prefix = `${route.service}/${route.version}:${policy}:${by.map(labelOf).join('+')}:`;
  const windowSeconds = parseDuration(period) / 1000;
  const atOnce = Math.min(burst ?? limit, limit);
  const [first] = by;
  return {
    bytes: unit === 'bytes',
    // Written out: a spread costs ten times as much, and this is made for every request.
    charge:
      unit === 'bytes'
        ? (key, cost) => ({ policy, key, limit, windowSeconds, burst: atOnce, cost, unit: 'content-bytes' })
        : (key, cost) => ({ policy, key, limit, windowSeconds, burst: atOnce, cost }),
    keys:
      by.length === 1 && typeof first === 'string'
        ? (input) => [prefix + countedBy(first, input)]
        : (input) => allKeys(by, input).map((key) => prefix + key),
  };
}

function labelOf(by: AnyDimension): string {
  if (typeof by === 'string') return by;
  return 'header' in by ? `header.${by.header}` : `claim.${by.claim}`;
}

/** More members than this are counted as one value: a caller must not make the limiter work for it. */
const MAX_MEMBERS = 8;

/** Every combination of the values in each dimension. */
function allKeys(by: readonly AnyDimension[], input: PolicyInput): string[] {
  return by
    .map((one) => valuesIn(one, input))
    .reduce((keys, values) =>
      keys.length * values.length > MAX_MEMBERS
        ? keys.map((key) => `${key}|${keyPart(values.join(','))}`)
        : keys.flatMap((key) => values.map((value) => `${key}|${value}`)),
    );
}

function valuesIn(by: AnyDimension, input: PolicyInput): string[] {
  if (typeof by === 'string') return [countedBy(by, input)];
  if ('claim' in by) return [keyPart(claimOf(by.claim, input))];
  const list = input.request.field.get(by.header) ?? '';
  const members = [...new Set(list.split(',').map((member) => member.trim()))];
  return members.length > MAX_MEMBERS ? [keyPart(list)] : members.map(keyPart);
}

function claimOf(claim: 'sub' | 'client_id' | 'tenant', { exchange: { principal } }: PolicyInput): string {
  if (!principal) return '';
  if (claim === 'sub') return principal.subject;
  return claim === 'client_id' ? principal.client : principal.tenant;
}
