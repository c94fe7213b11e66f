import { originAnswer } from './origin';
import { readRequest } from './read-request';
import { bytesOf } from './stage-bytes';
import { testsOf, type StageInput, type StageOutput } from './test-file';
import { faultsOf, rulesIn, type Observation } from './verdict';

const plain: StageInput = {
  method: 'GET',
  uri: '/',
  version: 'HTTP/1.1',
  headers: [],
  data: undefined,
  encodedData: undefined,
  encodedRequest: undefined,
  autocompleteHeaders: true,
};
const sent = (input: Partial<StageInput>): string => bytesOf({ ...plain, ...input }).toString('latin1');

describe('a test file', () => {
  it('is read as it is written today', () => {
    const text = `
meta: { author: a }
rule_id: 920100
tests:
  - test_id: 4
    stages:
      - input:
          method: POST
          uri: /a
          version: "HTTP/1.10"
          headers: { Host: b, X-Number: 1.10, Empty: "" }
          data: 007
          autocomplete_headers: false
          unknown: 1
        output:
          status: 400
          expect_error: false
          isolated: true
          retry_once: true
          log: { expect_ids: [ 920100 ], no_expect_ids: [ 1, 2 ], match_regex: a, no_match_regex: b }
  - stages: []
`;
    const [first, second] = testsOf(text, 'x/920100.yaml');
    expect([first!.id, second!.id]).toEqual(['920100-4', '920100-2']);
    expect(first!.stages).toEqual([
      {
        input: {
          ...plain,
          method: 'POST',
          uri: '/a',
          version: 'HTTP/1.10',
          headers: [
            ['Host', 'b'],
            ['X-Number', '1.10'],
            ['Empty', ''],
          ],
          data: '007',
          autocompleteHeaders: false,
        },
        output: {
          status: [400],
          responseContains: undefined,
          expectIds: [920100],
          noExpectIds: [1, 2],
          matchRegex: 'a',
          noMatchRegex: 'b',
          expectError: false,
          isolated: true,
          retryOnce: true,
        },
      },
    ]);
  });

  it('is read as it was written before', () => {
    const text = `
---
meta: { enabled: true, name: 911100.yaml }
tests:
  - test_title: 911100-1
    stages:
      - stage:
          input: { stop_magic: true, data: [a, b], uri: }
          output: { status: [200, 404], log_contains: 'id "911100"', no_log_contains: x, response_contains: y }
---
meta: { enabled: false }
tests: [{ test_title: 1-1 }]
---
tests: [{}]
`;
    const tests = testsOf(text, 'x/911100.yaml');
    expect(tests.map(({ id }) => id)).toEqual(['911100-1', '911100-1']);
    const { input, output } = tests[0]!.stages[0]!;
    expect(input).toEqual({ ...plain, data: 'a\r\nb', autocompleteHeaders: false });
    expect(output).toMatchObject({
      status: [200, 404],
      matchRegex: 'id "911100"',
      noMatchRegex: 'x',
      responseContains: 'y',
    });
  });

  it('that is no YAML is named', () => {
    expect(() => testsOf('a: [', 'x/1.yaml')).toThrow('x/1.yaml: ');
  });
});

