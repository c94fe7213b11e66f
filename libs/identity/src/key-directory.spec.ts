import { createHash, randomBytes } from 'node:crypto';
import { isRefusal } from '@sallyport/contracts';
import { mintApiKey, Pepper } from './api-key';
import { KeyDirectory } from './key-directory';
import { LocalVerifier } from './local-verifier';
import { presentedAt, TEST_NOW, TestClock, testKey } from './test-issuer';
import type { Presented, VerifierOutcome } from './verifier';
import { accepted, refused } from './verifier.suite';

const pepper = new Pepper(1, Buffer.alloc(32, 7));

describe('the directory of keys', () => {
  it('never takes a revocation back, however late the older record arrives', () => {
    const directory = new KeyDirectory();
    const { record } = testKey(pepper, randomBytes);
    directory.put({ ...record, status: 'revoked' });
    directory.put(record);
    expect(directory.get(record.kid)?.record.status).toBe('revoked');
  });

  it('keeps the same object for an unchanged record, so that nothing is proven again', () => {
    const directory = new KeyDirectory();
    const { record } = testKey(pepper, randomBytes);
    directory.put(record);
    const before = directory.get(record.kid);
    directory.put({ ...record });
    expect(directory.get(record.kid)).toBe(before);
  });

  it('is stale until it is confirmed, beyond its bound, and when confirmed from the future', () => {
    const directory = new KeyDirectory();
    expect(directory.isStale('public', TEST_NOW)).toBe(true);
    directory.confirm(TEST_NOW);
    directory.confirm(TEST_NOW - 500_000);
    expect(directory.isStale('regulated', TEST_NOW + 60_000)).toBe(false);
    expect(directory.isStale('regulated', TEST_NOW + 60_001)).toBe(true);
    expect(directory.isStale('internal', TEST_NOW + 900_000)).toBe(false);
    expect(directory.isStale('public', TEST_NOW + 900_001)).toBe(true);
    expect(directory.isStale('regulated', TEST_NOW - 60_001)).toBe(true);
  });
});

describe('verifying API keys', () => {
  const clock = new TestClock();
  let engine: LocalVerifier;

  beforeEach(() => {
    engine = new LocalVerifier({ clock, peppers: [pepper] });
    engine.keys.confirm(clock.now());
  });

  /** The engine answers keys before `verify` returns. */
  function ask(value: string, changes: Partial<Presented> = {}): VerifierOutcome {
    let outcome: VerifierOutcome | undefined;
    engine.verify({ ...presentedAt('/orders'), kind: 'api-key', value, ...changes }, (given) => (outcome = given));
    if (!outcome) throw new Error('the verifier did not answer at once');
    return outcome;
  }

  it('K1 bad check digits, a truncated key, another environment and another prefix cause no look-up', () => {
    const { text } = testKey(pepper, randomBytes);
    const looked = jest.spyOn(engine.keys, 'get');
    for (const value of [
      `${text.slice(0, -1)}${text.endsWith('0') ? '1' : '0'}`,
      text.slice(0, -1),
      mintApiKey('test', randomBytes).text,
      text.replace('sp_', 'pk_'),
      '',
    ]) {
      expect(refused(ask(value)).code).toBe('AUTH_KEY_INVALID');
    }
    expect(looked).not.toHaveBeenCalled();
  });

  it('K4 an expired key is refused, though it was just remembered', () => {
    const { text, record } = testKey(pepper, randomBytes, { expiresAt: new Date(clock.now() + 10_000).toISOString() });
    engine.keys.put(record);
    expect(accepted(ask(text)).until).toBe(clock.now() + 10_000);
    clock.advance(10_000);
    expect(refused(ask(text)).reason).toBe('the key has expired');
  });

  it('K4 a key removed from the directory is refused at once', () => {
    const { text, record } = testKey(pepper, randomBytes);
    engine.keys.put(record);
    accepted(ask(text));
    engine.keys.remove(record.kid);
    expect(refused(ask(text)).reason).toBe('no such key');
  });

  it('K5 an unknown id and a wrong secret get the same answer for the same work', () => {
    const known = testKey(pepper, randomBytes);
    engine.keys.put(known.record);
    const other = mintApiKey('live', (count) => (count === 8 ? Buffer.alloc(8, 9) : randomBytes(count)));
    const sameId = mintApiKey('live', randomBytes);
    engine.keys.put({ ...known.record, kid: sameId.kid });
    const macs = jest.spyOn(pepper, 'mac');
    const [unknown, wrong] = [refused(ask(other.text)), refused(ask(sameId.text))];
    expect(macs).toHaveBeenCalledTimes(2);
    macs.mockRestore();
    expect([unknown.code, unknown.params]).toEqual([wrong.code, wrong.params]);
    expect([unknown.reason, wrong.reason]).toEqual(['no such key', 'the secret is wrong']);
  });

  it('a remembered key answers to its digest, an unknown digest does not', () => {
    const { text, record } = testKey(pepper, randomBytes);
    engine.keys.put(record);
    const context = { ...presentedAt('/orders'), kind: 'api-key' as const };
    const digest = createHash('sha256').update(text).digest('base64url');
    expect(engine.recall(digest, context)).toBeUndefined();
    accepted(ask(text));
    expect(engine.recall(digest, context)).toMatchObject({ credential: { id: record.kid } });
    expect(isRefusal(engine.recall(digest, { ...context, tenant: 'umbrella' }))).toBe(true);
    engine.keys.put({ ...record, status: 'revoked' });
    expect(engine.recall(digest, context)).toBeUndefined();
  });

  it('cannot know a new key while its list is stale, but knows a revoked one for ever', () => {
    const gone = testKey(pepper, randomBytes);
    engine.keys.put({ ...gone.record, status: 'revoked' });
    clock.advance(16 * 60_000);
    expect(refused(ask(mintApiKey('live', randomBytes).text)).code).toBe('AUTH_STATUS_UNKNOWN');
    expect(refused(ask(gone.text)).code).toBe('AUTH_KEY_INVALID');
  });

  it('does not call a key wrong that was stored under a pepper this process lacks', () => {
    const { text, record } = testKey(new Pepper(2, Buffer.alloc(32, 8)), randomBytes);
    engine.keys.put(record);
    expect(refused(ask(text)).code).toBe('AUTH_STATUS_UNKNOWN');
  });
});
