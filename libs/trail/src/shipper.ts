import type { Clock } from '@sallyport/contracts';
import { BatchMemory } from './batch-memory';
import type { ChainFiles, Run } from './chain-files';
import { nodeScheduler } from './node-ports';
import type { Scheduler } from './ports';
import { batchBytes, sealBatch } from './sealed-batch';
import type { Spool } from './spool';

const LIMITS = { records: 256, bytes: 256 * 1024 } as const;
/** Batches that may be on their way at the same time. */
const PIPELINE = 4;
const REPEAT_MS = 15_000;
const REPEAT_LIMIT_MS = 240_000;
/** Batches published again at once: the stream most likely still has them, and only the consumer is late. */
const REPEAT_BATCHES = 16;
const RETRY_MS = 250;
const RETRY_LIMIT_MS = 5_000;
const CLOSE_MS = 5_000;
/**
 * Between one turn of shipping and the next: under load records go in batches, where each would wake the disk, the bus and the
 * database by itself; what a batch costs hardly depends on what is in it. After a pause the first one goes at once. A tenth
 * of the second after which a record should be found.
 */
const REST_MS = 100;

export interface ShipperOptions {
  readonly spool: Spool;
  readonly clock: Clock;
  readonly scheduler?: Scheduler;
  /**
   * Publishes a `sallyport.audit.v1.Batch` and resolves when the bus has it and needs these bytes no more. Without an id the bus must take it even
   * when it took the same before.
   */
  readonly publish: (batch: Uint8Array, id: string | undefined) => Promise<void>;
  /** Told when the bus begins to fail, with the error, and once it works again, with undefined. */
  readonly onBus?: (error: unknown) => void;
}

export interface Shipper {
  /** The consumer has committed a chain up to `seq`. */
  committed(chain: string, seq: number): void;
  /** Records that are durable here and not yet committed there, over all chains. */
  waiting(): number;
  /** Ships what is there for up to 5 s; the rest goes out after the next start. */
  close(): Promise<void>;
}

/** How far one chain has come. */
interface Progress {
  readonly files: ChainFiles;
  published: number;
  committed: number;
  /** Monotonic milliseconds of the last step forward, or of the last repetition. */
  since: number;
  /** How long to wait for the next step forward before batches are published again. */
  patience: number;
}

/**
 * Publishes what the spool has on disk: it reads the files, never memory, so that a record is sent only once it
 * cannot be lost any more, and so that a restart goes on in the same way. It works in order, and on its own turns of
 * the event loop; reading is asynchronous.
 */
