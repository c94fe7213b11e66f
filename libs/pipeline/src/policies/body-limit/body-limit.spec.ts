import { pass } from '../../policy';
import { policyInput } from '@sallyport/testkit';
import { servicesWithoutMemory } from '../../policy-services';
import { bodyLimit } from './body-limit';

describe('the limit of a body', () => {
  function admitted(contentLength: number | undefined): { verdict: unknown; caps: readonly number[] } {
    const input = policyInput({ hasBody: true, ...(contentLength !== undefined && { contentLength }) });
    const hooks = bodyLimit.compile({ maxBytes: 10 }, input.exchange.route, servicesWithoutMemory);
    return { verdict: hooks.admit!(input), caps: input.exchange.caps };
  }

  it('lets in a body of exactly as many bytes, and counts them as they come', () => {
    expect(admitted(10)).toEqual({ verdict: pass, caps: [10] });
  });

  it('refuses an announced length of one byte more before anything is read', () => {
    expect(admitted(11)).toMatchObject({ verdict: { code: 'BODY_TOO_LARGE', params: { maxBytes: 10 } }, caps: [] });
  });

  it('counts a body whose length nobody announced', () => {
    expect(admitted(undefined)).toEqual({ verdict: pass, caps: [10] });
  });

  it.each([{}, { maxBytes: -1 }, { maxBytes: 1.5 }, { maxBytes: 2 ** 30 + 1 }, { maxBytes: 1, more: 1 }])(
    'is not configured by %p',
    (given) => {
      expect(bodyLimit.config.safeParse(given).success).toBe(false);
    },
  );
});
