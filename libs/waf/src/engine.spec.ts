import { processorMillis } from '@sallyport/testkit';
import { Cohort } from './cohort';
import { compileRuleSet } from './compile';
import { Engine } from './engine';
import type { InspectionAnswer } from './inspector';
import { describeInspector, headUnderTest, type RequestUnderTest } from './inspector.suite';
import { planId } from './plan';
import { builtInRules } from './rules/built-in';
import { rules } from './rules/registry';

describeInspector('engine', async (engine) => ({ inspector: engine, close: async () => undefined }));

function answersOf(request: RequestUnderTest, body: string[] = [], plan = 'structural:block'): InspectionAnswer[] {
  const answers: InspectionAnswer[] = [];
  const head = headUnderTest(request);
  const inspection = new Engine().open({ head, plan, tenant: 'default', requestId: 'req_1' }, (answer) =>
    answers.push(answer),
  );
  for (const chunk of body) inspection.body(Buffer.from(chunk));
  if (head.hasBody) inspection.bodyEnd();
  inspection.close('over');
  return answers;
}

const hitsOf = (request: RequestUnderTest, plan = 'structural:detect') =>
  answersOf(request, [], plan)[0]!.hits.map(({ rule }) => rule);

describe('rules over the head', () => {
  it.each<[string, RequestUnderTest, number[]]>([
    ['an ordinary method', { method: 'PATCH' }, []],
    ['TRACE', { method: 'TRACE' }, [7701001]],
    ['DEBUG', { method: 'DEBUG' }, [7701001]],

    ['dots that are no segment', { path: '/v1..2/a...b', query: 'range=1..5&file=a..b' }, []],
    ['full-width dots in the path', { path: '/a/%EF%BC%8E%EF%BC%8E/b' }, [7702001]],
    ['a full-width slash in the path', { path: '/a/..%EF%BC%8Fb' }, [7702001]],
    ['white space behind the dots', { path: '/a/..%20/b' }, [7702001]],
    ['a plain climb', { query: 'file=../../etc/passwd' }, [7702002]],
    ['a climb at the end', { query: 'dir=a/..' }, [7702002]],
    ['a climb with backslashes', { query: 'file=..%5C..%5Cboot.ini' }, [7702002]],
    ['an escaped climb', { query: 'file=%2e%2e%2fx' }, [7702002]],
    ['a doubly escaped climb', { query: 'file=%252e%252e%252fx' }, [7702002]],
    ['a triply escaped climb', { query: 'file=%25252e%25252e%25252fx' }, [7702002]],
    ['an overlong climb', { query: 'file=%c0%ae%c0%ae%c0%afx' }, [7702002]],
    ['a climb escaped for IIS', { query: 'file=%u002e%u002e%u2215x' }, [7702002]],
    ['a climb behind a NUL', { query: 'file=..%00/x' }, [7703001, 7702002]],
    ['a climb in a name', { query: '../x=1' }, [7702002]],

    ['a NUL in a value', { query: 'a=b%00c' }, [7703001]],
    ['a line end in a value', { query: 'a=b%0d%0ac%09' }, []],
    ['an escape character in a value', { query: 'a=%1b[2J' }, [7703002]],

    ['the last field that fits', { fields: Array.from({ length: 99 }, () => ({ name: 'x', value: '' })) }, []],
    ['a field too many', { fields: Array.from({ length: 100 }, () => ({ name: 'x', value: '' })) }, [7704001]],
    ['a long field', { fields: [{ name: 'x', value: 'v'.repeat(8_193) }] }, [7704001]],
    ['the last argument that fits', { query: 'a&'.repeat(999) + 'a' }, []],
    ['an argument too many', { query: 'a&'.repeat(1_000) + 'a' }, [7704002]],
    ['a long name of an argument', { query: `${'n'.repeat(257)}=1` }, [7704003]],

    [
      'a type no one can read',
      { hasBody: true, fields: [{ name: 'content-type', value: 'application/json garbage' }] },
      [7705001],
    ],
    ['such a type without a body', { fields: [{ name: 'content-type', value: 'application/json garbage' }] }, []],
  ])('%s', (_, request, expected) => expect(hitsOf(request)).toEqual(expected));

  it('an exclusion that has ended keeps no structural rule off', () => {
    const excluding = (expires: string) =>
      planId({ mode: 'detect', exclude: [{ rule: 7701001, reason: 'a proxy', expires }] });
    expect(hitsOf({ method: 'TRACE' }, excluding('2999-01-01'))).toEqual([]);
    expect(hitsOf({ method: 'TRACE' }, excluding('2020-01-01'))).toEqual([7701001]);
  });

  const json = (fields: RequestUnderTest['fields'], contentType = 'application/json'): RequestUnderTest => ({
    hasBody: true,
    mediaType: 'application/json',
    fields: [{ name: 'content-type', value: contentType }, ...(fields ?? [])],
  });

  it('takes JSON in UTF-8 only', () => {
    expect(hitsOf(json([], 'application/json; charset=UTF-8'))).toEqual([]);
    expect(hitsOf(json([], 'application/json; charset="utf-16"'))).toEqual([7705002]);
    expect(answersOf(json([], 'application/json; charset=ibm037'))[0]!.refusal).toMatchObject({
      code: 'MEDIA_TYPE_UNSUPPORTED',
      params: { accepted: 'application/json in UTF-8' },
    });
  });

  it('takes no JSON that is packed in a way nobody unpacks', () => {
    expect(hitsOf(json([{ name: 'content-encoding', value: 'identity' }]))).toEqual([]);
    expect(hitsOf(json([{ name: 'content-encoding', value: 'compress' }]))).toEqual([7705003]);
    expect(hitsOf(json([{ name: 'content-encoding', value: 'gzip' }]))).toEqual([]);
  });

  it('shows nothing of a value but what matched', () => {
    const [answer] = answersOf({ query: 'file=secret/../password' });
    expect(JSON.stringify(answer)).not.toMatch(/secret|password/);
    expect(answer!.refusal!.reason).toBe('rule 7702002: Argument climbs to a parent folder');
    expect(answer!.refusal!.params).toEqual({});
  });

  it('bounds and escapes what it shows', () => {
    const [answer] = answersOf({ query: `${'n%1b'.repeat(80)}=..` }, [], 'structural:detect');
    for (const { variable, data } of answer!.hits) {
      expect(variable.length).toBeLessThanOrEqual(100);
      expect(variable + data).toMatch(/^[\x20-\x7e]*$/);
    }
  });

  it('judges 8 KiB of the worst escapes in a bounded time', () => {
    const judge = () => {
      hitsOf({ query: `a=${'%25'.repeat(2_700)}` });
      hitsOf({ query: '%2e%2e&'.repeat(1_000) });
    };
    expect(processorMillis(300, judge)).toBeLessThan(300);
  });
});

