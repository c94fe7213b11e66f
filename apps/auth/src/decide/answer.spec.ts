import { createHash, randomBytes } from 'node:crypto';
import { authV1, systemClock } from '@sallyport/contracts';
import { LocalVerifier, mintApiKey, Pepper } from '@sallyport/identity';
import { answer, askedOf, replyOf } from './answer';

const pepper = new Pepper(1, Buffer.alloc(32, 3));

describe('answering a peer', () => {
  const { text, kid } = mintApiKey('live', randomBytes);
  const digest = createHash('sha256').update(text).digest();
  let engine: LocalVerifier;

  beforeEach(() => {
    engine = new LocalVerifier({ clock: systemClock, peppers: [pepper] });
    engine.keys.put({
      kid,
      mac: pepper.macText(text),
      pepperVersion: 1,
      tenant: 'acme',
      name: 'shop',
      consumer: 'shop',
      scopes: [],
      services: ['*'],
      models: ['*'],
      cidrs: [],
      rate: { limit: 60, windowSeconds: 60 },
      budgetUsdPerMonth: '5',
      expiresAt: new Date(Date.now() + 60_000).toISOString(),
      status: 'active',
    });
    engine.keys.confirm(Date.now());
  });

  function ask(changes: Partial<authV1.VerifyRequest>): authV1.VerifyReply['body'] {
    const request = authV1.VerifyRequest.fromPartial({
      kind: authV1.CredentialKind.CREDENTIAL_KIND_API_KEY,
      tenant: 'acme',
      routeClass: authV1.RouteClass.ROUTE_CLASS_PUBLIC,
      ...changes,
    });
    let reply: authV1.VerifyReply | undefined;
    answer(engine, askedOf(request), (given) => (reply = replyOf(given)));
    return reply?.body;
  }

  it('asks for the credential behind a digest it does not know, and answers to the digest from then on', () => {
    expect(ask({ digest })).toEqual({ $case: 'unknownDigest', value: true });
    expect(ask({ digest, value: text })).toMatchObject({ $case: 'principal', value: { tenant: 'acme' } });
    expect(ask({ digest })).toMatchObject({ $case: 'principal', value: { credential: { kind: 'api-key', id: kid } } });
  });

  it('believes the credential, not the digest that came with it', () => {
    const other = createHash('sha256').update('another').digest();
    ask({ digest: other, value: text });
    expect(ask({ digest: other })).toEqual({ $case: 'unknownDigest', value: true });
  });

  it('takes a digest of another length for unknown', () => {
    for (const odd of [Buffer.alloc(0), digest.subarray(1)])
      expect(ask({ digest: odd })).toMatchObject({ $case: 'unknownDigest' });
  });

  it('refuses a kind it was not told or does not know', () => {
    for (const kind of [authV1.CredentialKind.CREDENTIAL_KIND_UNSPECIFIED, authV1.CredentialKind.UNRECOGNIZED]) {
      expect(ask({ kind, value: text })).toMatchObject({ $case: 'refused', value: { code: 'AUTH_MALFORMED' } });
    }
  });

  it('judges a class it was not told by the strictest', () => {
    engine = new LocalVerifier({ clock: systemClock, peppers: [pepper] });
    engine.keys.confirm(Date.now() - 120_000);
    const unknown = mintApiKey('live', randomBytes).text;
    const unspecified = { routeClass: authV1.RouteClass.ROUTE_CLASS_UNSPECIFIED, value: unknown };
    expect(ask(unspecified)).toMatchObject({ value: { code: 'AUTH_STATUS_UNKNOWN' } });
    expect(ask({ value: unknown })).toMatchObject({ value: { code: 'AUTH_KEY_INVALID' } });
  });
});
