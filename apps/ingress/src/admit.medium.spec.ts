import { refuse } from '@sallyport/contracts';
import { someRoute } from '@sallyport/testkit';
import type { InspectionAnswer, InspectionHead, Inspector } from '@sallyport/waf';
import { answerUnderTest, inspectionUnderTest } from '../../../libs/waf/src/inspector.suite';
import { GOOD_KEY, IngressUnderTest, RecordingUpstream, someUpstream } from './ingress-under-test';

/** Refuses every head, before or after the caller is verified; or breaks over the body. */
class Refusing implements Inspector {
  late = false;
  broken: keyof typeof inspectionUnderTest | undefined;

  open(_: InspectionHead, answer: (answer: InspectionAnswer) => void) {
    if (this.broken !== undefined) {
      answer(answerUnderTest());
      const fail = (): never => {
        throw new Error('a defect');
      };
      return { ...inspectionUnderTest, [this.broken]: fail };
    }
    const refusal = refuse('WAF_BLOCKED', {}, { reason: 'rule 1' });
    const say = (): void => answer(answerUnderTest({ point: 'request-head', verdict: 'refuse', refusal }));
    if (this.late) setTimeout(say, 50);
    else say();
    return inspectionUnderTest;
  }

  malformed(): void {
    return;
  }
}

const inspector = new Refusing();
let ingress: IngressUnderTest;
let upstream: RecordingUpstream;

beforeAll(async () => {
  upstream = await RecordingUpstream.listen();
  ingress = await IngressUnderTest.start({ inspector });
  await ingress.publish([someRoute({ waf: { mode: 'block' } })], someUpstream(upstream.url));
});
afterAll(async () => {
  await ingress.close();
  await upstream.close();
});

describe.each([
  ['before', false],
  ['after', true],
])('a hostile head that is known %s its caller', (_, late) => {
  beforeAll(() => (inspector.late = late));

  it('is a 401 to a caller who is not known', async () => {
    const answer = await ingress.ask('/orders', { fields: { authorization: 'Bearer sp_live_wrong' } });
    expect(answer.status).toBe(401);
    expect(answer.fields['www-authenticate']).toMatch(/^Bearer/);
  });

  it('is on record with what was found in it, although its caller is not known', async () => {
    await ingress.ask('/orders', { fields: { authorization: 'Bearer sp_live_wrong' } });
    expect(ingress.records().at(-1)).toMatchObject({ status: '401', waf: { verdict: 'refuse' } });
    await ingress.ask('/orders');
    expect(ingress.records().at(-1)).toMatchObject({ status: '401', waf: { verdict: 'refuse' } });
  });

  it('is a 403 to one who is, and goes no further', async () => {
    const answer = await ingress.ask('/orders', { fields: { authorization: GOOD_KEY } });
    expect(answer.status).toBe(403);
    expect(answer.body).toContain('WAF_BLOCKED');
    expect(upstream.seen).toEqual([]);
  });
});

it.each(['body', 'bodyEnd'] as const)('a defect while a body comes in is that request’s 500: %s', async (broken) => {
  inspector.broken = broken;
  const asking = { method: 'POST', fields: { authorization: GOOD_KEY, 'content-type': 'text/plain' }, body: 'hi' };
  expect((await ingress.ask('/orders', asking)).status).toBe(500);
  inspector.broken = undefined;
  expect(ingress.records().at(-1)).toMatchObject({ status: '500', outcome: 'internal_error' });
});