export function startShipper(options: ShipperOptions): Shipper {
  const { spool, clock, publish, onBus, scheduler = nodeScheduler } = options;
  const progress = new Map<string, Progress>();
  const memory = new BatchMemory(PIPELINE, 2 * LIMITS.bytes);
  let running: Promise<void> | undefined;
  let again = false;
  let closing = false;
  let failures = 0;
  let cancelTimer: (() => void) | undefined;
  let cancelRest: (() => void) | undefined;

  function progressOf(files: ChainFiles): Progress {
    let known = progress.get(files.chain);
    // Files that are others under the same name: the chain goes on in a folder that was lost and claimed again.
    if (known?.files !== files) {
      const before = (files.firstSeq ?? 1) - 1;
      const since = clock.monotonic();
      known = { files, published: before, committed: before, since, patience: REPEAT_MS };
      progress.set(files.chain, known);
    }
    return known;
  }

  function lastOf(files: ChainFiles): number {
    return files.chain === spool.chain ? spool.durableThrough : (files.segments.at(-1)?.lastSeq ?? 0);
  }

  function wake(): void {
    if (running || cancelRest) {
      again = true;
      return;
    }
    again = false;
    cancelTimer?.();
    cancelTimer = undefined;
    running = ship()
      .catch(failed)
      .finally(() => {
        running = undefined;
        if (!closing) rest();
      });
  }

  function rest(): void {
    cancelRest = scheduler.after(REST_MS, () => {
      cancelRest = undefined;
      if (again) wake();
      else waitForMore();
    });
  }

  /** A timer runs only while something is under way. */
  function waitForMore(): void {
    if (failures > 0) {
      const wait = Math.min(RETRY_LIMIT_MS, RETRY_MS * 2 ** Math.min(failures - 1, 10));
      cancelTimer = scheduler.after(wait, wake);
    } else if (waiting() > 0) {
      const dues = [...progress.values()].map(({ since, patience }) => since + patience);
      cancelTimer = scheduler.after(Math.max(1, Math.min(...dues) - clock.monotonic()), wake);
    }
  }

  /** Ended chains first. When the bus fails, those behind wait, too. */
  async function ship(): Promise<void> {
    forgetOthers();
    for (const files of spool.chains) {
      const chain = progressOf(files);
      if (isStuck(chain) && !(await repeat(chain))) return;
      if (!(await shipNew(chain))) return;
    }
  }

  /** Chains may have gone with a folder that was lost. */
  function forgetOthers(): void {
    const { chains } = spool;
    if (progress.size <= chains.length) return;
    for (const name of progress.keys()) if (!chains.some(({ chain }) => chain === name)) progress.delete(name);
  }

  function isStuck({ committed, published, since, patience }: Progress): boolean {
    return committed < published && clock.monotonic() - since >= patience;
  }

  /** Without ids: within two minutes the stream would take them for duplicates, though nobody committed them. */
  function repeat(chain: Progress): Promise<boolean> {
    chain.since = clock.monotonic();
    chain.patience = Math.min(chain.patience * 2, REPEAT_LIMIT_MS);
    const through = Math.min(chain.published, chain.committed + REPEAT_BATCHES * LIMITS.records);
    return sendRange(chain, chain.committed + 1, through, false);
  }

  async function shipNew(chain: Progress): Promise<boolean> {
    if (chain.published === chain.committed) chain.since = clock.monotonic();
    // Not what becomes durable meanwhile: that would be one small batch for each sync, and no rest between two of them.
    return sendRange(chain, chain.published + 1, lastOf(chain.files), true);
  }

  async function sendRange(chain: Progress, from: number, through: number, fresh: boolean): Promise<boolean> {
    const flying: { readonly last: number; readonly sent: Promise<boolean> }[] = [];
    let next = from;
    let good = true;
    const land = async () => {
      const { last, sent } = flying.shift()!;
      good = (await sent) && good;
      if (good && fresh) chain.published = last;
    };
    while (good) {
      const run = await chain.files.read(next, through, LIMITS);
      if (!run) break;
      next = run.firstSeq + run.bodies.length;
      flying.push({ last: next - 1, sent: send(chain.files.chain, run, fresh) });
      if (flying.length >= PIPELINE) await land();
    }
    while (flying.length > 0) await land();
    return good;
  }

  async function send(chain: string, run: Run, fresh: boolean): Promise<boolean> {
    const last = run.firstSeq + run.bodies.length - 1;
    const batch = memory.take(batchBytes(chain, run));
    try {
      await publish(sealBatch(batch, chain, run), fresh ? `${chain}:${run.firstSeq}-${last}` : undefined);
    } catch (error) {
      failed(error);
      return false;
    }
    // What the bus could not take it may still be trying to send.
    memory.give(batch);
    if (failures > 0) onBus?.(undefined);
    failures = 0;
    return true;
  }

  function failed(error: unknown): void {
    if (failures++ === 0) onBus?.(error);
  }

  function waiting(): number {
    return spool.chains.reduce((sum, files) => sum + Math.max(0, lastOf(files) - progressOf(files).committed), 0);
  }

  function committed(name: string, seq: number): void {
    const chain = progress.get(name);
    if (!chain || seq <= chain.committed) return;
    chain.committed = seq;
    chain.published = Math.max(chain.published, seq);
    chain.since = clock.monotonic();
    chain.patience = REPEAT_MS;
    if (name !== spool.chain && seq >= lastOf(chain.files)) progress.delete(name);
    void spool.committed(name, seq);
  }

  const stopListening = spool.onDurable(wake);
  wake();

  return {
    committed,
    waiting,
    async close() {
      stopListening();
      closing = true;
      cancelTimer?.();
      cancelRest?.();
      await new Promise<void>((resolve) => {
        const cancel = scheduler.after(CLOSE_MS, resolve);
        void (async () => {
          await spool.flush();
          await running;
          if (failures === 0) await ship().catch(failed);
          cancel();
          resolve();
        })();
      });
    },
  };
}
