import fc from 'fast-check';
import * as authV1 from '../gen/sallyport/auth/v1/verification';
import * as limitsV1 from '../gen/sallyport/limits/v1/limits';
import * as wafV1 from '../gen/sallyport/waf/v1/waf';
import type { Principal } from '../principal';
import { refuse } from '../refusal';
import type { RequestHead } from '../request-head';
import { requestHeadToWire } from '../wire';
import { idOfAnswer } from './answers';
import { readVerified, readVerifies, writeVerified, writeVerify, type VerifyAsked } from './auth-wire';
import { PrincipalReader } from './common-wire';
import { readSpending, readSpends, writeCensus, writeNode, writeSpend, writeSpending } from './limits-wire';
import {
  readInspected,
  readSteps,
  writeBody,
  writeBodyEnd,
  writeClose,
  writeInspected,
  writeMalformed,
  writeOpen,
  writeResponseBody,
  writeResponseEnd,
  writeResponseHead,
  type InspectionSaid,
  type InspectionTaker,
} from './waf-wire';
import { WireReader } from './wire-reader';
import { WireWriter } from './wire-writer';

/** The bytes of one message, and the generated codec's: whatever one writes the other reads. */
function written(write: (writer: WireWriter) => void): Buffer {
  const writer = new WireWriter();
  write(writer);
  return writer.take();
}

function reading(bytes: Uint8Array): WireReader {
  const reader = new WireReader();
  reader.start(Buffer.from(bytes));
  return reader;
}

/** Stands a reader before the one answer of a reply. */
function answerOf(bytes: Uint8Array): { reader: WireReader; end: number; id: number } {
  const reader = reading(bytes);
  expect(reader.varint()).toBe(0x0a);
  const end = reader.nested();
  return { reader, end, id: idOfAnswer(reader, end) };
}

const text = fc.string({ unit: 'grapheme', maxLength: 150 });
const byteText = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  maxLength: 300,
});
const uint = fc.integer({ min: 0, max: 0xffffffff });

describe('questions about limits', () => {
  const charge = fc.record({ policy: text, key: text, limit: uint, windowSeconds: uint, burst: uint, cost: uint });
  const asks = fc.array(fc.record({ id: uint, tenant: text, charges: fc.array(charge, { maxLength: 5 }) }), {
    maxLength: 5,
  });

  it('are what the generated code reads', () =>
    fc.assert(
      fc.property(text, asks, (node, list) => {
        const bytes = written((writer) => {
          writeNode(writer, node);
          for (const { id, tenant, charges } of list) writeSpend(writer, id, tenant, charges);
        });
        const expected = list.map(({ id, tenant, charges }) => ({ id, spend: { tenant, charges } }));
        expect(limitsV1.DecideBatch.decode(bytes)).toEqual({ node, asks: expected });
      }),
    ));

  it('are read as the generated code writes them', () =>
    fc.assert(
      fc.property(text, asks, (node, list) => {
        const seen: unknown[] = [];
        const batch = { node, asks: list.map(({ id, tenant, charges }) => ({ id, spend: { tenant, charges } })) };
        readSpends(reading(limitsV1.DecideBatch.encode(batch).finish()), {
          node: (name) => void seen.push(name),
          spend: (id, tenant, charges) => void seen.push({ id, tenant, charges }),
        });
        expect(seen).toEqual([node, ...list]);
      }),
    ));

  it('without anything to spend are told apart', () => {
    const spend = jest.fn();
    const batch = { node: 'n', asks: [{ id: 7, spend: undefined }] };
    readSpends(reading(limitsV1.DecideBatch.encode(batch).finish()), { node: () => {}, spend });
    expect(spend.mock.calls).toEqual([[7, '', undefined]]);
  });

  it('are answered so that both codecs read it, and name, limit and window are those of the charge', () =>
    fc.assert(
      fc.property(
        uint,
        fc.boolean(),
        fc.array(fc.record({ charge, remaining: uint, resetMs: uint, retryAfterMs: uint }), { maxLength: 4 }),
        (id, allowed, rows) => {
          const standings = rows.map(({ charge: { policy, limit, windowSeconds }, ...rest }) => ({
            policy,
            limit,
            windowSeconds,
            ...rest,
          }));
          const bytes = written((writer) => {
            writeSpending(writer, id, { allowed, standings });
            writeCensus(writer, 3, true);
          });
          expect(limitsV1.DecideBatchReply.decode(bytes)).toEqual({
            answers: [{ id, reply: { allowed, standings } }],
            liveNodes: 3,
            shared: true,
          });
          const { reader, end, id: found } = answerOf(bytes);
          expect(found).toBe(id);
          const charges = rows.map((row) => row.charge);
          expect(readSpending(reader, end, charges)).toEqual({ allowed, standings });
        },
      ),
    ));
});

