import crypto from 'node:crypto';
import { requestId } from '@sallyport/contracts';
import { pooledRandom } from './random';

describe('pooled random bytes', () => {
  it('come in the number asked for, and never twice', () => {
    const random = pooledRandom();
    const seen = new Set<string>();
    for (let draw = 0; draw < 5_000; draw++) seen.add(Buffer.from(random(16)).toString('hex'));
    expect(seen.size).toBe(5_000);
    expect([random(10).length, random(16).length, random(32).length]).toEqual([10, 16, 32]);
  });

  it('stay what they are when more are drawn', () => {
    const random = pooledRandom();
    const first = random(16);
    const copy = Buffer.from(first);
    for (let draw = 0; draw < 1_000; draw++) random(16);
    expect(Buffer.from(first).equals(copy)).toBe(true);
  });

  it('are drawn for the ids of requests by the hundred', () => {
    const draws = jest.spyOn(crypto, 'randomBytes');
    try {
      const random = pooledRandom();
      for (let id = 0; id < 930; id++) requestId(random);
      expect(draws).toHaveBeenCalledTimes(10);
    } finally {
      draws.mockRestore();
    }
  });
});
