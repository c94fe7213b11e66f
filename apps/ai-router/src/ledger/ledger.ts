import { auditV1, durables, messageHeaders, subjects, type aiV1 } from '@sallyport/contracts';
import { readSettlement } from '@sallyport/ai';
import {
  ack,
  dead,
  retry,
  type BusMessage,
  type Closable,
  type Counter,
  type Runtime,
  type Verdict,
} from '@sallyport/platform';
import { QueryFailedError, type DataSource } from 'typeorm';
import { advanceChain, type Step } from './chains';
import { receipts } from './receipts';

const RETRY_MS = 1_000;

type LedgerRuntime = Pick<Runtime, 'bus' | 'clock' | 'logger' | 'metrics'>;

/** A record of a batch that cannot become a receipt. */
interface Poison {
  readonly seq: number;
  readonly body: Uint8Array;
  readonly reason: string;
}

/**
 * Writes receipts from settled usage, never on the path of a request. Batches come at least once; each settlement becomes
 * one row, and what its producer may trim is said only after the commit.
 */
export class Ledger {
  private readonly written: Counter;
  private readonly refused: Counter;
  private readonly gaps: Counter;

  constructor(
    private readonly dataSource: DataSource,
    private readonly runtime: LedgerRuntime,
  ) {
    const { metrics } = runtime;
    this.written = metrics.counter('sallyport_ai_receipts_total', 'Receipts written');
    this.refused = metrics.counter(
      'sallyport_ai_receipts_refused_total',
      'Usage records that could not become receipts',
    );
    this.gaps = metrics.counter('sallyport_ai_ledger_gap_total', 'Usage records that never came');
  }

  /** Begins to take usage from the bus. */
  async follow(): Promise<Closable> {
    // One at a time, so that confirmations of a chain go out in order.
    const subscription = await this.runtime.bus.consume(
      'SALLYPORT_AI',
      durables.aiLedger,
      (message) => this.take(message),
      { maxUnacknowledged: 1 },
    );
    return { close: () => subscription.stop() };
  }

  private async take(message: BusMessage): Promise<Verdict> {
    const batch = decode(message.data);
    if (!batch) return dead('not a batch of usage records');
    const { settlements, poison } = readBatch(batch);
    try {
      await this.bury(batch.chain, poison);
      const step = await this.keep(batch, settlements);
      await this.confirm(batch.chain, step);
      return ack;
    } catch (error) {
      this.runtime.logger.warn({ chain: batch.chain, err: error }, 'usage could not be written and waits');
      return retry(RETRY_MS);
    }
  }

  private async keep(batch: auditV1.Batch, settlements: readonly Readable[]): Promise<Step> {
    try {
      return await this.commit(batch, settlements);
    } catch (error) {
      if (!isAboutData(error)) throw error;
      // One of them is what Postgres does not take: find it, and keep the others.
      const sound: Readable[] = [];
      for (const candidate of settlements) {
        const reason = await this.problemOf(candidate.settlement);
        if (reason === undefined) sound.push(candidate);
        else await this.bury(batch.chain, [{ ...candidate, reason }]);
      }
      return this.commit(batch, sound);
    }
  }

  private commit(batch: auditV1.Batch, settlements: readonly Readable[]): Promise<Step> {
    const first = Number(batch.firstSeq);
    const range = { first, last: first + batch.bodies.length - 1 };
    return this.dataSource.transaction(async (manager) => {
      const added = await receipts.insert(
        manager,
        settlements.map(({ settlement }) => settlement),
      );
      this.written.add(added);
      return advanceChain(manager, batch.chain, range, this.runtime.clock.now());
    });
  }

  /** @returns why a settlement alone cannot be written, or undefined. */
  private async problemOf(settlement: aiV1.Settlement): Promise<string | undefined> {
    try {
      await receipts.insert(this.dataSource.manager, [settlement]);
      return undefined;
    } catch (error) {
      if (isAboutData(error)) return (error as Error).message;
      throw error;
    }
  }

  /** Sets aside what nobody can read, for a person to look at; the rest of its batch goes on. */
  private async bury(chain: string, poison: readonly Poison[]): Promise<void> {
    for (const { seq, body, reason } of poison) {
      this.refused.add();
      this.runtime.logger.error({ chain, seq, reason }, 'a usage record cannot become a receipt');
      const headers = {
        [messageHeaders.reason]: reason.replace(/[^\x20-\x7e]/g, ' ').slice(0, 512),
        [messageHeaders.subject]: subjects.usageBatch,
      };
      await this.runtime.bus.publish(subjects.messageDied(durables.aiLedger), body, { id: `${chain}:${seq}`, headers });
    }
  }

  private async confirm(chain: string, step: Step): Promise<void> {
    if (step.kind === 'waiting') return;
    if (step.lost > 0) {
      this.gaps.add(step.lost);
      this.runtime.logger.error({ chain, lost: step.lost }, 'usage records never came');
    }
    const confirmation = auditV1.SpoolCommitted.encode({ chain, seq: BigInt(step.seq) }).finish();
    await this.runtime.bus.publish(subjects.usageCommitted, confirmation);
  }
}

interface Readable {
  readonly seq: number;
  readonly body: Uint8Array;
  readonly settlement: aiV1.Settlement;
}

function decode(data: Uint8Array): auditV1.Batch | undefined {
  try {
    const batch = auditV1.Batch.decode(data);
    return batch.chain !== '' && batch.firstSeq >= 1n && batch.bodies.length > 0 ? batch : undefined;
  } catch {
    return undefined;
  }
}

function readBatch({ firstSeq, bodies }: auditV1.Batch): { settlements: Readable[]; poison: Poison[] } {
  const settlements: Readable[] = [];
  const poison: Poison[] = [];
  for (const [index, body] of bodies.entries()) {
    const seq = Number(firstSeq) + index;
    try {
      settlements.push({ seq, body, settlement: readSettlement(body) });
    } catch (error) {
      poison.push({ seq, body, reason: (error as Error).message });
    }
  }
  return { settlements, poison };
}

/** Classes 22 and 23 of SQLSTATE: the values are at fault, and no repetition helps. */
function isAboutData(error: unknown): boolean {
  const code = error instanceof QueryFailedError ? (error.driverError as { code?: string }).code : undefined;
  return code !== undefined && /^2[23]/.test(code);
}