describe('questions about credentials', () => {
  const question = fc.record({
    kind: fc.constantFrom('bearer' as const, 'api-key' as const),
    method: text,
    url: text,
    resource: text,
    trust: fc.array(
      text.filter((name) => name !== ''),
      { maxLength: 3 },
    ),
    tenant: text,
    class: fc.constantFrom('public' as const, 'regulated' as const, 'internal' as const),
    service: text,
    clientAddress: text,
  });
  const digest = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes));

  it('are read as they were written, by both codecs', () =>
    fc.assert(
      fc.property(uint, question, digest, text, (id, asked, sum, value) => {
        const bytes = written((writer) => writeVerify(writer, id, asked, sum.toString('latin1'), value));
        const [generated] = authV1.DecideBatch.decode(bytes).asks;
        const { method, url, resource, trust, tenant, service, clientAddress } = asked;
        expect(generated).toMatchObject({
          id,
          verify: { value, method, url, resource, trust, tenant, service, clientAddress },
        });
        expect(generated!.verify!.digest.equals(sum)).toBe(true);
        const seen: [number, VerifyAsked][] = [];
        readVerifies(reading(bytes), (number, read) =>
          seen.push([number, { ...read, digest: Buffer.from(read.digest) }]),
        );
        expect(seen).toEqual([[id, { ...asked, digest: sum, value }]]);
      }),
    ));

  it('take in no more names of trust entries than there can be, each once, however many are sent', () => {
    const trust = Array.from({ length: 20_000 }, (_, index) => `entry-${index}`);
    const ask = { id: 1, verify: authV1.VerifyRequest.fromPartial({ trust, tenant: 'acme' }) };
    const reader = reading(authV1.DecideBatch.encode({ asks: [ask, ask] }).finish());
    const texts = jest.spyOn(reader, 'text');
    const seen: VerifyAsked[] = [];
    readVerifies(reader, (_, read) => seen.push(read));
    expect(seen.map((read) => read.tenant)).toEqual(['acme', 'acme']);
    for (const read of seen) expect(read.trust).toEqual(trust.slice(0, 1_000));
    expect(texts.mock.calls.length).toBeLessThan(2 * 1_010);
  });

  it('of an unknown kind and class are told apart, and judged by the strictest', () => {
    const verify = authV1.VerifyRequest.fromPartial({
      kind: 9 as authV1.CredentialKind,
      routeClass: 8 as authV1.RouteClass,
    });
    let seen: VerifyAsked | undefined;
    readVerifies(
      reading(authV1.DecideBatch.encode({ asks: [{ id: 1, verify }] }).finish()),
      (_, read) => (seen = read),
    );
    expect(seen).toMatchObject({ kind: undefined, class: 'regulated' });
  });

  const principal: Principal = Object.freeze({
    tenant: 'default',
    subject: 'sübject',
    client: 'client',
    consumer: 'shop',
    actors: ['a'],
    scopes: new Set(['orders:read']),
    roles: ['reader'],
    credential: { kind: 'api-key', id: 'k1' },
    until: 1_795_000_000_123,
    models: ['*'],
    quotas: [{ name: 'default', limit: 100, windowSeconds: 60 }],
  });

  it('are answered with one frozen principal for the same bytes', () => {
    const principals = new PrincipalReader();
    const read = () => {
      const { reader, end } = answerOf(written((writer) => writeVerified(writer, 5, principal)));
      return readVerified(reader, end, principals);
    };
    expect(read()).toEqual(principal);
    expect(read()).toBe(read());
    expect(Object.isFrozen(read())).toBe(true);
  });

  it('are refused with the reason, for the record', () => {
    const refusal = refuse('AUTH_KEY_INVALID', {}, { reason: 'no such key' });
    const bytes = written((writer) => writeVerified(writer, 5, refusal));
    expect(authV1.DecideBatchReply.decode(bytes).answers[0]!.reply!.reason).toBe('no such key');
    const { reader, end } = answerOf(bytes);
    expect(readVerified(reader, end, new PrincipalReader())).toEqual(refusal);
  });

  it('are asked again in full when the digest says nothing', () => {
    const { reader, end } = answerOf(written((writer) => writeVerified(writer, 5, 'unknown')));
    expect(readVerified(reader, end, new PrincipalReader())).toBe('unknown');
  });
});

