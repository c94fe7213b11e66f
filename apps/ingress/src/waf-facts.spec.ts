import { createMetrics } from '@sallyport/platform';
import type { Hit } from '@sallyport/waf';
import type { Exchange } from './exchange';
import { WafFactTeller } from './waf-facts';

const hit = { rule: 942100, variable: 'ARGS:password', data: 'a secret of the caller' } as unknown as Hit;

function exchange(more: Partial<Exchange> = {}): Exchange {
  const route = { id: 'shop/v1/all', tenant: 'acme' };
  return {
    requestId: 'req_1',
    compiled: { route },
    verdict: 'pass',
    hits: [],
    ruleset: 'crs-4.28.0',
    skipped: [],
    decidedBy: { waf: 'service' },
    refusal: undefined,
    ...more,
  } as unknown as Exchange;
}

describe('facts of inspection', () => {
  let published: { subject: string; fact: Record<string, unknown> }[];
  let arrive: (() => void)[];
  let teller: WafFactTeller;

  beforeEach(() => {
    published = [];
    arrive = [];
    const publish = (subject: string, data: Uint8Array): Promise<void> => {
      published.push({ subject, fact: JSON.parse(Buffer.from(data).toString()) as Record<string, unknown> });
      return new Promise((resolve) => arrive.push(resolve));
    };
    teller = new WafFactTeller({ publish }, { now: () => 0 }, createMetrics('ingress'));
  });

  it('tell of a request that was refused, and nothing of what it said', () => {
    teller.tell(
      exchange({ verdict: 'refuse', hits: [hit, hit], refusal: { code: 'WAF_BLOCKED' } as Exchange['refusal'] }),
    );
    expect(published).toEqual([
      {
        subject: 'sallyport.waf.request.blocked.v1.acme',
        fact: {
          at: '1970-01-01T00:00:00.000Z',
          requestId: 'req_1',
          tenant: 'acme',
          route: 'shop/v1/all',
          code: 'WAF_BLOCKED',
          ruleset: 'crs-4.28.0',
          rules: [942100],
        },
      },
    ]);
  });

  it('tell once of a request that was not inspected, with all the reasons, and whether it was served', () => {
    const skipped = ['body-limit', 'budget'].map((reason) => ({ control: 'waf' as const, reason }));
    teller.tell(exchange({ verdict: 'flag', skipped: [...skipped, { control: 'limits', reason: 'x' } as never] }));
    expect(published).toMatchObject([
      {
        subject: 'sallyport.waf.inspection.skipped.v1.acme',
        fact: { requestId: 'req_1', why: ['body-limit', 'budget'], served: true },
      },
    ]);
  });

  it('call what nobody could inspect not blocked', () => {
    const skipped = [{ control: 'waf' as const, reason: 'unavailable' }];
    const refusal = { code: 'WAF_UNAVAILABLE' } as Exchange['refusal'];
    teller.tell(exchange({ verdict: 'refuse', decidedBy: { waf: 'local' }, skipped, refusal }));
    expect(published).toMatchObject([
      { subject: 'sallyport.waf.inspection.skipped.v1.acme', fact: { why: ['unavailable'], served: false } },
    ]);
  });

  it('are silent about what is ordinary', () => {
    teller.tell(exchange());
    teller.tell(exchange({ verdict: 'flag', hits: [hit] }));
    teller.tell(exchange({ skipped: [{ control: 'waf', reason: 'grpc-body' }] }));
    expect(published).toEqual([]);
  });

  it('are no more than the bus takes', async () => {
    for (let request = 0; request < 1_500; request++) teller.tell(exchange({ verdict: 'refuse' }));
    expect(published).toHaveLength(1_000);
    arrive.forEach((arrived) => arrived());
    await new Promise(setImmediate);
    teller.tell(exchange({ verdict: 'refuse' }));
    expect(published).toHaveLength(1_001);
  });
});