describe('the query', () => {
  const text = `SecRule ARGS "@rx ^(?:sent|kept)$" "id:1,phase:1,pass,log,capture,severity:ERROR,logdata:'%{TX.0}'"`;
  const program = compileRuleSet({ files: [{ name: 'query.conf', text }], read: () => undefined }).adjusted({});
  const engine = new Engine({ rules: () => ({ name: 'query', program }), used: () => 0 });

  it.each([
    ['is what was received where the canonical one differs', '/orders?q=sent', 'sent'],
    ['is split once where both are the same', '/orders?q=kept', 'kept'],
  ])('that rules see %s', (_, rawTarget, seen) => {
    const answers: InspectionAnswer[] = [];
    const head = { ...headUnderTest({ query: 'q=kept' }), rawTarget };
    engine.open({ head, plan: 'structural:detect', tenant: 'default', requestId: 'req_1' }, (answer) =>
      answers.push(answer),
    );
    expect(answers[0]!.hits.map(({ data }) => data)).toEqual([seen]);
  });
});

describe('rules over bodies', () => {
  const post = (mediaType: string): RequestUnderTest => ({ method: 'POST', mediaType });
  const bodyRule = (request: RequestUnderTest, body: string[], plan?: string) =>
    answersOf(request, body, plan)[1]!.hits.map(({ rule }) => rule);

  it.each(['application/json', 'text/json', 'application/merge-patch+json'])('scans %s', (type) =>
    expect(bodyRule(post(type), ['{"a"', '1}'])).toEqual([7700001]),
  );

  it('tells the four faults of JSON apart', () => {
    const type = post('application/json');
    expect(bodyRule(type, ['{'])).toEqual([7700001]);
    expect(bodyRule(type, ['['.repeat(65)])).toEqual([7700002]);
    expect(bodyRule(type, [`{${'"k":0,'.repeat(10_001)}`])).toEqual([7700003]);
    expect(bodyRule(type, [`"${'a'.repeat(1024 * 1024 + 1)}"`])).toEqual([7700004]);
  });

  it('takes long content under the profile llm', () =>
    expect(bodyRule(post('application/json'), [`"${'a'.repeat(1024 * 1024 + 1)}"`], 'llm:block')).toEqual([]));

  it('counts the arguments of a form', () => {
    const form = post('application/x-www-form-urlencoded');
    expect(bodyRule(form, ['a&'.repeat(500), 'a&'.repeat(499), 'a'])).toEqual([]);
    expect(bodyRule(form, ['a&'.repeat(500), 'a&'.repeat(500), 'a'])).toEqual([7700005]);
  });

  it('flags a broken body in detect', () =>
    expect(answersOf(post('application/json'), ['}'], 'structural:detect')[1]).toMatchObject({
      verdict: 'flag',
      enough: true,
    }));

  it('takes an announced body that never came for none', () =>
    expect(answersOf(post('application/json'))[1]).toMatchObject({ verdict: 'pass' }));
});

