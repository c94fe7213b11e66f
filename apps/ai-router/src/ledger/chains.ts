import type { EntityManager } from 'typeorm';
import { SCHEMA } from './ledger-tables';

/**
 * A producer publishes several batches at once, so one may come before its forerunner. It is kept, but not confirmed: what
 * is confirmed is trimmed on the producer's disk, and the forerunner is not here yet. When nobody has sent the missing part
 * for this long, while what follows came again, the producer has it no more.
 */
const GAP_MS = 60_000;

export type Step =
  /** Everything up to `seq` is in the table: the producer may trim. */
  { readonly kind: 'committed'; readonly seq: number; readonly lost: number } | { readonly kind: 'waiting' };

/** Counts a batch in, in the transaction that keeps its receipts. */
export async function advanceChain(
  manager: EntityManager,
  chain: string,
  range: { readonly first: number; readonly last: number },
  now: number,
): Promise<Step> {
  await manager.query(`INSERT INTO ${SCHEMA}.usage_chain VALUES ($1, 0, NULL) ON CONFLICT DO NOTHING`, [chain]);
  const [{ committed_seq, gap_since }] = await manager.query<[{ committed_seq: string; gap_since: Date | null }]>(
    `SELECT committed_seq, gap_since FROM ${SCHEMA}.usage_chain WHERE chain = $1 FOR UPDATE`,
    [chain],
  );
  const committed = Number(committed_seq);
  const gap = range.first > committed + 1;
  if (gap && (gap_since === null || now - gap_since.getTime() < GAP_MS)) {
    await manager.query(`UPDATE ${SCHEMA}.usage_chain SET gap_since = coalesce(gap_since, $2) WHERE chain = $1`, [
      chain,
      new Date(now),
    ]);
    return { kind: 'waiting' };
  }
  const seq = Math.max(committed, range.last);
  await manager.query(`UPDATE ${SCHEMA}.usage_chain SET committed_seq = $2, gap_since = NULL WHERE chain = $1`, [
    chain,
    seq,
  ]);
  return { kind: 'committed', seq, lost: gap ? range.first - committed - 1 : 0 };
}
