import { TestClock, TestIssuer } from './test-issuer';
import { FetchedKeys, KeySet } from './jwks';

describe('sets of keys', () => {
  it('refuses a set with a private or secret key, with too many, or with none of use', async () => {
    const [key] = (await TestIssuer.create('a')).jwks().keys;
    for (const document of [
      null,
      {},
      { keys: 'x' },
      { keys: [] },
      { keys: [7] },
      { keys: [{ ...key, d: 'secret' }] },
      { keys: [key, { kty: 'oct', k: 'AAAA' }] },
      { keys: [{ kty: 'new-kind' }] },
      { keys: [{ ...key, use: 'enc' }] },
      { keys: Array.from({ length: 21 }, () => key) },
    ]) {
      expect(() => KeySet.read(document)).toThrow(TypeError);
    }
  });

  it('leaves out keys of kinds it does not know', async () => {
    const [key] = (await TestIssuer.create('a')).jwks().keys;
    const set = KeySet.read({ keys: [{ kty: 'new-kind', kid: 'x' }, key] });
    expect(set.candidates('a-key', 'ES256')).toHaveLength(1);
    expect(set.candidates('x', 'ES256')).toHaveLength(0);
  });

  it('finds a key for a token without kid only when there is no choice', async () => {
    const [a, b] = [await TestIssuer.create('a'), await TestIssuer.create('b')];
    expect(KeySet.read(a.jwks()).candidates(undefined, 'ES256')).toHaveLength(1);
    expect(KeySet.read({ keys: [...a.jwks().keys, ...b.jwks().keys] }).candidates(undefined, 'ES256')).toHaveLength(0);
  });
});

describe('fetched keys', () => {
  let clock: TestClock;
  let answers: Array<() => unknown>;
  let fetched: number;
  let failures: unknown[];
  let old: TestIssuer;
  let next: TestIssuer;
  let keys: FetchedKeys;

  beforeAll(async () => {
    [old, next] = await Promise.all([TestIssuer.create('old'), TestIssuer.create('next')]);
  });
  beforeEach(() => {
    clock = new TestClock();
    answers = [];
    fetched = 0;
    failures = [];
    keys = new FetchedKeys('https://issuer.example/jwks', false, {
      clock,
      failed: (_, error) => failures.push(error),
      fetch: async () => {
        fetched++;
        const answer = (answers.length > 1 ? answers.shift()! : answers[0]!)();
        return Buffer.from(typeof answer === 'string' ? answer : JSON.stringify(answer));
      },
    });
  });

  it('wait for the first answer, and for nothing while the set is fresh', async () => {
    answers = [() => old.jwks()];
    await keys.prepare('old-key');
    expect(keys.current()?.has('old-key')).toBe(true);
    expect(keys.prepare('old-key')).toBeUndefined();
    expect(fetched).toBe(1);
  });

  it('follow a rotation: an unknown id asks once, at most every thirty seconds', async () => {
    answers = [() => old.jwks(), () => ({ keys: [...old.jwks().keys, ...next.jwks().keys] })];
    await keys.prepare('old-key');
    expect(keys.prepare('next-key')).toBeUndefined();
    clock.advance(30_000);
    await Promise.all([keys.prepare('next-key'), keys.prepare('next-key')]);
    expect(keys.current()?.has('next-key')).toBe(true);
    expect(keys.prepare('no-key')).toBeUndefined();
    expect(fetched).toBe(2);
  });

  it('are refreshed in the background every ten minutes of use', async () => {
    answers = [() => old.jwks(), () => next.jwks()];
    await keys.prepare('old-key');
    clock.advance(600_000);
    expect(keys.prepare('old-key')).toBeUndefined();
    await keys.refresh();
    expect(fetched).toBe(2);
    expect(keys.current()?.has('old-key')).toBe(false);
  });

  it('are waited for when they were not used for long', async () => {
    answers = [() => old.jwks(), () => next.jwks()];
    await keys.prepare('old-key');
    clock.advance(3 * 600_000);
    await keys.prepare('old-key');
    expect(keys.current()?.has('old-key')).toBe(false);
  });

  it('keep the last good set, and its identity, whatever the issuer answers', async () => {
    answers = [() => old.jwks()];
    await keys.refresh();
    const good = keys.current();
    for (const answer of ['no JSON', '{"keys":[]}', ' '.repeat(65_537), old.jwks()]) {
      answers = [() => answer];
      await keys.refresh();
      expect(keys.current()).toBe(good);
    }
    answers = [
      () => {
        throw new Error('unreachable');
      },
    ];
    await keys.refresh();
    expect(keys.current()).toBe(good);
    expect(failures).toHaveLength(4);
  });
});