describe('a body beyond what is inspected', () => {
  const program = compileRuleSet({ files: builtInRules('alone'), read: () => undefined }).adjusted({});
  const engine = new Engine({ rules: () => ({ name: 'built-in', program }), used: () => 0 });
  const KIB = 1024;

  function ask(request: RequestUnderTest, chunks: readonly string[], plan: string, announced?: number) {
    const fields = [
      { name: 'user-agent', value: 'curl/8.17.0' },
      { name: 'accept', value: '*/*' },
    ];
    const head = { ...headUnderTest({ method: 'POST', fields, ...request }), contentLength: announced };
    const answers: InspectionAnswer[] = [];
    return new Promise<InspectionAnswer[]>((resolve) => {
      const inspection = engine.open({ head, plan, tenant: 'default', requestId: 'req_1' }, (answer) => {
        answers.push(answer);
        if (answer.point === 'request-body' || answer.verdict === 'refuse') resolve(answers);
      });
      for (const chunk of chunks) inspection.body(Buffer.from(chunk));
      inspection.bodyEnd();
    });
  }

  const json = { mediaType: 'application/json' };
  const long = [`"${'a'.repeat(100 * KIB)}`, `${'a'.repeat(100 * KIB)}"`];

  it.each(['structural', 'form', 'json-api', 'graphql', 'own', 'upload'])('is refused under %s', async (profile) => {
    const answers = await ask(json, long, `${profile}:block`);
    expect(answers.at(-1)).toMatchObject({
      point: 'request-body',
      refusal: { code: 'BODY_TOO_LARGE', params: { maxBytes: 128 * KIB } },
    });
  });

  it('is refused before it is read where its length says so', async () => {
    const [first, ...more] = await ask(json, [], 'structural:block', 128 * KIB + 1);
    expect(first).toMatchObject({ point: 'request-head', refusal: { code: 'BODY_TOO_LARGE' }, enough: true });
    expect(more).toEqual([]);
    expect((await ask(json, ['{}'], 'structural:block', 128 * KIB))[0]!.verdict).toBe('pass');
  });

  it('is flagged in detect, and said to be seen in part', async () => {
    const answers = await ask(json, long, 'structural:detect', 200 * KIB + 2);
    expect(answers[0]).toMatchObject({ verdict: 'pass' });
    expect(answers[1]).toMatchObject({
      verdict: 'flag',
      hits: [{ rule: 7700009 }],
      inspected: { extent: 'partial', bytes: 128 * KIB, why: 'body-limit' },
    });
  });

  it('passes where the route says so, and is said to be seen in part', async () => {
    const answers = await ask(json, long, 'json-api:block:{"body":{"over":"partial"}}');
    expect(answers[1]).toMatchObject({
      verdict: 'pass',
      inspected: { extent: 'partial', bytes: 128 * KIB, why: 'body-limit' },
    });
  });

  it('is a form whose file goes on, and whose field behind it is judged', async () => {
    const form = (field: string) => [
      '--b\r\nContent-Disposition: form-data; name="f"; filename="a.bin"\r\n\r\n',
      'x'.repeat(300 * KIB),
      `\r\n--b\r\nContent-Disposition: form-data; name="note"\r\n\r\n${field}\r\n--b--\r\n`,
    ];
    const type = { mediaType: 'multipart/form-data; boundary=b' };
    for (const profile of ['structural', 'upload']) {
      const passed = await ask(type, form('holiday'), `${profile}:block`);
      expect(passed[1]).toMatchObject({ verdict: 'pass', inspected: { extent: 'partial', why: 'file-content' } });
      const refused = await ask(type, form("1' or '1'='1"), `${profile}:block`);
      expect(refused.at(-1)).toMatchObject({ verdict: 'refuse', refusal: { code: 'WAF_BLOCKED' } });
    }
    expect((await ask(type, form('holiday'), 'form:block')).at(-1)).toMatchObject({ verdict: 'refuse' });
  });

  it('is one of a picture, of which nothing is looked at, and that is said', async () => {
    const answers = await ask({ mediaType: 'image/png' }, ['\x89PNG'], 'structural:block', 5_000_000);
    expect(answers[1]).toMatchObject({ verdict: 'pass', inspected: { extent: 'partial', why: 'opaque-type' } });
  });
});

