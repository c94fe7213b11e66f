import { finished } from 'node:stream/promises';
import { Client } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { INGEST_ROLE, SCHEMA } from '../store/audit-tables';
import { UnreadableRecord, rowOf, type EventRow } from '../store/row';
import type { Placed } from './order';

const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 30_000;

/** What a chain stands at. */
export interface ChainState {
  readonly id: number;
  readonly nextSeq: number;
}

/** A record that was made visible. */
export interface Committed {
  readonly row: EventRow;
  readonly position: number;
  readonly body: Uint8Array;
}

/** What one transaction adds to one chain. */
export interface Addition {
  readonly chain: ChainState;
  readonly accepted: readonly Placed[];
  readonly repeated: readonly Placed[];
  readonly gap: { readonly first: number; readonly last: number } | undefined;
  readonly nextSeq: number;
}

interface StagedRow {
  readonly chain: number;
  readonly seq: number;
  readonly row: EventRow;
  readonly body: Uint8Array;
}

interface Unplaced {
  readonly chain: number;
  readonly seq: number;
  readonly body: Uint8Array;
  readonly reason: string;
}

const STAGED = `retention, at, uid, chain, seq, tenant, kind, type_uid, actor_ref, app, resource, route, disposition,
  status, request_id, trace_id, body`;

/**
 * The one connection that writes records. It holds the advisory lock that makes this process the ingester: whoever
 * loses the connection loses the lock, and with it the transaction.
 */
export class IngestSession {
  private constructor(private readonly client: Client) {}

  /** @returns undefined while another process is the ingester. */
  static async open(url: string, lost: () => void): Promise<IngestSession | undefined> {
    const client = new Client({
      connectionString: url,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      application_name: 'sallyport-audit-ingest',
      options: `-c search_path=${SCHEMA},public -c statement_timeout=${STATEMENT_TIMEOUT_MS}`,
      keepAlive: true,
    });
    client.on('error', lost);
    client.on('end', lost);
    await client.connect();
    try {
      const key = `sallyport ${SCHEMA} ingest`;
      const { rows } = await client.query<{ locked: boolean }>(
        'SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS locked',
        [key],
      );
      if (rows[0]!.locked) {
        const session = new IngestSession(client);
        await session.#prepare();
        return session;
      }
    } catch (error) {
      await client.end();
      throw error;
    }
    await client.end();
    return undefined;
  }