/** Hears nothing. */
const silent: InspectionTaker = {
  open: () => {},
  body: () => {},
  bodyEnd: () => {},
  responseHead: () => {},
  responseBody: () => {},
  responseEnd: () => {},
  malformed: () => {},
  close: () => {},
  unknown: () => {},
};

describe('inspections', () => {
  const heads: fc.Arbitrary<RequestHead> = fc
    .record({
      method: text,
      scheme: fc.constantFrom('http' as const, 'https' as const),
      authority: text,
      path: text,
      query: byteText,
      hasQuery: fc.boolean(),
      rawTarget: byteText,
      version: fc.constantFrom('1.0' as const, '1.1' as const, '2' as const),
      fields: fc.array(fc.record({ name: text, value: byteText }), { maxLength: 8 }),
      removed: fc.option(fc.array(fc.record({ name: text, value: byteText }), { minLength: 1, maxLength: 3 }), {
        nil: undefined,
      }),
      clientAddress: text,
      contentLength: fc.option(fc.maxSafeNat(), { nil: undefined }),
      hasBody: fc.boolean(),
      mediaType: fc.option(
        text.filter((type) => type !== ''),
        { nil: undefined },
      ),
    })
    .map((head) => ({ ...head, field: new Map<string, string>() }));

  it('carry a head byte for byte, also to and from the generated code', () =>
    fc.assert(
      fc.property(uint, heads, (exchange, head) => {
        const said = { plan: 'p', tenant: 't', requestId: 'r', route: 'shop/v1/search' };
        const opening = { head, ...said };
        const bytes = written((writer) => writeOpen(writer, exchange, opening));
        const { field: _, ...members } = head;
        const wire = { head: requestHeadToWire(head), ...said };
        const step = { $case: 'open' as const, value: wire };
        expect(wafV1.DecideBatch.decode(bytes).asks).toEqual([{ exchange, step }]);
        for (const form of [bytes, wafV1.DecideBatch.encode({ asks: [{ exchange, step }] }).finish()]) {
          const opened = jest.fn();
          readSteps(reading(form), { ...silent, open: opened });
          const [number, read] = opened.mock.calls[0];
          expect(number).toBe(exchange);
          expect(read).toMatchObject(said);
          expect(read.head).toMatchObject(members);
        }
      }),
      { numRuns: 50 },
    ));

  it('join fields of one name when they are asked for by name', () => {
    const opened = jest.fn();
    const fields = [
      { name: 'cookie', value: 'a=1' },
      { name: 'cookie', value: 'b=2' },
      { name: 'via', value: 'x' },
    ];
    const head = {
      fields,
      query: '',
      rawTarget: '/',
      method: 'GET',
      scheme: 'http',
      version: '1.1',
    } as unknown as RequestHead;
    const opening = {
      head: { ...head, authority: '', path: '/', clientAddress: '' },
      plan: '',
      tenant: '',
      requestId: '',
    };
    readSteps(reading(written((writer) => writeOpen(writer, 1, opening))), { ...silent, open: opened });
    expect([...opened.mock.calls[0][1].head.field]).toEqual([
      ['cookie', 'a=1; b=2'],
      ['via', 'x'],
    ]);
  });

  it('carry bodies, ends and outcomes in their order, and name what they do not know', () => {
    const heard: unknown[][] = [];
    const note = (what: string) => (exchange: number, value?: unknown) =>
      void heard.push([what, exchange, String(value)]);
    const bytes = written((writer) => {
      writeBody(writer, 1, Buffer.from('chunk'));
      writeBodyEnd(writer, 1);
      writeResponseBody(writer, 1, Buffer.from('answer'));
      writeResponseEnd(writer, 1);
      writeClose(writer, 2, 'forwarded');
    });
    expect(wafV1.DecideBatch.decode(bytes).asks.map(({ step }) => step!.$case)).toEqual([
      'body',
      'bodyEnd',
      'responseBody',
      'responseEnd',
      'close',
    ]);
    const taker = {
      ...silent,
      open: note('open'),
      body: note('body'),
      bodyEnd: note('end'),
      responseBody: note('response body'),
      responseEnd: note('response end'),
      close: note('close'),
      unknown: note('unknown'),
    };
    readSteps(reading(bytes), taker);
    readSteps(reading(wafV1.DecideBatch.encode({ asks: [{ exchange: 3, step: undefined }] }).finish()), taker);
    readSteps(
      reading(
        wafV1.DecideBatch.encode({ asks: [{ exchange: 4, step: { $case: 'body', value: Buffer.alloc(0) } }] }).finish(),
      ),
      taker,
    );
    expect(heard).toEqual([
      ['body', 1, 'chunk'],
      ['end', 1, 'undefined'],
      ['response body', 1, 'answer'],
      ['response end', 1, 'undefined'],
      ['close', 2, 'forwarded'],
      ['unknown', 3, 'undefined'],
      ['body', 4, ''],
    ]);
  });

  it('carry the head of an answer, and bytes that are no request, as the generated code reads them', () => {
    const head = { status: 204, fields: [{ name: 'server', value: 'a\xe9' }], version: '1.1' };
    const packet = Buffer.from('G\xe9T / HTTP', 'latin1');
    const shown = { packet, plan: 'structural:detect', tenant: 't', requestId: 'r', clientAddress: '192.0.2.1' };
    const bytes = written((writer) => {
      writeResponseHead(writer, 1, head);
      writeMalformed(writer, 2, shown);
    });
    const [answer, malformed] = wafV1.DecideBatch.decode(bytes).asks.map(({ step }) => step!.value);
    expect(answer).toMatchObject({ status: 204, fields: [{ name: 'server', value: Buffer.from([0x61, 0xe9]) }] });
    expect(malformed).toEqual(shown);
    const [responseHead, broken] = [jest.fn(), jest.fn()];
    readSteps(reading(bytes), { ...silent, responseHead, malformed: broken });
    expect(responseHead).toHaveBeenCalledWith(1, head);
    expect(broken).toHaveBeenCalledWith(2, shown);
  });

  const facts = {
    inspected: { extent: 'full', bytes: 0, why: undefined },
    ruleset: 'built-in',
    cpuMicros: 0,
  } as const;

  it.each<[string, InspectionSaid]>([
    ['a pass', { point: 'request-head', verdict: 'pass', hits: [], enough: false, ...facts }],
    [
      'a flag with its hits',
      {
        point: 'request-body',
        verdict: 'flag',
        hits: [
          {
            rule: 7700001,
            phase: 2,
            paranoia: 1,
            severity: 'error',
            message: 'm',
            tags: ['attack-sqli'],
            variable: 'REQUEST_BODY',
            data: 'ä',
            count: 3,
            late: true,
          },
        ],
        enough: true,
        scores: {
          inbound: { detection: 10, blocking: 5 },
          outbound: { detection: 0, blocking: 0 },
          categories: { sqli: 10 },
        },
        inspected: { extent: 'partial', bytes: 131_072, why: 'body-limit' },
        ruleset: 'crs-4.28.0',
        cpuMicros: 212,
      },
    ],
    [
      'a refusal with its reason',
      {
        point: 'request-head',
        verdict: 'refuse',
        refusal: refuse('WAF_BLOCKED', { rule: '1' }, { reason: 'rule 1: because' }),
        hits: [],
        enough: true,
        ...facts,
      },
    ],
  ])('are answered with %s', (_, said) => {
    const bytes = written((writer) => writeInspected(writer, 9, said));
    expect(wafV1.DecideBatchReply.decode(bytes).answers[0]).toMatchObject({ exchange: 9, enough: said.enough });
    const { reader, end, id } = answerOf(bytes);
    expect(id).toBe(9);
    expect(readInspected(reader, end)).toEqual(said);
  });

  it('that nobody has looked at are never a pass', () => {
    const { reader, end } = answerOf(written((writer) => writeInspected(writer, 9, undefined)));
    expect(readInspected(reader, end)).toBeUndefined();
  });
});