describe('the body of an answer', () => {
  const text = `
    SecRule RESPONSE_BODY "@rx ORA-[0-9]{5}" "id:1,phase:4,pass,log,severity:ERROR,msg:'leak'"
    SecRule RESPONSE_BODY "@rx PRIVATE KEY" "id:2,phase:4,deny,log,severity:CRITICAL,msg:'key'"`;
  const program = compileRuleSet({ files: [{ name: 'answers.conf', text }], read: () => undefined }).adjusted({});
  let waiting: (() => void)[] = [];
  const later = (next: () => void) => void waiting.push(next);
  const engine = new Engine({ rules: () => ({ name: 'answers', program }), used: () => 0, later });
  const plan = (mode: 'detect' | 'block') => `structural:${mode}:{"response":{"inspect":true,"hold":"1KiB"}}`;

  /** Does all work that others were given their turn before. */
  function work(): void {
    for (; waiting.length > 0;) {
      const due = waiting;
      waiting = [];
      for (const next of due) next();
    }
  }

  /** Shows the pieces one by one, each when all work on the last is done. */
  function show(mode: 'detect' | 'block', pieces: readonly string[], ends = true) {
    const answers: InspectionAnswer[] = [];
    const head = headUnderTest({});
    const inspection = engine.open({ head, plan: plan(mode), tenant: 'default', requestId: 'req_1' }, (answer) =>
      answers.push(answer),
    );
    inspection.response({
      status: 200,
      version: '1.1',
      fields: [{ name: 'content-type', value: 'text/plain' }],
    });
    const wanted: boolean[] = [];
    for (const piece of pieces) {
      wanted.push(inspection.responseBody(Buffer.from(piece)));
      work();
    }
    if (ends) inspection.responseEnd();
    work();
    return { wanted, last: answers.at(-1)!, points: answers.map(({ point }) => point) };
  }

  it('is refused in the middle of an answer that goes on', () => {
    const { wanted, last, points } = show('block', ['BEGIN PRIV', 'ATE KEY', 'more'], false);
    expect(wanted).toEqual([true, true, false]);
    expect(points).toEqual(['request-head', 'response-head', 'response-body']);
    expect(last).toMatchObject({ verdict: 'refuse', hits: [{ rule: 2, phase: 4, late: false }] });
  });

  it('is refused late where bytes of it are gone', () => {
    const { last } = show('block', ['x'.repeat(2000), 'PRIVATE KEY'], false);
    expect(last).toMatchObject({ verdict: 'refuse', hits: [{ rule: 2, late: true }] });
  });

  it('is told of at its end where rules only watch, once', () => {
    const { last, points } = show('detect', ['ORA-12', '345 PRIVATE', ' KEY']);
    expect(points).toEqual(['request-head', 'response-head', 'response-body']);
    expect(last).toMatchObject({
      verdict: 'flag',
      hits: [
        { rule: 1, late: true },
        { rule: 2, late: true },
      ],
    });
  });

  it('is answered as soon as no more of it is looked at', () => {
    const { wanted, last } = show('block', ['x'.repeat(512 * 1024), 'PRIVATE KEY'], false);
    expect(wanted).toEqual([false, false]);
    expect(last).toMatchObject({
      point: 'response-body',
      verdict: 'pass',
      enough: true,
      inspected: { extent: 'partial', why: 'body-limit' },
    });
  });
});

