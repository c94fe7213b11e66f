import { assert, double, integer, property } from 'fast-check';
import { refuse } from '@sallyport/contracts';
import { askedWait, backoff, isRepeatable, reasonOfFailure } from './retry-rules';

describe('what may be repeated', () => {
  it.each([
    ['GET', false, true],
    ['HEAD', false, true],
    ['OPTIONS', false, true],
    ['PUT', false, true],
    ['DELETE', false, true],
    ['POST', false, false],
    ['PATCH', false, false],
    ['POST', true, true],
    ['get', false, false],
  ])('%s with an idempotency key: %s → %s', (method, key, expected) =>
    expect(isRepeatable(method, key)).toBe(expected),
  );

  it('is nothing of which the client has seen a byte, and no defect of ours', () => {
    expect(reasonOfFailure(refuse('UPSTREAM_BROKE'), 'response')).toBeUndefined();
    expect(reasonOfFailure(refuse('INTERNAL'), 'request')).toBeUndefined();
    expect(reasonOfFailure(refuse('UPSTREAM_UNREACHABLE'), 'connect')).toBe('connect');
    expect(reasonOfFailure(refuse('UPSTREAM_BROKE'), 'request')).toBe('broke');
    expect(reasonOfFailure(refuse('UPSTREAM_TIMEOUT', { seconds: 1 }), 'request')).toBe('timeout');
  });
});

describe('the wait before an attempt', () => {
  it('lies between 25 and 250 ms, anywhere', () => {
    assert(
      property(integer({ min: 1, max: 5 }), double({ min: 0, max: 0.999, noNaN: true }), (retry, random) => {
        const wait = backoff(retry, random);
        expect(wait).toBeGreaterThanOrEqual(25);
        expect(wait).toBeLessThanOrEqual(250);
      }),
    );
  });

  it.each([
    ['', 0],
    ['soon', 0],
    ['0', 0],
    ['3', 3_000],
    ['5', 5_000],
    ['6', undefined],
    ['999999999', undefined],
    ['Thu, 01 Jan 1970 00:00:03 GMT', 2_000],
    ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
    ['Thu, 01 Jan 1970 00:01:00 GMT', undefined],
  ])('is what Retry-After asks for, as long as that is short: “%s”', (text, expected) =>
    expect(askedWait(text === '' ? [] : ['retry-after', text], 1_000)).toBe(expected),
  );
});
