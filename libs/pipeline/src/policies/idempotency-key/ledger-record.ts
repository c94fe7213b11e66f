import { z } from 'zod';

/** What is known of the request that a key was first sent with. */
export type LedgerRecord = {
  /** Of method, target, media type and body. */
  readonly fingerprint: string;
} & (
  | {
      readonly state: 'running';
      readonly owner: string;
      readonly leaseUntil: number;
      readonly suspectUntil?: number | undefined;
    }
  | { readonly state: 'answered'; readonly status: number; readonly fields: readonly string[]; readonly body: Buffer }
  /** Answered with something that is not kept. */
  | { readonly state: 'not-kept'; readonly status: number }
  /** Sent on, and no answer came. */
  | { readonly state: 'unknown' }
);

const fingerprint = z.string();
const head = z.discriminatedUnion('state', [
  z.strictObject({
    state: z.literal('running'),
    fingerprint,
    owner: z.string(),
    leaseUntil: z.number(),
    suspectUntil: z.number().optional(),
  }),
  z.strictObject({ state: z.literal('answered'), fingerprint, status: z.int(), fields: z.array(z.string()) }),
  z.strictObject({ state: z.literal('not-kept'), fingerprint, status: z.int() }),
  z.strictObject({ state: z.literal('unknown'), fingerprint }),
]);

/** A line of JSON, and behind it the body. */
export function writeRecord(record: LedgerRecord): Buffer {
  if (record.state !== 'answered') return Buffer.from(`${JSON.stringify(record)}\n`);
  const { body, ...rest } = record;
  return Buffer.concat([Buffer.from(`${JSON.stringify(rest)}\n`), body]);
}

/** @returns undefined for what another version of this program has written. */
export function readRecord(bytes: Buffer): LedgerRecord | undefined {
  const end = bytes.indexOf(0x0a);
  const line = jsonOf(bytes.subarray(0, Math.max(0, end)).toString());
  const read = head.safeParse(line);
  if (!read.success) return undefined;
  return read.data.state === 'answered' ? { ...read.data, body: bytes.subarray(end + 1) } : read.data;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
