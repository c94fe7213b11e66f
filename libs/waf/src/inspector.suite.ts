import type { Field, RequestHead } from '@sallyport/contracts';
import { Engine } from './engine';
import type { Inspection, InspectionAnswer, Inspector } from './inspector';

/** What a test request differs in from `GET /orders` without a body. */
export interface RequestUnderTest {
  readonly method?: string;
  readonly path?: string;
  readonly query?: string;
  readonly fields?: readonly Field[];
  readonly mediaType?: string;
  readonly hasBody?: boolean;
}

/** A canonical head made by hand, for tests of what comes after canonicalisation. */
export function headUnderTest(request: RequestUnderTest = {}): RequestHead {
  const { method = 'GET', path = '/orders', query = '', mediaType, hasBody = mediaType !== undefined } = request;
  const typed: Field[] = mediaType === undefined ? [] : [{ name: 'content-type', value: mediaType }];
  const fields = [{ name: 'host', value: 'shop.example' }, ...typed, ...(request.fields ?? [])];
  return {
    method,
    scheme: 'http',
    authority: 'shop.example',
    path,
    query,
    hasQuery: query !== '',
    rawTarget: query === '' ? path : `${path}?${query}`,
    version: '1.1',
    fields,
    field: new Map(fields.map(({ name, value }) => [name, value])),
    clientAddress: '192.0.2.7',
    contentLength: undefined,
    hasBody,
    mediaType,
  };
}

/** An inspection that wants everything and says nothing. */
export const inspectionUnderTest: Inspection = {
  body: () => true,
  bodyEnd: () => undefined,
  response: () => undefined,
  responseBody: () => true,
  responseEnd: () => undefined,
  close: () => undefined,
};

/** What is said at one point, for tests of what happens then. */
export function answerUnderTest(answer: Partial<InspectionAnswer> = {}): InspectionAnswer {
  return {
    point: 'request-head',
    verdict: 'pass',
    hits: [],
    enough: false,
    inspected: { extent: 'full', bytes: 0, why: undefined },
    ruleset: 'built-in',
    cpuMicros: 0,
    ...answer,
  };
}

/** One inspection with what was answered so far. */
class Asked {
  readonly answers: InspectionAnswer[] = [];
  private waiting: (() => void) | undefined;
  readonly inspection: Inspection;

  constructor(inspector: Inspector, request: RequestUnderTest, plan: string) {
    const head = headUnderTest(request);
    this.inspection = inspector.open({ head, plan, tenant: 'default', requestId: 'req_1' }, (answer) => {
      this.answers.push(answer);
      this.waiting?.();
    });
  }

  /** The answer of this number, counted from 1, once it is there. */
  async answer(number: number): Promise<InspectionAnswer> {
    while (this.answers.length < number) await new Promise<void>((resolve) => (this.waiting = resolve));
    return this.answers[number - 1]!;
  }

  send(...chunks: string[]): void {
    for (const chunk of chunks) this.inspection.body(Buffer.from(chunk));
  }
}

/**
 * What every inspector promises, whatever the distance to the engine.
 * @param reach makes the inspector under test answer from this engine, directly or through a server.
 */
