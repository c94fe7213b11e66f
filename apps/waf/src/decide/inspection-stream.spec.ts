import { requestHeadToWire, wafV1, type InspectionOpening } from '@sallyport/contracts';
import { Engine, type InspectionAnswer, type Inspector } from '@sallyport/waf';
import { headUnderTest, inspectionUnderTest } from '../../../../libs/waf/src/inspector.suite';
import { InspectionStream } from './inspection-stream';
import { inspectWhole } from './whole-request';

const { Verdict } = wafV1;

type Said = InspectionAnswer['verdict'] | 'not inspected';

function opening(request: Parameters<typeof headUnderTest>[0] = {}): InspectionOpening {
  return { head: headUnderTest(request), plan: 'structural:block', tenant: 'default', requestId: 'req_1' };
}

const withBody = opening({ method: 'POST', mediaType: 'application/json' });

function stream(maxOpen?: number, inspector: Inspector = new Engine()) {
  const answers: [number, Said][] = [];
  const send = (exchange: number, answer: InspectionAnswer | undefined): void =>
    void answers.push([exchange, answer?.verdict ?? 'not inspected']);
  return { one: new InspectionStream(inspector, send, maxOpen), answers };
}

describe('InspectionStream', () => {
  it('holds an exchange only while its body is awaited', () => {
    const { one, answers } = stream();
    one.open(1, opening());
    one.open(2, opening({ query: 'file=../x' }));
    expect(one.size).toBe(0);
    one.open(3, withBody);
    expect(one.size).toBe(1);
    one.body(3, Buffer.from('{}'));
    one.bodyEnd(3);
    expect(one.size).toBe(0);
    expect(answers).toEqual([
      [1, 'pass'],
      [2, 'refuse'],
      [3, 'pass'],
      [3, 'pass'],
    ]);
  });

  it('holds an exchange until the end of its answer where answers are inspected', () => {
    const { one, answers } = stream();
    one.open(1, { ...opening(), plan: 'structural:block:{"response":{"inspect":true}}' });
    expect(one.size).toBe(1);
    one.responseHead(1, { status: 200, fields: [], version: '1.1' });
    one.responseBody(1, Buffer.from('text'));
    one.responseEnd(1);
    expect(one.size).toBe(0);
    expect(answers).toHaveLength(3);
  });

  it('answers bytes that are no request and holds nothing of them', () => {
    const { one, answers } = stream();
    const shown = { plan: 'structural:block', tenant: 'default', requestId: 'req_1', clientAddress: '192.0.2.7' };
    one.malformed(1, { ...shown, packet: Buffer.from('\x16\x03') });
    expect(one.size).toBe(0);
    expect(answers).toHaveLength(1);
  });

  it('takes steps of exchanges it does not know for late ones', () => {
    const { one, answers } = stream();
    one.body(9, Buffer.from('{'));
    one.bodyEnd(9);
    one.close(9, 'forwarded');
    expect(answers).toEqual([]);
  });

  it('says that it did not look when there are too many, when there is no head, and when it does not know the step', () => {
    const { one, answers } = stream(1);
    one.open(1, withBody);
    one.open(2, withBody);
    one.open(3, undefined);
    one.unknown(4);
    expect(answers.slice(1)).toEqual([2, 3, 4].map((exchange) => [exchange, 'not inspected']));
  });

  it('closes what is open with the stream, and what an id is used again for', () => {
    const outcomes: string[] = [];
    const inspector: Inspector = {
      open: () => ({ ...inspectionUnderTest, close: (outcome) => outcomes.push(outcome) }),
      malformed: () => undefined,
    };
    const { one } = stream(undefined, inspector);
    one.open(1, withBody);
    one.open(1, withBody);
    one.open(2, withBody);
    one.close(2, 'forwarded');
    one.closeAll();
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

  it('reads media type and body from what was sent', async () => {
    expect(await inspectWhole(new Engine(), request('application/json', '{"a":1}'))).toMatchObject({
      verdict: Verdict.VERDICT_PASS,
      refused: undefined,
      hits: [],
      ruleset: 'built-in',
    });
    expect(await inspectWhole(new Engine(), request('application/json', '{"a":1'))).toMatchObject({
      verdict: Verdict.VERDICT_REFUSE,
      refused: { code: 'WAF_MALFORMED' },
      hits: [{ rule: 7700001 }],
    });
    expect(await inspectWhole(new Engine(), request('application/json x', '{}'))).toMatchObject({
      refused: { code: 'MEDIA_TYPE_UNSUPPORTED' },
    });
  });

  it('tells of a flag even where the body passed', async () => {
    const flagged = request('application/json', '{}', 'structural:detect');
    const reply = await inspectWhole(new Engine(), {
      ...flagged,
      head: { ...flagged.head!, query: Buffer.from('a=../b') },
    });
    expect(reply).toMatchObject({ verdict: Verdict.VERDICT_FLAG, hits: [{ rule: 7702002 }] });
  });

  it('refuses a request without a head', () =>
    expect(inspectWhole(new Engine(), { ...request('a/b', ''), head: undefined })).rejects.toThrow('head is missing'));
});