describe('inspections that are gathered', () => {
  const WATCHED = 'structural:block:{"response":{"inspect":true,"hold":"1KiB"}}';
  const text = `
    SecRule ARGS "@contains evil" "id:1,phase:2,deny,log"
    SecRule RESPONSE_BODY "@contains leak" "id:2,phase:4,deny,log"`;
  const program = compileRuleSet({ files: [{ name: 'gathered.conf', text }], read: () => undefined }).adjusted({});
  let turns: (() => void)[];
  let engine: Engine;
  let told: string[];

  beforeEach(() => {
    turns = [];
    told = [];
    const gathering = new Cohort((run) => void turns.push(run));
    engine = new Engine({ rules: () => ({ name: 'gathered', program }), used: () => 0, gathering });
  });

  const endTurn = (): void => turns.shift()!();
  const open = (query: string, request: Partial<RequestUnderTest> = {}, onAnswer: () => void = () => undefined) =>
    engine.open(
      { head: headUnderTest({ query, ...request }), plan: 'structural:block', tenant: 'default', requestId: 'req_1' },
      ({ point, verdict }) => {
        told.push(`${query} ${point} ${verdict}`);
        onAnswer();
      },
    );

  it('are all answered at the end of the turn they begin in', () => {
    open('a=1');
    open('a=evil');
    expect(told).toEqual([]);
    endTurn();
    expect(told).toEqual(['a=1 request-head pass', 'a=evil request-head refuse']);
  });

  it('have bodies that came meanwhile inspected behind their heads, those of all again together', () => {
    const form = { method: 'POST', mediaType: 'application/x-www-form-urlencoded' };
    for (const word of ['good', 'evil']) {
      const inspection = open(`q=${word[0]}`, form);
      inspection.body(Buffer.from(`b=${word}`));
      inspection.bodyEnd();
    }
    endTurn();
    expect(told).toEqual(['q=g request-head pass', 'q=e request-head pass']);
    endTurn();
    expect(told.slice(2)).toEqual(['q=g request-body pass', 'q=e request-body refuse']);
  });

  it('look at an answer that was there first behind its request, its body behind its head', () => {
    const inspection = engine.open(
      { head: headUnderTest({}), plan: WATCHED, tenant: 'default', requestId: 'req_1' },
      ({ point, verdict }) => told.push(`${point} ${verdict}`),
    );
    inspection.response({ status: 200, version: '1.1', fields: [{ name: 'content-type', value: 'text/plain' }] });
    inspection.responseBody(Buffer.from('a leak'));
    inspection.responseEnd();
    while (turns.length > 0) endTurn();
    expect(told).toEqual(['request-head pass', 'response-head pass', 'response-body refuse']);
  });

  it('answer nothing when they are closed first', () => {
    open('a=1').close('client_aborted');
    while (turns.length > 0) endTurn();
    expect(told).toEqual([]);
  });

  it('begin in the next turn where an answer leads to another request', () => {
    open('a=1', {}, () => void open('a=2'));
    endTurn();
    expect(told).toEqual(['a=1 request-head pass']);
    endTurn();
    expect(told).toEqual(['a=1 request-head pass', 'a=2 request-head pass']);
  });
});

describe('rules', () => {
  it('numbers each rule once, in our own range, and explains it', () => {
    const ids = rules.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { id, message, explanation } of rules) {
      expect(Math.floor(id / 100_000)).toBe(77);
      expect(message.length).toBeLessThan(100);
      expect(explanation).toMatch(/\.$/);
    }
  });
});
