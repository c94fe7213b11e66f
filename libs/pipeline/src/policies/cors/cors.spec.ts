import fc from 'fast-check';
import { isRefusal } from '@sallyport/contracts';
import { policyInput } from '@sallyport/testkit';
import { AnswerDraft } from '../../draft';
import { isReply, type PolicyInput, type Reply } from '../../policy';
import { servicesWithoutMemory } from '../../policy-services';
import { fieldValue } from '@sallyport/proxy';
import { cors } from './cors';

const APP = 'https://app.example.com';

function hooksFor(given: object): ReturnType<typeof cors.compile> {
  return cors.compile(cors.config.parse(given), policyInput().exchange.route, servicesWithoutMemory);
}

function asked(fields: Record<string, string>, method = 'OPTIONS'): PolicyInput {
  return policyInput({ method, field: new Map(Object.entries(fields)) });
}

function preflight(given: object, fields: Record<string, string>): Reply | string | undefined {
  const verdict = hooksFor(given).admit!(asked({ 'access-control-request-method': 'POST', ...fields }));
  if (isRefusal(verdict)) return verdict.code;
  return isReply(verdict) ? verdict : undefined;
}

function answered(given: object, origin: string | undefined, upstream: string[] = []): Record<string, string> {
  const draft = new AnswerDraft('upstream', 200, upstream);
  hooksFor(given).answerHead!(asked(origin === undefined ? {} : { origin }, 'GET'), draft);
  return Object.fromEntries(pairs(draft.fields.raw));
}

function pairs(raw: readonly string[]): [string, string][] {
  return raw.flatMap((name, at) => (at % 2 === 0 ? [[name, raw[at + 1]!] as [string, string]] : []));
}

describe('the question a browser asks first', () => {
  const given = {
    origins: [APP],
    methods: ['GET', 'POST'],
    headers: ['X-Trace', 'Content-Type'],
    credentials: true,
    maxAgeSeconds: 60,
  };

  it('is answered with what the route allows', () => {
    const answer = preflight(given, { origin: APP, 'access-control-request-headers': 'x-trace, content-type' });
    if (!isReply(answer)) throw new Error('not answered');
    expect(answer.status).toBe(204);
    expect(Object.fromEntries(pairs(answer.fields))).toEqual({
      'access-control-allow-origin': APP,
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers': 'x-trace, content-type',
      'access-control-allow-credentials': 'true',
      'access-control-max-age': '60',
      vary: 'origin, access-control-request-method, access-control-request-headers',
      'cache-control': 'no-store',
    });
  });

  it.each([
    ['another origin', { origin: 'https://app.example.com.evil.example' }],
    ['the same host over http', { origin: 'http://app.example.com' }],
    ['the origin in capitals', { origin: 'HTTPS://APP.EXAMPLE.COM' }],
    ['no origin at all: null', { origin: 'null' }],
    ['a method that is not listed', { origin: APP, 'access-control-request-method': 'DELETE' }],
    [
      'one field among several that is not listed',
      { origin: APP, 'access-control-request-headers': 'x-trace, x-other' },
    ],
    [
      'a field every page may send, with a value it may not always have',
      { origin: APP, 'access-control-request-headers': 'accept-language' },
    ],
  ])('is refused for %s', (_, fields) => {
    expect(preflight(given, fields)).toBe('POLICY_DENIED');
  });

  it('is never answered so that the browser has to refuse what was asked for', () => {
    const asked = { origin: APP, 'access-control-request-headers': 'content-type' };
    expect(preflight({ origins: [APP] }, asked)).toBe('POLICY_DENIED');
  });

  it('is answered alike for everyone, who may be nobody, where everyone is meant', () => {
    for (const origin of [APP, 'null']) {
      const answer = preflight({ origins: ['*'] }, { origin });
      expect(isReply(answer) && fieldValue(answer.fields, 'access-control-allow-origin')).toBe('*');
    }
  });

  it('says nothing about private networks, which are never opened', () => {
    const answer = preflight(given, { origin: APP, 'access-control-request-private-network': 'true' });
    expect(isReply(answer) && fieldValue(answer.fields, 'access-control-allow-private-network')).toBeUndefined();
  });

  it('is only a question with an origin and a method: any other OPTIONS goes on', () => {
    expect(hooksFor(given).admit!(asked({ origin: APP }))).toBeUndefined();
    expect(hooksFor(given).admit!(asked({ 'access-control-request-method': 'GET' }))).toBeUndefined();
  });

  it('holds for every member of the list of fields, whatever their order and number', () => {
    const listed = ['x-a', 'x-b', 'x-c'];
    const name = fc.constantFrom(...listed, 'x-d', 'X-A', 'content-type');
    fc.assert(
      fc.property(fc.array(name, { maxLength: 12 }), (names) => {
        const answer = preflight(
          { origins: [APP], headers: [...listed, 'Content-Type'] },
          { origin: APP, 'access-control-request-headers': names.join(' ,') },
        );
        expect(isReply(answer)).toBe(!names.includes('x-d'));
      }),
    );
  });
});

describe('an answer to a page', () => {
  it('may be read by the origins that are named, with credentials where the route says so', () => {
    const found = answered({ origins: [APP], credentials: true, expose: ['etag'] }, APP);
    expect(found).toEqual({
      'access-control-allow-origin': APP,
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': 'etag',
      vary: 'origin',
    });
  });

  it('varies by origin also for those it says nothing to, or a cache would give one the answer of another', () => {
    expect(answered({ origins: [APP] }, 'https://other.example')).toEqual({ vary: 'origin' });
    expect(answered({ origins: [APP] }, undefined, ['vary', 'accept'])).toEqual({ vary: 'accept, origin' });
    expect(answered({ origins: [APP] }, undefined, ['vary', 'Origin'])).toEqual({ vary: 'Origin' });
  });

  it('has one answer for everyone where everyone is meant, or a cache would give a page what was no page’s', () => {
    for (const origin of [APP, 'null', undefined]) {
      expect(answered({ origins: ['*'], expose: ['etag'] }, origin)).toEqual({
        'access-control-allow-origin': '*',
        'access-control-expose-headers': 'etag',
      });
    }
  });

  it('never carries what the upstream grants', () => {
    const upstream = ['access-control-allow-origin', '*', 'access-control-allow-credentials', 'true'];
    expect(answered({ origins: [APP] }, 'https://other.example', upstream)).toEqual({ vary: 'origin' });
  });
});

describe('the configuration of cors', () => {
  it.each([
    ['everyone with credentials', { origins: ['*'], credentials: true }],
    ['null', { origins: ['null'] }],
    ['an origin with a path', { origins: ['https://app.example.com/'] }],
    ['an origin with the port that goes without saying', { origins: ['https://app.example.com:443'] }],
    ['everyone and somebody', { origins: ['*', APP] }],
    ['a pattern', { origins: ['https://*.example.com'] }],
  ])('refuses %s', (_, given) => {
    expect(cors.config.safeParse(given).success).toBe(false);
  });
});
