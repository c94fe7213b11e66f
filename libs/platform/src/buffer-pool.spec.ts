import { shareSmallSlabs } from './buffer-pool';

const { poolSize } = Buffer;
afterEach(() => void (Buffer.poolSize = poolSize));

it('a small array that lives keeps no more than eight kibibytes, whatever Node would let it keep', () => {
  Buffer.poolSize = 64 * 1024;
  shareSmallSlabs();
  // What was begun before is used up first.
  const kept = Array.from({ length: 200 }, () => Buffer.allocUnsafe(1000)).at(-1)!;
  expect(kept.buffer.byteLength).toBe(8 * 1024);
});
