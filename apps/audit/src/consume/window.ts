import { setTimeout as wait } from 'node:timers/promises';
import { auditV1, type Clock } from '@sallyport/contracts';
import { retry, type BusMessage, type Verdict } from '@sallyport/platform';

/** Messages taken into one transaction. */
const WINDOW = 16;
/**
 * A transaction costs the database milliseconds whatever is in it: they begin no closer than this, unless one is full. A fifth
 * of the second after which a record should be found.
 */
const APART_MS = 200;
const RETRY_MS = 1_000;

/** One message of the bus that waits for its verdict. */
export interface Delivery {
  readonly batch: auditV1.Batch;
  readonly answer: (verdict: Verdict) => void;
}

/**
 * Gathers messages for one transaction: what has come while the last one was committed, and in the short time after it, goes
 * into the next. A single record is committed at once, and under load transactions grow.
 */
export class Window {
  #gathered: Delivery[] = [];
  #working = false;

  /**
   * @param commit answers every delivery; when it fails, those it left are retried.
   * @param clock and `pause` tell how far apart transactions are.
   */
  constructor(
    private readonly commit: (deliveries: readonly Delivery[]) => Promise<void>,
    private readonly clock: Pick<Clock, 'monotonic'>,
    private readonly pause: (ms: number) => Promise<unknown> = wait,
  ) {}

  /** The handler of the consumer. */
  readonly take = (message: BusMessage): Promise<Verdict> => {
    const batch = decode(message.data);
    if (!batch) return Promise.resolve({ verdict: 'dead', reason: 'no sallyport.audit.v1.Batch' });
    return new Promise((resolve) => {
      this.#gathered.push({ batch, answer: resolve });
      // One turn later, so that messages delivered together are committed together.
      if (!this.#working) setImmediate(() => void this.#work());
    });
  };

  async #work(): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    while (this.#gathered.length > 0) {
      const since = this.clock.monotonic();
      const deliveries = this.#gathered.splice(0, WINDOW);
      await this.commit(deliveries).catch(() => undefined);
      for (const { answer } of deliveries) answer(retry(RETRY_MS));
      const left = since + APART_MS - this.clock.monotonic();
      if (left > 0 && this.#gathered.length < WINDOW) await this.pause(left);
    }
    this.#working = false;
  }
}

/** `<cluster>/<producer>/<epoch>` */
const CHAIN = /^[^\0]{1,200}$/;

/** What no table takes comes again and again, and takes whatever is in its transaction with it: it is no batch. */
function decode(data: Uint8Array): auditV1.Batch | undefined {
  try {
    const batch = auditV1.Batch.decode(data);
    const { chain, firstSeq, bodies } = batch;
    const isInRange = firstSeq >= 1n && firstSeq + BigInt(bodies.length) <= BigInt(Number.MAX_SAFE_INTEGER);
    return CHAIN.test(chain) && isInRange ? batch : undefined;
  } catch {
    return undefined;
  }
}