describe('the bytes of a stage', () => {
  it('are a request with what it needs', () => {
    expect(sent({ headers: [['Host', 'a']] })).toBe('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    expect(sent({ method: 'POST' })).toBe('POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  });

  it('have nothing that was not asked for', () => {
    expect(sent({ data: 'a b', autocompleteHeaders: false })).toBe('GET / HTTP/1.1\r\n\r\na b');
    expect(
      sent({
        headers: [
          ['connection', 'x'],
          ['content-length', '9'],
          ['content-type', 'a/b'],
        ],
        data: 'a b',
      }),
    ).toBe('GET / HTTP/1.1\r\nconnection: x\r\ncontent-length: 9\r\ncontent-type: a/b\r\n\r\na b');
  });

  it('are those that were encoded', () => {
    expect(sent({ encodedRequest: Buffer.from('GET').toString('base64') })).toBe('GET');
    expect(sent({ encodedData: 'AP8=', autocompleteHeaders: false })).toBe('GET / HTTP/1.1\r\n\r\n\0\xff');
  });

  it.each([
    ['a=1&b', 'a=1&b'],
    ['a=<x>&b=é', 'a=%3Cx%3E&b=%C3%A9'],
    ['a=%3Cx>', 'a=%3Cx>'],
    ['a=x+y>', 'a=x+y>'],
    ['a=%zz>', 'a=%zz>'],
    ['a=b c', 'a=b+c'],
    ['a=b=c&', 'a=b%3Dc'],
  ])('are a form, encoded where it was not: %s', (data, body) => {
    expect(sent({ data })).toMatch(
      new RegExp(`x-www-form-urlencoded\\r\\n.*\\r\\n\\r\\n${body.replace(/[+]/g, '\\+')}$`, 's'),
    );
  });

  it('repeat a text where they are told, and leave every other pair of braces alone', () => {
    const data = '{{ "ab" | repeat 3 }}{{7*7}}{{ "x" }}';
    expect(sent({ data, headers: [['Content-Type', 'a/b']] })).toContain('\r\n\r\nababab{{7*7}}{{ "x" }}');
  });

  it('end the lines of a form of several parts as they have to', () => {
    const headers = [['Content-Type', 'multipart/form-data; boundary=b']] as const;
    expect(sent({ data: '--b\na\n', headers })).toContain('Content-Length: 8\r\n\r\n--b\r\na\r\n');
  });
});

describe('a request that the data door reads', () => {
  it('is there with its body, as far as that has come', () => {
    const bytes = (text: string) => readRequest(Buffer.from(text, 'latin1'));
    expect(bytes('POST /a?b HTTP/1.1\r\nX-A: b\r\nContent-Length: 3\r\n\r\nabc')).toEqual({
      method: 'POST',
      target: '/a?b',
      httpVersion: '1.1',
      rawHeaders: ['X-A', 'b', 'Content-Length', '3'],
      body: Buffer.from('abc'),
    });
    expect(bytes('POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc')!.body.toString()).toBe('abc');
    expect(bytes('POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n')).toBeUndefined();
    expect(bytes('POST / HTTP/1.1\r\n\r\nabc')!.body.toString()).toBe('');
    expect(bytes('GET / HTTP/1.1\r\nUpgrade: a\r\nConnection: upgrade\r\n\r\n')).toBeDefined();
    expect(bytes('nonsense')).toBeUndefined();
    expect(bytes('')).toBeUndefined();
  });
});

describe('the verdict on a stage', () => {
  const nothing: StageOutput = {
    status: [],
    responseContains: undefined,
    expectIds: [],
    noExpectIds: [],
    matchRegex: undefined,
    noMatchRegex: undefined,
    expectError: undefined,
    isolated: false,
    retryOnce: false,
  };
  const seen: Observation = { status: 200, response: 'HTTP/1.1 200', log: ['[id "1"] [msg "A"]', '{"id": 2}'] };
  const judge = (expected: Partial<StageOutput>, more: Partial<Observation> = {}) =>
    faultsOf({ ...nothing, ...expected }, { ...seen, ...more }).length;

  it('finds the rules in the log', () => {
    expect([...rulesIn([...seen.log, 'id "3"', '[id \\"4\\"]'])]).toEqual([1, 2, 4]);
  });

  it('is one fault for everything that does not hold', () => {
    expect(judge({})).toBe(0);
    expect([judge({ status: [200, 403] }), judge({ status: [403] })]).toEqual([0, 1]);
    expect([judge({ responseContains: '^HTTP' }), judge({ responseContains: 'x' })]).toEqual([0, 1]);
    expect([judge({ expectIds: [1, 2] }), judge({ expectIds: [1, 3] })]).toEqual([0, 1]);
    expect([judge({ noExpectIds: [3] }), judge({ noExpectIds: [3, 1] })]).toEqual([0, 1]);
    expect([judge({ matchRegex: '(?i)msg "a"' }), judge({ matchRegex: 'msg "a"' })]).toEqual([0, 1]);
    expect([judge({ noMatchRegex: 'x' }), judge({ noMatchRegex: 'msg' })]).toEqual([0, 1]);
    expect([
      judge({ isolated: true, expectIds: [1] }, { log: [seen.log[0]!] }),
      judge({ isolated: true, expectIds: [1] }),
    ]).toEqual([0, 1]);
    expect(judge({ status: [403], expectIds: [3], noExpectIds: [1] })).toBe(3);
  });

  it('is about the error alone where one is expected', () => {
    expect([judge({ expectError: true }), judge({ expectError: true, expectIds: [3] }, { status: undefined })]).toEqual(
      [1, 0],
    );
    expect(judge({ expectIds: [1] }, { status: undefined })).toBe(1);
  });
});

describe('the origin behind the tests', () => {
  const reflect = (answer: unknown) => originAnswer('POST', '/reflect?a', Buffer.from(JSON.stringify(answer)));

  it('answers anything, and reflects what it is told to', () => {
    expect(originAnswer('PUT', '/', Buffer.alloc(0))).toEqual({ status: 200, headers: [], body: Buffer.alloc(0) });
    expect(reflect({ status: 500, headers: { 'Content-Type': 'a/b' }, body: 'é' })).toEqual({
      status: 500,
      headers: [['Content-Type', 'a/b']],
      body: Buffer.from('é'),
    });
    expect(reflect({ encodedBody: 'AP8=' }).body).toEqual(Buffer.from([0, 0xff]));
    expect(originAnswer('POST', '/reflect', Buffer.from('{')).status).toBe(400);
  });

  it.each([
    ['<html>', 'text/html; charset=utf-8'],
    ['<?xml version="1.0"?>', 'text/xml; charset=utf-8'],
    ['<hello>', 'text/plain; charset=utf-8'],
    ['\u0001', 'application/octet-stream'],
    ['%PDF-1', 'application/pdf'],
  ])('names the type of %j', (body, type) => {
    expect(reflect({ body }).headers).toEqual([['Content-Type', type]]);
  });
});