describe('a message from somebody hostile', () => {
  const takers = [
    (reader: WireReader) => readSpends(reader, { node: () => {}, spend: () => {} }),
    (reader: WireReader) => readVerifies(reader, () => {}),
    (reader: WireReader) => readSteps(reader, silent),
  ];

  it('is read, or throws a RangeError, and never runs beyond its end', () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        for (const take of takers) {
          try {
            take(reading(bytes));
          } catch (error) {
            expect(error).toBeInstanceOf(RangeError);
          }
        }
      }),
      { numRuns: 300 },
    ));
});

describe('WireWriter', () => {
  it('takes back what was begun, and starts anew with each message', () => {
    const writer = new WireWriter();
    writer.text(0x0a, 'kept');
    const { length } = writer;
    writer.text(0x12, 'x'.repeat(40_000));
    writer.truncate(length);
    expect(writer.take(2).subarray(2).toString('latin1')).toBe('\n\u0004kept');
    expect(writer.length).toBe(0);
  });

  it('refuses a message within a message that is larger than its length can say', () => {
    const writer = new WireWriter();
    const opened = writer.open(0x0a);
    writer.bytes(0x0a, Buffer.alloc(2 * 1024 * 1024));
    expect(() => writer.close(opened)).toThrow(RangeError);
  });
});
