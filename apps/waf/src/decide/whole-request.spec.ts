import { requestHeadToWire, wafV1 } from '@sallyport/contracts';
import type { InspectionAnswer, Inspector } from '@sallyport/waf';
import { answerUnderTest, headUnderTest, inspectionUnderTest } from '../../../../libs/waf/src/inspector.suite';
import { inspectWhole } from './whole-request';

/** Answers each point when others had their turn, as an engine does that has much to do. */
class SlowInspector implements Inspector {
  readonly closed: string[] = [];

  constructor(private readonly said: Partial<Record<InspectionAnswer['point'], Partial<InspectionAnswer>>>) {}

  open(_: Parameters<Inspector['open']>[0], answer: (answer: InspectionAnswer) => void) {
    const later = (point: InspectionAnswer['point']) =>
      void setImmediate(() => answer(answerUnderTest({ point, ...this.said[point] })));
    later('request-head');
    return {
      ...inspectionUnderTest,
      bodyEnd: () => later('request-body'),
      close: (outcome: string) => void this.closed.push(outcome),
    };
  }

  malformed(): void {
    throw new Error('nobody asked');
  }
}

const ask = (inspector: Inspector, body = '') =>
  inspectWhole(inspector, {
    head: requestHeadToWire(headUnderTest({ method: 'POST', mediaType: 'text/plain' })),
    plan: 'structural:block',
    tenant: 'default',
    body: Buffer.from(body),
  });

describe('one whole request', () => {
  it('is answered when its body was judged, however long that takes', async () => {
    const hit = { rule: 942100, phase: 2, severity: 'critical', paranoia: 1, message: '', tags: [] } as const;
    const hits = [{ ...hit, variable: 'ARGS:a', data: '', count: 1, late: false }];
    const inspector = new SlowInspector({ 'request-body': { verdict: 'refuse', hits } });
    const reply = await ask(inspector, 'a');
    expect(reply).toMatchObject({ verdict: wafV1.Verdict.VERDICT_REFUSE, hits: [{ rule: 942100 }] });
    expect(inspector.closed).toEqual(['inspected']);
  });

  it('is answered at its head where that is refused', async () => {
    const inspector = new SlowInspector({ 'request-head': { verdict: 'refuse' } });
    expect((await ask(inspector, 'a')).verdict).toBe(wafV1.Verdict.VERDICT_REFUSE);
  });

  it('without a head is malformed', async () => {
    const asked = inspectWhole(new SlowInspector({}), { head: undefined, plan: '', tenant: '', body: Buffer.alloc(0) });
    await expect(asked).rejects.toMatchObject({ refusal: { code: 'REQUEST_MALFORMED' } });
  });
});
