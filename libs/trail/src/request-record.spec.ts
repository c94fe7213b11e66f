import { refuse, type Principal } from '@sallyport/contracts';
import * as fc from 'fast-check';
import { eventText, MAX_EVENT_BYTES, type Stamp } from './event';
import type { RequestFacts } from './facts';
import { requestAdmitted, requestCompleted } from './request-record';

const stamp: Stamp = {
  cluster: 'cluster-a',
  chain: 'cluster-a/ingress-2/67f0c1a2deadbeef',
  producer: 'ingress-2',
  seq: 48211,
  now: 1_795_450_000_125,
  version: '0.1.0',
};

const making = { now: 1_795_450_000_123, random: (count: number) => Buffer.alloc(count, 7) };
const pseudonym = (tenant: string, value: string) => `hmac:${tenant}:${value}`;

/** Text as it comes from outside: of any kind, lone surrogates and NUL with it. */
const anyText = fc.string({ unit: 'binary', maxLength: 40 });
const maybe = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined });

const principal: fc.Arbitrary<Principal> = fc.record({
  tenant: anyText,
  subject: anyText,
  client: anyText,
  consumer: anyText,
  actors: fc.constant([]),
  scopes: fc.constant(new Set<string>()),
  roles: fc.constant([]),
  credential: fc.record({ kind: fc.constantFrom('api-key' as const, 'jwt' as const), id: anyText }),
  until: fc.constant(0),
  models: fc.constant(['*']),
  quotas: fc.constant([]),
});

const facts = fc
  .record({
    requestId: anyText,
    tenant: anyText,
    startedAt: fc.nat(),
    endedAt: fc.nat(),
    method: anyText,
    path: anyText,
    status: fc.constantFrom(0, 200, 404, 503),
    bytesIn: fc.nat(),
    bytesOut: fc.nat(),
    outcome: fc.constantFrom('ok' as const, 'refused' as const, 'shed' as const, 'upstream_error' as const),
    grpcStatus: maybe(fc.nat(16)),
    clientAddress: anyText,
    sourcePort: maybe(fc.nat(65_535)),
    refusal: maybe(
      fc
        .record({ policy: anyText, reason: anyText })
        .map(({ policy, reason }) => refuse('LIMIT_EXCEEDED', { policy }, { reason })),
    ),
    route: maybe(fc.record({ id: anyText, service: anyText, version: anyText, class: fc.constant('public' as const) })),
    operation: maybe(anyText),
    configVersion: maybe(anyText),
    principal: maybe(principal),
    upstream: maybe(
      fc.record({
        host: anyText,
        failed: fc.array(fc.record({ host: anyText, status: fc.nat(599) }), { maxLength: 2 }),
      }),
    ),
    canary: fc.boolean(),
    decidedBy: maybe(fc.constant({ auth: 'local' as const, 'rate-limit': 'service' as const })),
    skipped: maybe(fc.array(fc.record({ control: fc.constant('waf' as const), reason: anyText }), { maxLength: 2 })),
    limit: maybe(fc.record({ policy: anyText, remaining: fc.integer() })),
    waf: maybe(
      fc.record({
        verdict: fc.constantFrom('pass' as const, 'flag' as const, 'refuse' as const),
        hits: fc.array(fc.record({ rule: fc.nat(), severity: anyText, variable: anyText, data: anyText }), {
          maxLength: 3,
        }),
      }),
    ),
    model: maybe(
      fc.record({
        operation: anyText,
        requested: anyText,
        stream: fc.boolean(),
        costUsd: fc.option(anyText),
        attempts: fc.array(
          fc.record({ provider: anyText, model: anyText, status: fc.nat(599), outcome: fc.constant('ok' as const) }),
          { maxLength: 2 },
        ),
      }),
    ),
    trace: maybe(fc.record({ traceId: anyText, spanId: anyText })),
    folded: maybe(fc.record({ count: fc.nat(), firstRequestId: anyText, lastRequestId: anyText })),
  })
  .map((drawn) => ({ ...making, pseudonym, ...drawn }) as unknown as RequestFacts);

describe('the record of a request', () => {
  it('is what an independent RFC 8785 writer makes of it, whatever the request holds', async () => {
    const { default: canonicalize } = (await import('canonicalize')) as unknown as {
      default: (value: unknown) => string;
    };
    fc.assert(
      fc.property(facts, (request) => {
        for (const event of [requestCompleted(request), requestAdmitted(request)]) {
          const text = eventText(event, stamp);
          expect(text).toBe(canonicalize(JSON.parse(text)));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('is the same written at once as made from its document', () => {
    fc.assert(
      fc.property(facts, (request) => {
        for (const event of [requestCompleted(request), requestAdmitted(request)]) {
          const { uid, kind, tenant, body } = event;
          expect(eventText(event, stamp)).toBe(eventText({ uid, kind, tenant, body }, stamp));
        }
      }),
    );
  });

  it('is cut when it is too long, and says so', () => {
    const [request] = fc.sample(facts, { numRuns: 1, seed: 1 });
    const event = requestCompleted({ ...request!, path: `/${'x'.repeat(MAX_EVENT_BYTES)}` });
    const text = eventText(event, stamp);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(MAX_EVENT_BYTES);
    expect(JSON.parse(text)).toMatchObject({
      metadata: { sequence: 48211, uid: event.uid },
      unmapped: { sallyport: { kind: 'request.completed', truncated: true } },
    });
  });
});
