import fc from 'fast-check';
import type { Bytes } from './bytes';

/** Any byte string, up to a length. */
export function bytes(maxLength: number): fc.Arbitrary<Bytes> {
  return fc.uint8Array({ maxLength }).map((array) => Buffer.from(array).toString('latin1'));
}
