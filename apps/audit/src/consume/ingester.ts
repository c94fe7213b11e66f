import { auditV1, durables, subjects, type Clock } from '@sallyport/contracts';
import {
  ack,
  retry,
  type Bus,
  type Closable,
  type Counter,
  type Gauge,
  type Logger,
  type Metrics,
  type Subscription,
  type Tracer,
} from '@sallyport/platform';
import { arrange, Holes, type Arrangement, type Arrived } from './order';
import { IngestSession, isRefusedRow, type Addition, type ChainState, type Committed } from './session';
import { Window, type Delivery } from './window';
import { traceWork } from './work-trace';

/** How often a process that is not the ingester asks whether it may be. */
const STANDBY_MS = 2_000;
const HOLE_PATIENCE_MS = 60_000;
const HOLE_RETRY_MS = 1_000;
/** Batches that may wait behind holes. More are let go: their producer keeps them and sends them again. */
const EARLY_LIMIT = 256;
const CONSUME = { ackWaitMs: 30_000, maxUnacknowledged: 1_024 } as const;

export interface IngesterOptions {
  readonly databaseUrl: string;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly tracer: Tracer;
  /** How long a hole is waited for; 60 s unless said. */
  readonly holePatienceMs?: number;
  readonly standbyMs?: number;
}

/** Takes batches from the bus and makes their records visible: one process at a time, the others stand by. */
export class Ingester implements Closable {
  readonly #options: IngesterOptions;
  readonly #holes: Holes;
  readonly #window: Window;
  readonly #records: Counter;
  readonly #gaps: Counter;
  readonly #lag: Gauge;
  #session: IngestSession | undefined;
  #subscription: Subscription | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #early = 0;
  #lagSeconds = 0;
  #turning: Promise<void> = Promise.resolve();
  #complained = false;

  constructor(options: IngesterOptions) {
    this.#options = options;
    this.#holes = new Holes(options.holePatienceMs ?? HOLE_PATIENCE_MS);
    this.#window = new Window((deliveries) => this.#commit(deliveries), options.clock);
    const { metrics } = options;
    this.#records = metrics.counter('sallyport_audit_ingested_total', 'Records made visible.');
    this.#gaps = metrics.counter('sallyport_audit_gaps_declared_total', 'Holes in a chain that were given up.');
    this.#lag = metrics.gauge('sallyport_audit_ingest_lag_seconds', 'Age of the oldest record of the last commit.');
    this.#lag.observe(() => this.#lagSeconds);
  }

  /** Whether this process is the ingester. */
  get active(): boolean {
    return this.#session !== undefined;
  }

  /** Seconds between the making of the oldest record of the last commit and its being visible. */
  get lagSeconds(): number {
    return this.#lagSeconds;
  }

  /** Tries to become the ingester, and goes on trying. Resolves after the first try. */
  start(): Promise<void> {
    this.#turning = this.#turning.then(() => this.#turn());
    return this.#turning;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#turning;
    await this.#subscription?.stop();
    const session = this.#session;
    this.#session = undefined;
    await session?.close();
  }

