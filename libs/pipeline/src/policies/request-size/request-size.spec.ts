import { isRefusal, type RequestHead } from '@sallyport/contracts';
import { policyInput } from '@sallyport/testkit';
import { servicesWithoutMemory } from '../../policy-services';
import { requestSize } from './request-size';

function codeFor(given: object, head: Partial<RequestHead>): string | undefined {
  const input = policyInput(head);
  const hooks = requestSize.compile(requestSize.config.parse(given), input.exchange.route, servicesWithoutMemory);
  const verdict = hooks.admit!(input);
  return isRefusal(verdict) ? verdict.code : undefined;
}

const fields = [
  { name: 'host', value: 'a' },
  { name: 'x-long', value: 'v'.repeat(20) },
];

describe('the size of a request', () => {
  it.each([
    ['fields', { fields: 2 }, { fields: 1 }, { fields }, 'HEADERS_TOO_LARGE'],
    ['one field', { fieldBytes: 26 }, { fieldBytes: 25 }, { fields }, 'HEADERS_TOO_LARGE'],
    ['all fields', { headerBytes: 39 }, { headerBytes: 38 }, { fields }, 'HEADERS_TOO_LARGE'],
    ['the target', { targetBytes: 8 }, { targetBytes: 7 }, { rawTarget: '/12345?7' }, 'URI_TOO_LONG'],
    ['the query', { queryParameters: 3 }, { queryParameters: 2 }, { query: 'a&b=1&c' }, 'REQUEST_MALFORMED'],
    ['the body', { bodyBytes: 100 }, { bodyBytes: 99 }, { contentLength: 100, hasBody: true }, 'BODY_TOO_LARGE'],
  ])('is bounded by %s, and to the byte', (_, fits, bound, head, code) => {
    expect([codeFor(fits, head), codeFor(bound, head)]).toEqual([undefined, code]);
  });

  it('has a body without an announced length counted as it comes', () => {
    const input = policyInput({ hasBody: true });
    requestSize.compile({ bodyBytes: 9 }, input.exchange.route, servicesWithoutMemory).admit!(input);
    expect(input.exchange.caps).toEqual([9]);
  });

  it('needs at least one bound', () => {
    expect(requestSize.config.safeParse({}).success).toBe(false);
  });
});
