import { canonicalJson, type Json } from '@sallyport/contracts';
import * as fc from 'fast-check';
import { canonical, eventText, MAX_EVENT_BYTES, type Stamp } from './event';
import type { AuditEvent } from './trail';

const stamp: Stamp = {
  cluster: 'cluster-a',
  chain: 'cluster-a/ingress-2/67f0c1a2deadbeef',
  producer: 'ingress-2',
  seq: 48211,
  now: 1_795_450_000_125,
  version: '0.1.0',
};

const event = (body: AuditEvent['body']): AuditEvent => ({
  uid: '0199b0c4-6d2b-7c41-9f0e-3a5d2b8e7711',
  kind: 'request.completed',
  tenant: 'acme',
  body,
});

const read = (text: string) => JSON.parse(text) as { [name: string]: never } & { metadata: never };

describe('the text of an event', () => {
  it('are those an independent RFC 8785 writer makes of the same document', async () => {
    const { default: canonicalize } = (await import('canonicalize')) as unknown as {
      default: (value: unknown) => string;
    };
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const text = eventText(event({ unmapped: { value: value as Json } }), stamp);
        expect(text).toBe(canonicalize(JSON.parse(text)));
      }),
      { numRuns: 500 },
    );
  });

  it('do not depend on the order in which members were laid out', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue() as fc.Arbitrary<Json>), (body) => {
        const reversed = Object.fromEntries(Object.entries(body).reverse());
        expect(eventText(event(reversed), stamp)).toEqual(eventText(event(body), stamp));
      }),
    );
  });

  it('carry the place in the chain', () => {
    const document = read(eventText(event({ time: 1, metadata: { profiles: ['trace'] } }), stamp));
    expect(document).toEqual({
      attestation_list: [{ authority_uid: 'cluster-a', chain_uid: stamp.chain }],
      metadata: {
        log_name: 'ingress-2',
        logged_time: stamp.now,
        product: { name: 'Sallyport', vendor_name: 'Sallyport', version: '0.1.0' },
        profiles: ['trace'],
        sequence: 48211,
        tenant_uid: 'acme',
        uid: '0199b0c4-6d2b-7c41-9f0e-3a5d2b8e7711',
        version: '1.8.0',
      },
      time: 1,
    });
  });

  it.each([
    ['a NUL', { text: 'a\0b' }, { text: 'a\ufffdb' }],
    ['a lone surrogate', { text: 'a\ud800b' }, { text: 'a\ufffdb' }],
    ['a lone surrogate in a name', { 'a\udc00': 1 }, { 'a\ufffd': 1 }],
    ['a number JSON does not have', { value: Number.NaN }, { value: null }],
    ['text that only looks like an escape', { text: '\\u0000 \\ud800' }, { text: '\\u0000 \\ud800' }],
    ['a whole pair of surrogates', { text: '😀' }, { text: '😀' }],
  ])('hold %s as Postgres can store it', (_, given, stored) => {
    expect(JSON.parse(canonical(given))).toEqual(stored);
    expect(canonical(given)).toBe(canonicalJson(stored));
  });

  it('are written also when a value slips in that JSON refuses', () => {
    const body = { time: 1n } as unknown as AuditEvent['body'];
    expect(read(eventText(event(body), stamp))).toMatchObject({ time: '1' });
  });

  it('never exceed 32 KiB, and say when something was cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ minLength: 0, maxLength: 3000 }), { maxLength: 60 }),
        fc.dictionary(fc.string({ maxLength: 2000 }), fc.string({ maxLength: 4000 }), { maxKeys: 60 }),
        (items, members) => {
          const text = eventText(
            event({ time: 7, unmapped: { items, sallyport: { request_id: 'req_1', ...members } } }),
            stamp,
          );
          expect(Buffer.byteLength(text)).toBeLessThanOrEqual(MAX_EVENT_BYTES);
          const { unmapped } = read(text) as unknown as { unmapped: { sallyport: { truncated?: boolean } } };
          if (JSON.stringify({ items, members }).length > MAX_EVENT_BYTES)
            expect(unmapped.sallyport.truncated).toBe(true);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('keep who, what and when of an event that cannot be cut to size otherwise', () => {
    const wide = Object.fromEntries(
      Array.from({ length: 32 }, (_, at) => [
        `m${at}`,
        Object.fromEntries(Array.from({ length: 32 }, (__, to) => [`n${to}`, 'x'.repeat(90)])),
      ]),
    );
    const text = eventText(
      event({ time: 7, class_uid: 4002, unmapped: { sallyport: { request_id: 'req_1', wide } } }),
      stamp,
    );
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(MAX_EVENT_BYTES);
    expect(read(text)).toMatchObject({
      time: 7,
      class_uid: 4002,
      metadata: { sequence: 48211 },
      unmapped: { sallyport: { kind: 'request.completed', request_id: 'req_1', truncated: true } },
    });
  });
});
