import type { DataSource } from 'typeorm';
import type { Ingester } from '../consume/ingester';
import { retentions } from '../store/retention';

/** What an operator wants to know of the trail. */
export interface TrailHealth {
  /** Whether this process stores records, or stands by. */
  readonly ingesting: boolean;
  readonly lag_seconds: number;
  readonly records: number;
  readonly chains: readonly {
    readonly chain: string;
    readonly committed: number;
    readonly committed_at: string | null;
  }[];
  readonly gaps: readonly { readonly chain: string; readonly first: number; readonly last: number }[];
  readonly quarantined: number;
  readonly partitions: readonly string[];
  /** Rows in partitions that are not meant to have any; more than none is an alarm. */
  readonly default_rows: number;
}

const CHAINS_SHOWN = 1_000;

/** Reads the state of the store, and of the ingester in this process. */
export async function trailHealth(dataSource: DataSource, ingester: Ingester): Promise<TrailHealth> {
  const [counts] = await dataSource.query<{ records: string; quarantined: string }[]>(
    'SELECT (SELECT next FROM audit_position) AS records, (SELECT count(*) FROM audit_quarantine) AS quarantined',
  );
  const chains = await dataSource.query<{ chain: string; next_seq: string; committed_at: Date | null }[]>(
    'SELECT chain, next_seq, committed_at FROM audit_chain ORDER BY committed_at DESC NULLS LAST LIMIT $1',
    [CHAINS_SHOWN],
  );
  const gaps = await dataSource.query<{ chain: string; first_seq: string; last_seq: string }[]>(
    `SELECT audit_chain.chain, first_seq, last_seq FROM audit_gap JOIN audit_chain ON audit_chain.id = audit_gap.chain
     ORDER BY declared_at DESC LIMIT $1`,
    [CHAINS_SHOWN],
  );
  const partitions = await dataSource.query<{ name: string }[]>(
    `SELECT relid::regclass::text AS name FROM pg_partition_tree('audit_event') WHERE isleaf ORDER BY 1`,
  );
  return {
    ingesting: ingester.active,
    lag_seconds: ingester.lagSeconds,
    records: Number(counts!.records),
    chains: chains.map(({ chain, next_seq, committed_at }) => ({
      chain,
      committed: Number(next_seq) - 1,
      committed_at: committed_at?.toISOString() ?? null,
    })),
    gaps: gaps.map(({ chain, first_seq, last_seq }) => ({ chain, first: Number(first_seq), last: Number(last_seq) })),
    quarantined: Number(counts!.quarantined),
    partitions: partitions.map(({ name }) => name),
    default_rows: await rowsInDefaults(dataSource),
  };
}

async function rowsInDefaults(dataSource: DataSource): Promise<number> {
  const tables = ['audit_event_default', ...retentions.map((retention) => `audit_event_${retention}_default`)];
  const counts = tables.map((table) => `(SELECT count(*) FROM ${table})`).join(' + ');
  const [row] = await dataSource.query<{ count: string }[]>(`SELECT ${counts} AS count`);
  return Number(row!.count);
}
