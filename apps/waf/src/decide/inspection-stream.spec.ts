import { requestHeadToWire, wafV1 } from '@sallyport/contracts';
import { Engine, type Inspector } from '@sallyport/waf';
import { headUnderTest } from '../../../../libs/waf/src/inspector.suite';
import { InspectionStream } from './inspection-stream';
import { inspectWhole } from './whole-request';

const { Verdict } = wafV1;

function opening(request: Parameters<typeof headUnderTest>[0] = {}): NonNullable<wafV1.Ask['step']> {
  const head = requestHeadToWire(headUnderTest(request));
  return { $case: 'open', value: { head, plan: 'structural:block', tenant: 'default', requestId: 'req_1' } };
}

const withBody = opening({ method: 'POST', mediaType: 'application/json' });

function stream(maxOpen?: number, inspector: Inspector = new Engine()) {
  const answers: [number, wafV1.Verdict][] = [];
  const one = new InspectionStream(inspector, ({ exchange, verdict }) => answers.push([exchange, verdict]), maxOpen);
  const take = (exchange: number, step: wafV1.Ask['step']) => one.take({ exchange, step });
  return { one, answers, take };
}

describe('InspectionStream', () => {
  it('holds an exchange only while its body is awaited', () => {
    const { one, answers, take } = stream();
    take(1, opening());
    take(2, opening({ query: 'file=../x' }));
    expect(one.size).toBe(0);
    take(3, withBody);
    expect(one.size).toBe(1);
    take(3, { $case: 'body', value: Buffer.from('{}') });
    take(3, { $case: 'bodyEnd', value: {} });
    expect(one.size).toBe(0);
    expect(answers).toEqual([
      [1, Verdict.VERDICT_PASS],
      [2, Verdict.VERDICT_REFUSE],
      [3, Verdict.VERDICT_PASS],
      [3, Verdict.VERDICT_PASS],
    ]);
  });

  it('takes steps of exchanges it does not know for late ones', () => {
    const { answers, take } = stream();
    take(9, { $case: 'body', value: Buffer.from('{') });
    take(9, { $case: 'bodyEnd', value: {} });
    take(9, { $case: 'close', value: { outcome: 'forwarded' } });
    expect(answers).toEqual([]);
  });

  it('says that it did not look when there are too many, when there is no head, and when it does not know the step', () => {
    const { answers, take } = stream(1);
    take(1, withBody);
    take(2, withBody);
    take(3, { $case: 'open', value: { head: undefined, plan: 'structural:block', tenant: '', requestId: '' } });
    take(4, undefined);
    expect(answers.slice(1)).toEqual([2, 3, 4].map((exchange) => [exchange, Verdict.VERDICT_UNSPECIFIED]));
  });

  it('closes what is open with the stream, and what an id is used again for', () => {
    const outcomes: string[] = [];
    const inspector: Inspector = {
      open: () => ({ body: () => true, bodyEnd: () => undefined, close: (outcome) => outcomes.push(outcome) }),
    };
    const { one, take } = stream(undefined, inspector);
    take(1, withBody);
    take(1, withBody);
    take(2, withBody);
    take(2, { $case: 'close', value: { outcome: 'forwarded' } });
    one.close();
    expect(outcomes).toEqual(['superseded', 'forwarded', 'stream_lost']);
    expect(one.size).toBe(0);
  });
});

describe('inspectWhole', () => {
  const head = requestHeadToWire(headUnderTest({ method: 'POST' }));
  const request = (contentType: string, body: string, plan = 'structural:block'): wafV1.InspectRequest => ({
    head: { ...head, fields: [{ name: 'Content-Type', value: Buffer.from(contentType) }] },
    plan,
    tenant: 'default',
    body: Buffer.from(body),
  });

  it('reads media type and body from what was sent', () => {
    expect(inspectWhole(new Engine(), request('application/json', '{"a":1}'))).toEqual({
      verdict: Verdict.VERDICT_PASS,
      refused: undefined,
      hits: [],
    });
    expect(inspectWhole(new Engine(), request('application/json', '{"a":1'))).toMatchObject({
      verdict: Verdict.VERDICT_REFUSE,
      refused: { code: 'WAF_MALFORMED' },
      hits: [{ rule: 7700001 }],
    });
    expect(inspectWhole(new Engine(), request('application/json x', '{}'))).toMatchObject({
      refused: { code: 'MEDIA_TYPE_UNSUPPORTED' },
    });
  });

  it('tells of a flag even where the body passed', () => {
    const flagged = request('application/json', '{}', 'structural:detect');
    const reply = inspectWhole(new Engine(), { ...flagged, head: { ...flagged.head!, query: Buffer.from('a=../b') } });
    expect(reply).toMatchObject({ verdict: Verdict.VERDICT_FLAG, hits: [{ rule: 7702002 }] });
  });

  it('refuses a request without a head', () =>
    expect(() => inspectWhole(new Engine(), { ...request('a/b', ''), head: undefined })).toThrow('head is missing'));
});
