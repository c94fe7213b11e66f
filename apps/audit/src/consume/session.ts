import { finished } from 'node:stream/promises';
import { BatchMemory } from '@sallyport/trail';
import { Client } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { INGEST_ROLE, SCHEMA } from '../store/audit-tables';
import { bytesForRows, COPIED, copiedRows, type PlacedRow } from '../store/copied-rows';
import type { Retention } from '../store/retention';
import { UnreadableRecord, rowOf, type EventRow } from '../store/row';
import type { Placed } from './order';

const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 30_000;
/** What a long outage has made wait is not kept room for. */
const MOST_KEPT_BYTES = 1024 * 1024;

/** What a chain stands at. */
export interface ChainState {
  readonly id: number;
  readonly nextSeq: number;
}

/** A record that was made visible. */
export type Committed = Pick<PlacedRow, 'row' | 'position' | 'body'>;

/** What one transaction adds to one chain. */
export interface Addition {
  readonly chain: ChainState;
  readonly accepted: readonly Placed[];
  readonly repeated: readonly Placed[];
  readonly gap: { readonly first: number; readonly last: number } | undefined;
  readonly nextSeq: number;
}

type ReadRecord = Omit<PlacedRow, 'position'>;

interface Unplaced {
  readonly chain: number;
  readonly seq: number;
  readonly body: Uint8Array;
  readonly reason: string;
}

/**
 * The one connection that writes records. It holds the advisory lock that makes this process the ingester: whoever
 * loses the connection loses the lock, and with it the transaction.
 */
export class IngestSession {
  /** For the rows of the next copy; ten a second, each in memory of its own, were most of what a quiet service asked for. */
  readonly #memory = new BatchMemory(1, MOST_KEPT_BYTES);
  /**
   * The youngest moment that records of a class have had since this session writes them, and before; it may be later than what
   * is there, where a transaction was undone, and never earlier: nobody else writes.
   */
  readonly #youngest = new Map<Retention, number>();

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
        await session.#takeRole();
        return session;
      }
    } catch (error) {
      await client.end();
      throw error;
    }
    await client.end();
    return undefined;
  }

  async #takeRole(): Promise<void> {
    const { rows } = await this.client.query<{ can: boolean }>(
      `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1 AND pg_has_role(oid, 'MEMBER')) AS can`,
      [INGEST_ROLE],
    );
    if (rows[0]!.can) await this.client.query(`SET ROLE ${INGEST_ROLE}`);
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
    const read: ReadRecord[] = [];
    const unplaced: Unplaced[] = [];
    for (const { chain, accepted } of additions) {
      for (const { seq, body } of accepted) {
        const row = readRow(body);
        if (row instanceof UnreadableRecord) unplaced.push({ chain: chain.id, seq, body, reason: row.message });
        else read.push({ chain: chain.id, seq, row, body });
      }
    }
    unplaced.push(...(await this.#lateRecords(additions)));
    const placed = oneByOne ? await this.#placeEach(read, unplaced) : await this.#placeAll(read);
    await this.#quarantine(unplaced, now);
    await this.#advance(additions, now);
    return placed;
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

  /** Positions are dense: they are given to records that are really new, under the lock of the one row that counts. */
  async #placeAll(read: readonly ReadRecord[]): Promise<PlacedRow[]> {
    if (read.length === 0) return [];
    const { rows } = await this.client.query<{ next: string }>('SELECT next FROM audit_position FOR UPDATE');
    const first = Number(rows[0]!.next);
    const placed = (await this.#newOf(read)).map((one, at) => ({ ...one, position: first + at }));
    if (placed.length === 0) return [];
    await this.#copy(placed);
    await this.client.query('UPDATE audit_position SET next = $1', [first + placed.length]);
    return placed;
  }

  async #copy(placed: readonly PlacedRow[]): Promise<void> {
    const room = this.#memory.take(bytesForRows(placed));
    const copy = this.client.query(copyFrom(`COPY audit_event (${COPIED}) FROM STDIN (FORMAT binary)`));
    copy.end(copiedRows(placed, room));
    await finished(copy);
    // Postgres has all of it; what failed may still be on its way.
    this.#memory.give(room);
  }

  /** Records that are not there yet, each once: a producer that was killed may send one again at another place of its chain. */
  async #newOf(read: readonly ReadRecord[]): Promise<ReadRecord[]> {
    const first = new Map<string, ReadRecord>();
    for (const one of read) if (!first.has(keyOf(one.row))) first.set(keyOf(one.row), one);
    for (const key of await this.#presentOf([...first.values()].map(({ row }) => row))) first.delete(key);
    return [...first.values()];
  }

  /** Keys of those that are there. What is younger than all that is there needs no looking up, and most of a batch is. */
  async #presentOf(rows: readonly EventRow[]): Promise<string[]> {
    await this.#learnYoungest(new Set(rows.map(({ retention }) => retention)));
    const doubtful = rows.filter(({ retention, at }) => at <= this.#youngest.get(retention)!);
    for (const { retention, at } of rows) this.#youngest.set(retention, Math.max(at, this.#youngest.get(retention)!));
    if (doubtful.length === 0) return [];
    // Sideways, so that each is looked up by the primary key of its one partition, whatever the planner believes of the rest.
    const { rows: present } = await this.client.query<{ retention: Retention; uid: string }>(
      `SELECT asked.retention, asked.uid FROM unnest($1::text[], $2::timestamptz[], $3::uuid[]) AS asked (retention, at, uid)
       CROSS JOIN LATERAL (
         SELECT FROM audit_event AS event
         WHERE event.retention = asked.retention COLLATE "C" AND event.at = asked.at AND event.uid = asked.uid LIMIT 1) AS present`,
      [
        doubtful.map(({ retention }) => retention),
        doubtful.map(({ at }) => new Date(at).toISOString()),
        doubtful.map(({ uid }) => uid),
      ],
    );
    return present.map(keyOf);
  }

  /** Asks once for each class. */
  async #learnYoungest(classes: Iterable<Retention>): Promise<void> {
    for (const retention of classes) {
      if (this.#youngest.has(retention)) continue;
      const { rows } = await this.client.query<{ at: Date | null }>(
        'SELECT max(at) AS at FROM audit_event WHERE retention = $1',
        [retention],
      );
      this.#youngest.set(retention, rows[0]!.at?.getTime() ?? -Infinity);
    }
  }

  async #placeEach(read: readonly ReadRecord[], unplaced: Unplaced[]): Promise<PlacedRow[]> {
    const placed: PlacedRow[] = [];
    for (const one of read) {
      await this.client.query('SAVEPOINT one');
      try {
        placed.push(...(await this.#placeAll([one])));
        await this.client.query('RELEASE SAVEPOINT one');
      } catch (error) {
        if (!isRefusedRow(error)) throw error;
        await this.client.query('ROLLBACK TO SAVEPOINT one');
        unplaced.push({ ...one, reason: (error as Error).message.slice(0, 500) });
      }
    }
    return placed;
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

/** The moment is part of the uid. */
function keyOf({ retention, uid }: Pick<EventRow, 'retention' | 'uid'>): string {
  return `${retention} ${uid}`;
}
