import { randomBytes } from 'node:crypto';
import { isRefusal, type Principal, type Refusal } from '@sallyport/contracts';
import { Pepper } from './api-key';
import { LocalVerifier } from './local-verifier';
import { presentedAt, TEST_NOW, TestClock, TestIssuer, testKey } from './test-issuer';
import type { Presented, Verifier, VerifierOutcome } from './verifier';

/**
 * What every verifier promises, whatever the distance to the engine.
 * @param reach makes the verifier under test answer from this engine, directly or through a server.
 */
export function describeVerifier(
  name: string,
  reach: (engine: LocalVerifier) => Promise<{ verifier: Verifier; close(): Promise<void> }>,
): void {
  describe(`verifier contract: ${name}`, () => {
    const clock = new TestClock();
    const pepper = new Pepper(1, Buffer.alloc(32, 7));
    const key = testKey(pepper, randomBytes);
    const confined = testKey(pepper, randomBytes, { services: ['orders'], cidrs: ['192.0.2.0/24'], models: ['echo'] });
    let issuer: TestIssuer;
    let engine: LocalVerifier;
    let clockFault: string | undefined;
    let verifier: Verifier;
    let close: () => Promise<void>;

    beforeAll(async () => {
      issuer = await TestIssuer.create('issuer');
      engine = new LocalVerifier({ clock, clockFault: () => clockFault, peppers: [pepper] });
      engine.setTrust([issuer.trustEntry()]);
      for (const { record } of [key, confined]) engine.keys.put(record);
      engine.keys.confirm(TEST_NOW);
      ({ verifier, close } = await reach(engine));
    });
    afterAll(() => close());

    const ask = (presented: Partial<Presented>) =>
      new Promise<VerifierOutcome>((done) => verifier.verify({ ...presentedAt('/orders'), ...presented }, done));
    const askKey = (changes: Partial<Presented> = {}) => ask({ kind: 'api-key', value: key.text, ...changes });

    it('names the whole principal of an API key', async () => {
      expect(accepted(await askKey())).toMatchObject({
        tenant: 'acme',
        subject: 'shop',
        client: 'shop-key',
        consumer: 'shop',
        scopes: new Set(['orders:read']),
        credential: { kind: 'api-key', id: key.kid },
        models: ['*'],
        quotas: [{ name: 'key', limit: 60, windowSeconds: 60 }],
      });
    });

    it('names the whole principal of a token', async () => {
      const value = await issuer.token({ act: { sub: 'agent', act: { sub: 'planner' } } });
      expect(accepted(await ask({ value }))).toMatchObject({
        tenant: 'acme',
        subject: 'ada',
        client: 'shop',
        consumer: 'shop',
        actors: ['agent', 'planner'],
        scopes: new Set(['orders:read', 'orders:write']),
        credential: { kind: 'jwt', id: 'token-1' },
        until: TEST_NOW + 300_000,
      });
    });

    it('gives the same answer on every later call', async () => {
      const value = await issuer.token({ jti: 'again' });
      const first = accepted(await ask({ value }));
      for (let round = 0; round < 3; round++) expect(await ask({ value })).toEqual(first);
      const firstKey = accepted(await askKey());
      for (let round = 0; round < 3; round++) expect(await askKey()).toEqual(firstKey);
    });

    it('answers many callers at once, each with its own outcome', async () => {
      const tokens = await Promise.all(
        Array.from({ length: 24 }, (_, index) => issuer.token({ sub: `caller-${index}` })),
      );
      const outcomes = await Promise.all(tokens.map((value) => ask({ value })));
      expect(outcomes.map((outcome) => accepted(outcome).subject)).toEqual(tokens.map((_, index) => `caller-${index}`));
    });

    it('refuses with the public code, and keeps the exact cause for the audit', async () => {
      const forged = key.text.slice(0, -1) + (key.text.endsWith('0') ? '1' : '0');
      expect(refused(await askKey({ value: forged }))).toMatchObject({
        code: 'AUTH_KEY_INVALID',
        reason: 'the form or the check digits are wrong',
      });
      const stranger = await TestIssuer.create('stranger');
      expect(refused(await ask({ value: await stranger.token() }))).toMatchObject({
        code: 'AUTH_TOKEN_INVALID',
        reason: 'the issuer is not trusted here',
      });
      expect(refused(await ask({ value: await issuer.token({ exp: TEST_NOW / 1000 - 6 }) }))).toMatchObject({
        code: 'AUTH_TOKEN_EXPIRED',
      });
    });

    it('never repeats a credential in a refusal', async () => {
      const value = await issuer.token({ aud: 'https://other.example' });
      for (const outcome of [await ask({ value }), await askKey({ value: `${key.text}0` })]) {
        expect(JSON.stringify(refused(outcome))).not.toMatch(/sp_live|eyJ/);
      }
    });

    it('holds tenant, service and address against the key at every call, remembered or not', async () => {
      const askConfined = (changes: Partial<Presented> = {}) =>
        askKey({ value: confined.text, clientAddress: '192.0.2.9', ...changes });
      expect(accepted(await askConfined()).models).toEqual(['echo']);
      expect(refused(await askConfined({ service: 'billing' })).reason).toBe('the key may not call this service');
      expect(refused(await askConfined({ clientAddress: '198.51.100.1' })).reason).toContain('outside the ranges');
      expect(refused(await askConfined({ tenant: 'umbrella' })).reason).toBe('the key belongs to another tenant');
      expect(accepted(await askConfined({ service: '' })).models).toEqual(['echo']);
      expect(accepted(await askConfined()).credential.id).toBe(confined.kid);
    });

    it('takes no token for another resource, tenant or trust entry than the route names', async () => {
      const value = await issuer.token({ jti: 'bound' });
      expect(accepted(await ask({ value, resource: issuer.audience, trust: ['issuer'] })).subject).toBe('ada');
      for (const changes of [
        { resource: 'https://api.example/billing' },
        { tenant: 'umbrella' },
        { trust: ['partner'] },
      ]) {
        expect(refused(await ask({ value, ...changes })).code).toBe('AUTH_TOKEN_INVALID');
      }
    });

    it('refuses a revoked key from the next call on', async () => {
      const doomed = testKey(pepper, randomBytes);
      engine.keys.put(doomed.record);
      expect(accepted(await askKey({ value: doomed.text })).credential.id).toBe(doomed.kid);
      engine.keys.put({ ...doomed.record, status: 'revoked' });
      expect(refused(await askKey({ value: doomed.text })).reason).toBe('the key is revoked');
    });

    it('judges nothing by a clock that is known to be wrong, known credentials not either', async () => {
      const value = await issuer.token();
      expect(accepted(await ask({ value })).subject).toBe('ada');
      clockFault = 'the clock is 600 s ahead of the others';
      for (const outcome of [await ask({ value }), await askKey()])
        expect(refused(outcome)).toMatchObject({ code: 'AUTH_STATUS_UNKNOWN', reason: clockFault });
      clockFault = undefined;
      expect(accepted(await ask({ value })).subject).toBe('ada');
      expect(accepted(await askKey()).subject).toBe('shop');
    });

    it('says that it cannot know once the list of keys is older than the class of the route allows', async () => {
      expect(accepted(await askKey({ class: 'regulated' })).subject).toBe('shop');
      clock.advance(60_001);
      expect(refused(await askKey({ class: 'regulated' })).code).toBe('AUTH_STATUS_UNKNOWN');
      expect(accepted(await askKey()).subject).toBe('shop');
      clock.advance(14 * 60_000);
      for (const routeClass of ['public', 'internal'] as const) {
        expect(refused(await askKey({ class: routeClass })).code).toBe('AUTH_STATUS_UNKNOWN');
      }
      engine.keys.confirm(clock.now());
      expect(accepted(await askKey({ class: 'regulated' })).subject).toBe('shop');
    });
  });
}

/** A call with everything but the credential filled in. */
export function accepted(outcome: VerifierOutcome): Principal {
  if (isRefusal(outcome)) throw new Error(`refused: ${outcome.code} (${outcome.reason})`);
  return outcome;
}

export function refused(outcome: VerifierOutcome): Refusal {
  if (!isRefusal(outcome)) throw new Error(`accepted ${outcome.subject}`);
  return outcome;
}
