import fc from 'fast-check';
import {
  Principal as WirePrincipal,
  Refusal as WireRefusal,
  RequestHead as WireHead,
} from './gen/sallyport/common/v1/common';
import type { Principal } from './principal';
import { refuse } from './refusal';
import type { RequestHead } from './request-head';
import {
  principalFromWire,
  principalToWire,
  refusalFromWire,
  refusalToWire,
  requestHeadFromWire,
  requestHeadToWire,
} from './wire';

const over = <T>(message: { encode(value: T): { finish(): Uint8Array }; decode(bytes: Uint8Array): T }, value: T): T =>
  message.decode(Buffer.from(message.encode(value).finish()));

describe('the wire', () => {
  it('carries a refusal, without its internal reason', () => {
    const refusal = refuse('LIMIT_EXCEEDED', { policy: 'default' }, { reason: 'internal', retryAfterMs: 1_500 });
    expect(refusalFromWire(over(WireRefusal, refusalToWire(refusal)))).toEqual(
      refuse('LIMIT_EXCEEDED', { policy: 'default' }, { retryAfterMs: 1_500 }),
    );
  });

  it('keeps refusing when the code is newer than this process', () => {
    const refusal = refusalFromWire({ code: 'AUTH_OF_TOMORROW', params: { a: 'b' }, retryAfterMs: 0 });
    expect(refusal).toMatchObject({ refused: true, code: 'INTERNAL', params: {} });
    expect(refusal.reason).toContain('AUTH_OF_TOMORROW');
    expect(refusalFromWire({ code: 'toString', params: {}, retryAfterMs: 0 }).code).toBe('INTERNAL');
  });

  it('carries a principal whole', () => {
    const principal: Principal = {
      tenant: 'default',
      subject: 'sub',
      client: 'client',
      consumer: 'shop',
      actors: ['a', 'b'],
      scopes: new Set(['orders:read']),
      roles: ['reader'],
      credential: { kind: 'api-key', id: 'k1' },
      until: 1_795_000_000_123,
      models: ['*'],
      quotas: [{ name: 'default', limit: 100, windowSeconds: 60 }],
    };
    expect(principalFromWire(over(WirePrincipal, principalToWire(principal)))).toEqual(principal);
  });

  it('carries a request head byte for byte', () => {
    const latin1 = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) });
    const heads = fc.record({
      query: latin1,
      hasQuery: fc.boolean(),
      rawTarget: latin1,
      values: fc.array(latin1),
      contentLength: fc.option(fc.nat(), { nil: undefined }),
      mediaType: fc.option(fc.constant('application/json'), { nil: undefined }),
      hasBody: fc.boolean(),
      version: fc.constantFrom('1.0' as const, '1.1' as const, '2' as const),
      scheme: fc.constantFrom('http' as const, 'https' as const),
    });
    fc.assert(
      fc.property(heads, ({ values, ...rest }) => {
        const head: RequestHead = {
          ...rest,
          method: 'GET',
          authority: 'api.example:8000',
          path: '/orders',
          clientAddress: '2001:db8::1',
          fields: values.map((value) => ({ name: 'x-list', value })),
          ...(values.length > 0 && { removed: [{ name: 'connection', value: values[0]! }] }),
          field: new Map(values.length > 0 ? [['x-list', values.join(', ')]] : []),
        };
        expect(requestHeadFromWire(over(WireHead, requestHeadToWire(head)))).toEqual(head);
      }),
    );
  });
});