  async #turn(): Promise<void> {
    if (this.#closed) return;
    try {
      if (!this.#session) await this.#takeOver();
    } catch (error) {
      if (!this.#complained) this.#options.logger.warn({ err: error }, 'audit records wait: no database');
      this.#complained = true;
    }
    if (this.#closed) return;
    this.#timer = setTimeout(() => void this.start(), this.#options.standbyMs ?? STANDBY_MS);
    this.#timer.unref();
  }

  async #takeOver(): Promise<void> {
    const { databaseUrl, bus, logger } = this.#options;
    let lost = false;
    const session = await IngestSession.open(databaseUrl, () => {
      lost = true;
      this.#lose();
    });
    if (!session) return;
    if (lost || this.#closed) return session.close();
    this.#session = session;
    this.#complained = false;
    logger.info('this process stores the audit records');
    this.#subscription ??= await bus.consume('SALLYPORT_AUDIT', durables.auditIngest, this.#window.take, CONSUME);
  }

  /** Another process may be the ingester from now on: no message may be taken that it should have. */
  #lose(): void {
    if (!this.#session || this.#closed) return;
    this.#session = undefined;
    this.#options.logger.warn('lost the database connection that stores audit records');
    const subscription = this.#subscription;
    this.#subscription = undefined;
    void subscription?.stop();
  }

  async #commit(deliveries: readonly Delivery[]): Promise<void> {
    const session = this.#session;
    if (!session) throw new Error('this process is not the ingester');
    try {
      await this.#commitWith(session, deliveries, false);
    } catch (error) {
      if (!isRefusedRow(error)) {
        this.#options.logger.warn({ err: error }, 'audit records could not be stored; they come again');
        throw error;
      }
      this.#options.logger.error({ err: error }, 'the database refuses a record; looking for it');
      await this.#commitWith(session, deliveries, true);
    }
  }

  async #commitWith(session: IngestSession, deliveries: readonly Delivery[], oneByOne: boolean): Promise<void> {
    const now = this.#options.clock.now();
    const byChain = groupByChain(deliveries);
    const { arranged, committed } = await session.transaction(async () => {
      const states = await session.chains([...byChain.keys()].sort());
      const arranged = [...byChain].map(([chain, of]) => this.#arrange(chain, states.get(chain)!, of, now));
      return { arranged, committed: await session.add(arranged.map(additionOf), now, oneByOne) };
    });
    for (const one of arranged) this.#answer(one, now);
    if (committed.length > 0) {
      this.#records.add(committed.length);
      traceWork(this.#options.tracer, committed, now);
      this.#lagSeconds = Math.max(
        0,
        (this.#options.clock.now() - Math.min(...committed.map(({ row }) => row.at))) / 1000,
      );
    }
    await this.#tell(arranged, committed);
  }

  #arrange(chain: string, state: ChainState, deliveries: readonly Delivery[], now: number): ArrangedChain {
    const batches: Arrived<Delivery>[] = deliveries.map((delivery) => ({
      mark: delivery,
      firstSeq: Number(delivery.batch.firstSeq),
      bodies: delivery.batch.bodies,
    }));
    return { chain, state, ...arrange(state.nextSeq, batches, this.#holes.isOld(chain, state.nextSeq, now)) };
  }

  #answer({ chain, nextSeq, done, early, gap }: ArrangedChain, now: number): void {
    this.#holes.note(chain, nextSeq, early.length > 0, now);
    if (gap) {
      this.#gaps.add();
      this.#options.logger.error({ chain, ...gap }, 'audit records are missing; a gap was declared');
    }
    for (const delivery of done) delivery.answer(ack);
    for (const delivery of early) {
      // A full consumer would not be given the batch that all of these wait for.
      if (this.#early >= EARLY_LIMIT) {
        delivery.answer(ack);
        continue;
      }
      this.#early++;
      setTimeout(() => this.#early--, HOLE_RETRY_MS).unref();
      delivery.answer(retry(HOLE_RETRY_MS));
    }
  }

  /** Producers may trim; listeners get the records. Neither is needed for anything to be right. */
  async #tell(arranged: readonly ArrangedChain[], committed: readonly Committed[]): Promise<void> {
    const { bus, logger } = this.#options;
    const trimmed = arranged.map(({ chain, nextSeq }) =>
      bus.publish(subjects.auditCommitted, auditV1.SpoolCommitted.encode({ chain, seq: BigInt(nextSeq - 1) }).finish()),
    );
    const heard = bus.announce(committed, ({ row }) => subjects.auditEvent(row.kind, row.tenant), eventOf);
    const outcomes = await Promise.allSettled([...trimmed, heard]);
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed) logger.debug({ err: failed.reason }, 'committed records could not be told of');
  }
}

function eventOf({ row, position, body }: Committed): Uint8Array {
  const { uid, kind, at } = row;
  const event = { uid, kind, atMs: BigInt(at), position: BigInt(position), body: Buffer.from(body) };
  return auditV1.Event.encode(event).finish();
}

type ArrangedChain = Arrangement<Delivery> & { readonly chain: string; readonly state: ChainState };

function additionOf({ state, accepted, repeated, gap, nextSeq }: ArrangedChain): Addition {
  return { chain: state, accepted, repeated, gap, nextSeq };
}

function groupByChain(deliveries: readonly Delivery[]): Map<string, Delivery[]> {
  const groups = new Map<string, Delivery[]>();
  for (const delivery of deliveries) {
    const group = groups.get(delivery.batch.chain);
    if (group) group.push(delivery);
    else groups.set(delivery.batch.chain, [delivery]);
  }
  return groups;
}
