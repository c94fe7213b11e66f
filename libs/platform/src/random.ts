import { randomBytes } from 'node:crypto';
import type { RandomBytes } from '@sallyport/contracts';

const POOL_BYTES = 4096;
/** Ids are small; anything larger may be a key, and keys are drawn for themselves. */
const LARGEST_POOLED = 22;

/**
 * Random bytes of the operating system's quality, small draws taken from a pool: a request needs half a dozen ids, and a
 * draw of its own costs ten times what the bytes do. No byte is ever handed out twice.
 */
export function pooledRandom(): RandomBytes {
  let pool = new Uint8Array(0);
  let used = 0;
  return (count) => {
    if (count > LARGEST_POOLED) return randomBytes(count);
    if (used + count > pool.length) {
      pool = randomBytes(POOL_BYTES);
      used = 0;
    }
    used += count;
    return pool.subarray(used - count, used);
  };
}
