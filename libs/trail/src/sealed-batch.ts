import type { Run } from './chain-files';

/** Tags of `sallyport.audit.v1.Batch`: the number of a field and its wire type. */
const CHAIN = (1 << 3) | 2;
const FIRST_SEQ = (2 << 3) | 0;
const BODIES = (3 << 3) | 2;

/** How many bytes a run has as a batch. */
export function batchBytes(chain: string, { firstSeq, bodies }: Run): number {
  const chainBytes = Buffer.byteLength(chain);
  let size = 1 + varintBytes(chainBytes) + chainBytes + 1 + varintBytes(firstSeq);
  for (const body of bodies) size += 1 + varintBytes(body.length) + body.length;
  return size;
}

/**
 * A run of records as a `sallyport.audit.v1.Batch`. Written by hand because nearly all of it is bodies: each is copied once, to
 * where it belongs, where the generated code gathers them in one list, their lengths in another, and joins both.
 *
 * @param batch where it is written to, of at least `batchBytes`
 * @returns the part of `batch` that it has taken.
 */
export function sealBatch(batch: Buffer, chain: string, { firstSeq, bodies }: Run): Uint8Array {
  const chainBytes = Buffer.byteLength(chain);
  let at = writeVarint(batch, chainBytes, batch.writeUInt8(CHAIN, 0));
  at += batch.write(chain, at);
  at = writeVarint(batch, firstSeq, batch.writeUInt8(FIRST_SEQ, at));
  for (const body of bodies) {
    at = writeVarint(batch, body.length, batch.writeUInt8(BODIES, at));
    batch.set(body, at);
    at += body.length;
  }
  return batch.subarray(0, at);
}

/** @param value a whole number from 0 to 2^53 − 1 */
function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes += 1;
  return bytes;
}

/** @returns where the next byte belongs. */
function writeVarint(into: Buffer, value: number, at: number): number {
  let rest = value;
  let end = at;
  for (; rest >= 128; rest = Math.floor(rest / 128)) into[end++] = (rest % 128) | 128;
  into[end++] = rest;
  return end;
}