  async #prepare(): Promise<void> {
    await this.client.query(`
      CREATE TEMP TABLE stage (
        ordinal integer GENERATED ALWAYS AS IDENTITY,
        retention text COLLATE "C", at timestamptz(3), uid uuid, chain integer, seq bigint, tenant text COLLATE "C",
        kind text COLLATE "C", type_uid integer, actor_ref text COLLATE "C", app text COLLATE "C",
        resource text COLLATE "C", route text COLLATE "C", disposition smallint, status smallint,
        request_id text COLLATE "C", trace_id text COLLATE "C", body bytea
      ) ON COMMIT DELETE ROWS`);
    const { rows } = await this.client.query<{ can: boolean }>(
      `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1 AND pg_has_role(oid, 'MEMBER')) AS can`,
      [INGEST_ROLE],
    );
    if (!rows[0]!.can) return;
    await this.client.query(`GRANT SELECT, INSERT ON stage TO ${INGEST_ROLE}`);
    await this.client.query(`SET ROLE ${INGEST_ROLE}`);
  }

  /** Runs one transaction. Any failure undoes it. */
  async transaction<T>(work: () => Promise<T>): Promise<T> {
    await this.client.query('BEGIN');
    try {
      const result = await work();
      await this.client.query('COMMIT');
      return result;
    } catch (error) {
      await this.client.query('ROLLBACK').catch(() => undefined);
      throw error;
    }
  }

  /** Where chains stand, making those that are new. */
  async chains(names: readonly string[]): Promise<Map<string, ChainState>> {
    await this.client.query(
      'INSERT INTO audit_chain (chain) SELECT unnest($1::text[]) ON CONFLICT (chain) DO NOTHING',
      [names],
    );
    const { rows } = await this.client.query<{ id: number; chain: string; next_seq: string }>(
      'SELECT id, chain, next_seq FROM audit_chain WHERE chain = ANY($1) ORDER BY id FOR UPDATE',
      [names],
    );
    return new Map(rows.map(({ id, chain, next_seq }) => [chain, { id, nextSeq: Number(next_seq) }]));
  }

  /**
   * Makes records visible, each at the next dense position. What no table takes goes to the quarantine with its bytes.
   * @param oneByOne finds the rows the database refuses, after a transaction with all of them has failed.
   */
  async add(additions: readonly Addition[], now: number, oneByOne: boolean): Promise<Committed[]> {
    const staged: StagedRow[] = [];
    const unplaced: Unplaced[] = [];
    for (const { chain, accepted } of additions) {
      for (const { seq, body } of accepted) {
        const row = readRow(body);
        if (row instanceof UnreadableRecord) unplaced.push({ chain: chain.id, seq, body, reason: row.message });
        else staged.push({ chain: chain.id, seq, row, body });
      }
    }
    unplaced.push(...(await this.#lateRecords(additions)));
    const positions = oneByOne ? await this.#insertEach(staged, unplaced) : await this.#insertAll(staged);
    await this.#quarantine(unplaced, now);
    await this.#advance(additions, now);
    return staged.flatMap(({ row, body }) => {
      const position = positions.get(row.uid);
      return position === undefined ? [] : [{ row, body, position }];
    });
  }

  /** Records that turn up after their gap was declared: too late for their place, but not to be lost. */
  async #lateRecords(additions: readonly Addition[]): Promise<Unplaced[]> {
    const repeated = additions.filter((addition) => addition.repeated.length > 0);
    if (repeated.length === 0) return [];
    const { rows } = await this.client.query<{ chain: number; first_seq: string; last_seq: string }>(
      'SELECT chain, first_seq, last_seq FROM audit_gap WHERE chain = ANY($1)',
      [repeated.map(({ chain }) => chain.id)],
    );
    return repeated.flatMap((addition) =>
      addition.repeated.flatMap(({ seq, body }) =>
        rows.some(
          ({ chain, first_seq, last_seq }) =>
            chain === addition.chain.id && Number(first_seq) <= seq && seq <= Number(last_seq),
        )
          ? [{ chain: addition.chain.id, seq, body, reason: 'arrived after its gap was declared' }]
          : [],
      ),
    );
  }

  async #insertAll(staged: readonly StagedRow[]): Promise<Map<string, number>> {
    if (staged.length === 0) return new Map();
    const copy = this.client.query(copyFrom(`COPY stage (${STAGED}) FROM STDIN`));
    copy.end(staged.map(copyLine).join(''));
    await finished(copy);
    return this.#insertStaged();
  }

  async #insertEach(staged: readonly StagedRow[], unplaced: Unplaced[]): Promise<Map<string, number>> {
    const positions = new Map<string, number>();
    for (const one of staged) {
      await this.client.query('SAVEPOINT one');
      try {
        for (const [uid, position] of await this.#insertAll([one])) positions.set(uid, position);
        await this.client.query('RELEASE SAVEPOINT one');
      } catch (error) {
        if (!isRefusedRow(error)) throw error;
        await this.client.query('ROLLBACK TO SAVEPOINT one');
        unplaced.push({ ...one, reason: (error as Error).message.slice(0, 500) });
      }
    }
    return positions;
  }

  /** Positions are dense: they are given to rows that are really new, under the lock of the one row that counts. */
  async #insertStaged(): Promise<Map<string, number>> {
    const { rows: counters } = await this.client.query<{ next: string }>('SELECT next FROM audit_position FOR UPDATE');
    const first = Number(counters[0]!.next);
    const { rows } = await this.client.query<{ uid: string; position: string }>(
      `INSERT INTO audit_event (${STAGED}, position)
       SELECT ${STAGED}, $1::bigint + row_number() OVER (ORDER BY ordinal) - 1
       FROM (SELECT DISTINCT ON (retention, at, uid) * FROM stage ORDER BY retention, at, uid, ordinal) AS staged
       WHERE NOT EXISTS (
         SELECT FROM audit_event AS present
         WHERE present.retention = staged.retention AND present.at = staged.at AND present.uid = staged.uid)
       ON CONFLICT (retention, at, uid) DO NOTHING
       RETURNING uid, position`,
      [first],
    );
    await this.client.query('UPDATE audit_position SET next = $1', [first + rows.length]);
    return new Map(rows.map(({ uid, position }) => [uid, Number(position)]));
  }

  async #quarantine(unplaced: readonly Unplaced[], now: number): Promise<void> {
    for (const { chain, seq, reason, body } of unplaced) {
      await this.client.query(
        `INSERT INTO audit_quarantine (chain, seq, reason, body, quarantined_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (chain, seq) DO NOTHING`,
        [chain, seq, reason, Buffer.from(body), new Date(now)],
      );
    }
  }

  async #advance(additions: readonly Addition[], now: number): Promise<void> {
    for (const { chain, gap, nextSeq } of additions) {
      if (gap) {
        await this.client.query(
          'INSERT INTO audit_gap (chain, first_seq, last_seq, declared_at) VALUES ($1, $2, $3, $4)',
          [chain.id, gap.first, gap.last, new Date(now)],
        );
      }
      if (nextSeq > chain.nextSeq) {
        await this.client.query('UPDATE audit_chain SET next_seq = $2, committed_at = $3 WHERE id = $1', [
          chain.id,
          nextSeq,
          new Date(now),
        ]);
      }
    }
  }

  async close(): Promise<void> {
    await this.client.end();
  }
}

/** SQLSTATE classes 22 (data), 23 (constraint) and 54 (limit of the program): the row is at fault, not the server. */
export function isRefusedRow(error: unknown): boolean {
  const { code } = error as { readonly code?: unknown };
  return typeof code === 'string' && /^(22|23|54)/.test(code);
}

function readRow(body: Uint8Array): EventRow | UnreadableRecord {
  try {
    return rowOf(body);
  } catch (error) {
    if (error instanceof UnreadableRecord) return error;
    throw error;
  }
}

/** One line of COPY's text format. */
function copyLine({ chain, seq, row, body }: StagedRow): string {
  const values: readonly (string | number | null)[] = [
    row.retention,
    new Date(row.at).toISOString(),
    row.uid,
    chain,
    seq,
    row.tenant,
    row.kind,
    row.typeUid,
    row.actorRef,
    row.app,
    row.resource,
    row.route,
    row.disposition,
    row.status,
    row.requestId,
    row.traceId,
  ];
  const { buffer, byteOffset, byteLength } = body;
  // Hexadecimal needs no escape but the backslash in front of it.
  const bytes = `\\\\x${Buffer.from(buffer, byteOffset, byteLength).toString('hex')}`;
  return `${values.map(copyValue).join('\t')}\t${bytes}\n`;
}

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

function copyValue(value: string | number | null): string {
  return value === null ? '\\N' : String(value).replace(/[\\\t\n\r]/g, (character) => escapes[character]!);
}