export function describeInspector(
  name: string,
  reach: (engine: Engine) => Promise<{ inspector: Inspector; close(): Promise<void> }>,
): void {
  describe(`inspector contract: ${name}`, () => {
    let inspector: Inspector;
    let close: () => Promise<void>;

    beforeAll(async () => {
      ({ inspector, close } = await reach(new Engine()));
    });
    afterAll(() => close());

    // As every client says of itself; rules that look for those who do not are not what this is about.
    const ordinary = [
      { name: 'user-agent', value: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0' },
      { name: 'accept', value: '*/*' },
    ];
    const ask = (request: RequestUnderTest = {}, plan = 'structural:block') =>
      new Asked(inspector, { ...request, fields: [...ordinary, ...(request.fields ?? [])] }, plan);
    const json = { method: 'POST', mediaType: 'application/json' };
    const attack = { query: 'file=../../etc/passwd' };

    it('passes an ordinary request with one answer', async () => {
      const asked = ask({ query: 'page=2&sort=name' });
      expect(await asked.answer(1)).toMatchObject({ point: 'request-head', verdict: 'pass', hits: [], enough: true });
      asked.inspection.close('forwarded');
      expect(asked.answers).toHaveLength(1);
    });

    it('answers head and body of a request in this order', async () => {
      const asked = ask(json);
      expect(await asked.answer(1)).toMatchObject({ point: 'request-head', verdict: 'pass', hits: [], enough: false });
      asked.send('{"item":', '"käse"', '}');
      asked.inspection.bodyEnd();
      expect(await asked.answer(2)).toMatchObject({ point: 'request-body', verdict: 'pass', hits: [], enough: true });
      asked.inspection.close('forwarded');
    });

    it('refuses an attack in the head once and for all', async () => {
      const asked = ask({ ...json, ...attack });
      const answer = await asked.answer(1);
      expect(answer).toMatchObject({ verdict: 'refuse', refusal: { code: 'WAF_BLOCKED' }, enough: true });
      expect(answer.hits).toMatchObject([
        {
          rule: 7702002,
          phase: 1,
          severity: 'critical',
          message: 'Argument climbs to a parent folder',
          variable: 'ARGS:file',
          data: '..',
        },
      ]);
      expect(asked.inspection.body(Buffer.from('{'))).toBe(false);
      asked.inspection.bodyEnd();
      asked.inspection.close('refused');
      expect(asked.answers).toHaveLength(1);
    });

    it('flags in detect what it refuses in block', async () => {
      const asked = ask(attack, 'structural:detect');
      const answer = await asked.answer(1);
      expect(answer).toMatchObject({ verdict: 'flag' });
      expect(answer.hits.map(({ rule }) => rule)).toContain(7702002);
      expect(answer.refusal).toBeUndefined();
      asked.inspection.close('forwarded');
    });

    it('looks at nothing when it is off', async () => {
      const asked = ask({ ...json, ...attack }, 'off');
      expect(await asked.answer(1)).toMatchObject({ verdict: 'pass', hits: [] });
      asked.send('{');
      expect(await asked.answer(2)).toMatchObject({ point: 'request-body', verdict: 'pass', hits: [], enough: true });
      asked.inspection.close('forwarded');
    });

    it('inspects by the strictest plan when it does not know the plan', async () => {
      const asked = ask(attack, 'of-a-newer-catalog');
      expect(await asked.answer(1)).toMatchObject({ verdict: 'refuse' });
      asked.inspection.close('refused');
    });

    it('refuses a broken body and says what is wrong with it', async () => {
      const asked = ask(json);
      asked.send('{"item":"a",', '}');
      asked.inspection.bodyEnd();
      expect(await asked.answer(2)).toMatchObject({
        point: 'request-body',
        verdict: 'refuse',
        refusal: { code: 'WAF_MALFORMED', params: { reason: 'it is not valid JSON from byte 12 on' } },
        hits: [{ rule: 7700001, variable: 'REQUEST_BODY' }],
      });
      asked.inspection.close('refused');
    });

    it('refuses a body before its end as soon as it knows, and wants no more of it', async () => {
      const asked = ask(json);
      asked.send('['.repeat(65));
      expect(await asked.answer(2)).toMatchObject({ verdict: 'refuse', hits: [{ rule: 7700002 }] });
      expect(asked.inspection.body(Buffer.from('['))).toBe(false);
      asked.inspection.bodyEnd();
      asked.inspection.close('refused');
      expect(asked.answers).toHaveLength(2);
    });

    it('wants no more of a body it cannot read, and lets it go on', async () => {
      const asked = ask({ method: 'PUT', mediaType: 'image/png' });
      asked.send('PNG');
      expect(await asked.answer(2)).toMatchObject({ point: 'request-body', verdict: 'pass', hits: [], enough: true });
      expect(asked.inspection.body(Buffer.from('more'))).toBe(false);
      asked.inspection.close('forwarded');
    });

    it('keeps the bytes of a request as they were received', async () => {
      const asked = ask({
        ...json,
        mediaType: undefined,
        hasBody: true,
        fields: [{ name: 'content-type', value: 'a/b\t\u00e9' }],
      });
      expect(await asked.answer(1)).toMatchObject({ hits: [{ rule: 7705001, data: 'a/b\\x09\\xe9' }] });
      asked.inspection.close('refused');
    });

    const seesAnswers = 'structural:block:{"response":{"inspect":true}}';

    it('answers head and body of the answer where the plan has it inspected', async () => {
      const asked = ask({}, seesAnswers);
      await asked.answer(1);
      asked.inspection.response({
        status: 200,
        fields: [{ name: 'content-type', value: 'text/plain' }],
        version: '1.1',
      });
      expect(await asked.answer(2)).toMatchObject({ point: 'response-head', verdict: 'pass', hits: [] });
      asked.inspection.responseBody(Buffer.from('all is well'));
      asked.inspection.responseEnd();
      expect(await asked.answer(3)).toMatchObject({ point: 'response-body', verdict: 'pass', hits: [] });
      asked.inspection.close('ok');
      expect(asked.answers).toHaveLength(3);
    });

    it('answers all four points of a request with a body, in their order', async () => {
      const asked = ask(json, seesAnswers);
      await asked.answer(1);
      asked.send('{}');
      asked.inspection.bodyEnd();
      await asked.answer(2);
      asked.inspection.response({ status: 204, fields: [], version: '1.1' });
      await asked.answer(3);
      asked.inspection.responseEnd();
      await asked.answer(4);
      expect(asked.answers.map(({ point }) => point)).toEqual([
        'request-head',
        'request-body',
        'response-head',
        'response-body',
      ]);
      asked.inspection.close('ok');
    });

    it('says which rules ran, and how much of it they saw', async () => {
      const asked = ask();
      const { ruleset, inspected } = await asked.answer(1);
      expect(ruleset).toMatch(/^[a-z0-9][a-z0-9._-]*$/);
      expect(inspected.extent).toBe('full');
      const off = ask({}, 'off');
      expect((await off.answer(1)).inspected).toMatchObject({ extent: 'skipped', why: 'off' });
    });

    it('keeps a rule off a route that excludes it', async () => {
      const plan = 'structural:block:{"exclude":[{"reason":"names of files","rule":"7700000-7799999"}]}';
      expect(await ask(attack, plan).answer(1)).toMatchObject({ verdict: 'pass', hits: [] });
    });

    it('answers bytes that are no request once', async () => {
      const answers: InspectionAnswer[] = [];
      await new Promise<void>((resolve) =>
        inspector.malformed(
          {
            packet: Buffer.from('GET / HTTP/9.9\r\n\r\n'),
            plan: 'structural:block',
            tenant: 'default',
            requestId: 'req_1',
            clientAddress: '192.0.2.7',
          },
          (answer) => {
            answers.push(answer);
            resolve();
          },
        ),
      );
      expect(answers).toMatchObject([{ point: 'malformed' }]);
    });

    it('says nothing after it was closed', async () => {
      const asked = ask(json);
      await asked.answer(1);
      asked.inspection.close('client_aborted');
      asked.send('x');
      asked.inspection.bodyEnd();
      const after = ask();
      await after.answer(1);
      after.inspection.close('forwarded');
      expect(asked.answers).toHaveLength(1);
    });

    it('keeps many requests apart', async () => {
      const asked = Array.from({ length: 200 }, (_, at) => ask(at % 3 === 0 ? attack : json));
      for (const [at, one] of asked.entries()) if (at % 3 !== 0) one.send(at % 3 === 1 ? '{}' : '}');
      for (const [at, one] of asked.entries()) if (at % 3 === 1) one.inspection.bodyEnd();
      const verdicts = await Promise.all(
        asked.map(async (one, at) => (await one.answer(at % 3 === 0 ? 1 : 2)).verdict),
      );
      expect(verdicts).toEqual(asked.map((_, at) => (at % 3 === 1 ? 'pass' : 'refuse')));
      for (const one of asked) one.inspection.close('over');
    });
  });
}
