import type { AuditEvent, Receipt, Trail } from '@sallyport/trail';
import type { DataSource, EntityManager } from 'typeorm';
import type { Closable } from './address';
import type { BusLogger } from './bus';

/**
 * The way of a record from the transaction that made it into the trail: a change and its record are written together or
 * not at all, and a relay carries the record on when the transaction is over.
 */

/** Without a nudge rows are found this late, as those of another replica or of a run before. */
const POLL_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
const BATCH = 100;

/** SQL of the table, for a migration of the application that owns the schema. */
export function outboxTableSql(schema: string): string {
  // json, not jsonb: a text of the record may hold \u0000, which jsonb refuses.
  return `CREATE TABLE "${schema}".outbox (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid uuid NOT NULL UNIQUE,
    event json NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
  )`;
}

/**
 * Writes a record beside the change it tells of.
 * @param manager of the transaction that makes the change.
 * @throws Error outside a transaction: the record could then outlive a change that failed.
 */
export async function writeOutbox(manager: EntityManager, schema: string, event: AuditEvent): Promise<void> {
  if (!manager.queryRunner?.isTransactionActive)
    throw new Error('a record is written in the transaction of its change');
  await manager.query(`INSERT INTO "${schema}".outbox (uid, event) VALUES ($1, $2)`, [
    event.uid,
    JSON.stringify(event),
  ]);
}

export interface OutboxRelayOptions {
  readonly dataSource: DataSource;
  readonly schema: string;
  readonly trail: Pick<Trail, 'append' | 'has'>;
  readonly logger: BusLogger;
}

export interface OutboxRelay extends Closable {
  /** Says that a transaction with a record has just been committed. */
  nudge(): void;
}

/**
 * Carries records from the outbox into the trail, and removes each when the disk has it. A record that a crash left in
 * both is recognised by its uid and not written again. Several replicas may relay from one table.
 */
export async function startOutboxRelay(options: OutboxRelayOptions): Promise<OutboxRelay> {
  const relay = new Relay(options);
  relay.start();
  return relay;
}

interface Row {
  readonly position: string;
  readonly event: AuditEvent;
}

class Relay implements OutboxRelay {
  /** Appended by us, and not yet known to be removed from the table. */
  private readonly receipts = new Map<string, Receipt>();
  private nudged = false;
  private closed = false;
  private failures = 0;
  private endPause: () => void = () => undefined;
  private loop: Promise<void> = Promise.resolve();

  constructor(private readonly options: OutboxRelayOptions) {}

  start(): void {
    this.loop = this.relayUntilClosed();
  }

  nudge(): void {
    this.nudged = true;
    // After a failure the next change would only meet the same trouble: that pause is not cut short.
    if (this.failures === 0) this.endPause();
  }

  async close(): Promise<void> {
    this.closed = true;
    this.endPause();
    await this.loop;
  }

  private async relayUntilClosed(): Promise<void> {
    while (!this.closed) {
      this.nudged = false;
      const delay = await this.relayAll();
      if (!this.closed && !(this.nudged && this.failures === 0)) await this.pause(delay);
    }
  }

  /** @returns how long to wait, in milliseconds. */
  private async relayAll(): Promise<number> {
    try {
      for (let rows = BATCH; rows === BATCH && !this.closed;) rows = await this.relayBatch();
      this.failures = 0;
      return POLL_MS;
    } catch (error) {
      const delay = Math.min(POLL_MS * 2 ** this.failures++, LONGEST_PAUSE_MS);
      const { schema, logger } = this.options;
      const reason = error instanceof Error ? error.message : String(error);
      logger.warn({ schema, reason, nextTryMs: delay }, 'records wait in the outbox');
      return delay;
    }
  }

  /** @returns how many rows there were. */
  private async relayBatch(): Promise<number> {
    const { dataSource, schema } = this.options;
    const batch = await dataSource.transaction(async (manager) => {
      const rows: Row[] = await manager.query(
        `SELECT position, event FROM "${schema}".outbox ORDER BY position LIMIT ${BATCH} FOR UPDATE SKIP LOCKED`,
      );
      if (rows.length === 0) return { rows, done: rows, outcomes: [] };
      // All are appended before the first is waited for: they share a sync.
      const outcomes = await Promise.allSettled(rows.map(({ event }) => this.append(event)));
      const done = rows.filter((_, index) => outcomes[index]!.status === 'fulfilled');
      const positions = done.map(({ position }) => position);
      await manager.query(`DELETE FROM "${schema}".outbox WHERE position = ANY($1)`, [positions]);
      return { rows, done, outcomes };
    });
    for (const { event } of batch.done) this.receipts.delete(event.uid);
    const failed = batch.outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed) throw failed.reason;
    return batch.rows.length;
  }

  /** Resolves when the disk has the record, whichever try put it into the trail. */
  private async append(event: AuditEvent): Promise<void> {
    const { trail } = this.options;
    const earlier = this.receipts.get(event.uid);
    // Of an earlier run: the spool was read from the disk, so the disk has it.
    if (!earlier && trail.has(event.uid)) return;
    const receipt = earlier ?? trail.append(event);
    this.receipts.set(event.uid, receipt);
    try {
      await receipt.durable;
    } catch (error) {
      // Refused, so it may be handed over again.
      this.receipts.delete(event.uid);
      throw error;
    }
  }

  private pause(delay: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, delay);
      this.endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
