import { auditV1 } from '@sallyport/contracts';
import fc from 'fast-check';
import type { Run } from './chain-files';
import { batchBytes, sealBatch } from './sealed-batch';

/** In memory that held something else before, and is larger. */
function sealedBatch(chain: string, run: Run): Uint8Array {
  return sealBatch(Buffer.alloc(batchBytes(chain, run) + 7, 0xff), chain, run);
}

describe('a batch of records', () => {
  it('is read by the generated code as what it was made of', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', minLength: 1 }),
        fc.maxSafeNat().map((seq) => seq || 1),
        fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 20 }),
        (chain, firstSeq, bytes) => {
          const bodies = bytes.map((body) => Buffer.from(body));
          const read = auditV1.Batch.decode(sealedBatch(chain, { firstSeq, bodies }));
          expect(read.chain).toBe(chain);
          expect(read.firstSeq).toBe(BigInt(firstSeq));
          expect(read.bodies.map((body) => Buffer.from(body))).toEqual(bodies);
        },
      ),
    );
  });

  it('is byte for byte what the generated code writes', () => {
    const bodies = [0, 1, 127, 128, 16_383, 16_384].map((length) => Buffer.alloc(length, 7));
    const chain = 'cluster-a/ingress-1/1';
    for (const firstSeq of [1, 127, 128, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
      const generated = auditV1.Batch.encode({ chain, firstSeq: BigInt(firstSeq), bodies }).finish();
      expect(Buffer.from(sealedBatch(chain, { firstSeq, bodies })).equals(generated)).toBe(true);
    }
  });
});
