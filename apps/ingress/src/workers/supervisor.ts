import {
  AlreadyReported,
  Asking,
  exitCodes,
  MergedMetrics,
  type EndReason,
  type Logger,
  type Metrics,
  type Readiness,
} from '@sallyport/platform';
import type { Clock } from '@sallyport/contracts';
import type { IngressFacts } from '../admin/status';
import type { FromWorker, ToWorker } from './messages';
import { RespawnPace } from './respawn-pace';

/** A worker as the supervisor sees it. */
export interface WorkerProcess {
  readonly pid: number;
  send(message: ToWorker): void;
  /** Ends it at once: it is not asked. */
  kill(): void;
}

export interface WorkerListener {
  readonly said: (message: FromWorker) => void;
  readonly exited: (code: number | null, signal: string | null) => void;
}

/** Starts the process of one place in the group. */
export type Fork = (slot: number, listener: WorkerListener) => WorkerProcess;

/** Where workers come from. */
export interface WorkerProcesses {
  readonly fork: Fork;
  /** There is time now to get ready for the next fork. */
  prepare(): void;
  /** There will be no other fork. */
  dismiss(): void;
}

export interface SupervisorOptions {
  readonly count: number;
  readonly processes: WorkerProcesses;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** How long a worker may say nothing before its loop counts as stuck; four times what a garbage collection ever takes. */
const SILENCE_MS = 15_000;
/** The same before its first word: a start waits for the bus, thirty seconds on its own, and a busy machine is slow. */
const START_SILENCE_MS = 120_000;
const LOOK_EVERY_MS = 1_000;
/** How long the supervisor waits for a page of metrics before it takes the last one. */
const ANSWER_MS = 1_000;

interface Member {
  readonly number: number;
  readonly slot: number;
  process: WorkerProcess;
  state: Readiness;
  listening: boolean;
  leaving: boolean;
  spoken: boolean;
  /** Monotonic milliseconds of its last word, or of its start. */
  heardAt: number;
}

/**
 * Keeps a number of workers alive and answers for all of them: one readiness, one exposition, one status. It never sees a
 * byte of traffic: the kernel hands connections to the workers, so that nothing a caller sends can hurt it.
 */
export class Supervisor {
  private readonly members = new Map<number, Member>();
  private readonly merged = new MergedMetrics();
  private readonly pages = new Asking<void>();
  private readonly facts = new Asking<IngressFacts>();
  private readonly pace: RespawnPace;
  private readonly deaths;
  private numbers = 0;
  private ending = false;
  private lookedAt: number;
  private readonly watch: NodeJS.Timeout;
  private readonly waiting = new Set<NodeJS.Timeout>();
  private settleStart: ((code: number | undefined) => void) | undefined;
  private gone: Promise<void> | undefined;
  private allGone: (() => void) | undefined;
  /** Whether a worker has ever stood. */
  started = false;

  constructor(private readonly options: SupervisorOptions) {
    const { clock, metrics } = options;
    this.pace = new RespawnPace(clock);
    this.deaths = metrics.counter(
      'sallyport_ingress_worker_deaths_total',
      'Workers that ended without having been told to.',
    );
    metrics.gauge('sallyport_ingress_workers', 'Workers that take traffic.').observe(() => this.serving().length);
    this.lookedAt = clock.monotonic();
    this.watch = setInterval(() => this.look(), LOOK_EVERY_MS);
    this.watch.unref();
  }

  /**
   * Starts the first worker, and the others once it stands: what is wrong with the environment is then said once.
   * @throws AlreadyReported when the first worker could not start and has said why.
   */
  async start(): Promise<void> {
    const code = await new Promise<number | undefined>((resolve) => {
      this.settleStart = resolve;
      this.fork(1);
    });
    this.settleStart = undefined;
    if (code !== undefined) throw new AlreadyReported(code);
    if (this.ending) return;
    for (let slot = 2; slot <= this.options.count; slot++) this.fork(slot);
  }

  /** One worker that takes traffic is enough; a place that is being filled again is no reason to go elsewhere. */
  readiness(): Readiness {
    if (this.ending) return { ready: false, reasons: ['draining'] };
    if (this.serving().length > 0) return { ready: true, reasons: [] };
    const reasons = new Set([...this.members.values()].flatMap(({ state }) => state.reasons));
    return { ready: false, reasons: reasons.size > 0 ? [...reasons] : ['no worker takes traffic yet'] };
  }

  /** The metrics of all workers, of those that have ended, and of the supervisor itself. */
  async exposition(): Promise<string> {
    const asked = [...this.members.values()].map(({ process }) =>
      this.pages.put((ask) => process.send({ what: 'metrics?', ask }), ANSWER_MS),
    );
    await Promise.all(asked);
    const { metrics } = this.options;
    return this.merged.exposition({ text: await metrics.exposition(), merges: metrics.merges() });
  }

  /** Tells every worker to end in order and waits until all have; a worker that does not is ended by its own bound. */
  end(reason: EndReason): Promise<void> {
    this.ending = true;
    return (this.gone ??= this.endAll(reason));
  }

  private async endAll(reason: EndReason): Promise<void> {
    clearInterval(this.watch);
    for (const timer of this.waiting) clearTimeout(timer);
    this.options.processes.dismiss();
    for (const { process } of this.members.values()) process.send({ what: 'end', reason });
    if (this.members.size > 0) await new Promise<void>((resolve) => (this.allGone = resolve));
  }

  /** Ends every worker at once. */
  kill(): void {
    this.ending = true;
    this.options.processes.dismiss();
    for (const { process } of this.members.values()) process.kill();
  }

  private serving(): Member[] {
    return [...this.members.values()].filter(({ listening, leaving, state }) => listening && !leaving && state.ready);
  }

  private fork(slot: number): void {
    const number = ++this.numbers;
    const listener: WorkerListener = {
      said: (message) => this.heard(member, message),
      exited: (code, signal) => this.exited(member, code, signal),
    };
    const member: Member = {
      number,
      slot,
      process: this.options.processes.fork(slot, listener),
      state: { ready: false, reasons: ['starting'] },
      listening: false,
      leaving: false,
      spoken: false,
      heardAt: this.options.clock.monotonic(),
    };
    this.members.set(number, member);
    this.options.logger.info({ worker: slot, pid: member.process.pid }, 'a worker starts');
  }

  private heard(member: Member, message: FromWorker): void {
    member.heardAt = this.options.clock.monotonic();
    member.spoken = true;
    switch (message.what) {
      case 'state':
        member.state = { ready: message.ready, reasons: message.reasons };
        return;
      case 'listening':
        member.listening = true;
        this.started = true;
        this.settleStart?.(undefined);
        return this.getReady();
      case 'ending':
        return this.leaves(member, message.reason);
      case 'metrics':
        this.merged.update(member.number, message.page);
        return this.pages.answer(message.ask, undefined);
      case 'facts':
        return this.facts.answer(message.ask, message.facts);
      case 'everybody?':
        void this.tellEverybody(member, message.ask);
    }
  }

  /** Not before the last place is filled: whatever loads meanwhile takes the processor from those that start. */
  private getReady(): void {
    const filled = [...this.members.values()].filter(({ listening, leaving }) => listening && !leaving);
    if (!this.ending && filled.length === this.options.count) this.options.processes.prepare();
  }

  /** A worker that ends by itself still finishes what it has; its place is filled meanwhile. */
  private leaves(member: Member, reason: EndReason): void {
    if (member.leaving || this.ending || !this.started) return;
    member.leaving = true;
    this.options.logger.error({ worker: member.slot, pid: member.process.pid, reason }, 'a worker ends by itself');
    this.replace(member);
  }

  private exited(member: Member, code: number | null, signal: string | null): void {
    this.members.delete(member.number);
    this.merged.depart(member.number);
    const { logger } = this.options;
    if (code === null && signal === null) logger.error({ worker: member.slot }, 'no process could be started');
    this.settleStart?.(code ?? exitCodes.failed);
    if (this.members.size === 0) this.allGone?.();
    if (this.ending || member.leaving || !this.started) return;
    logger.error({ worker: member.slot, pid: member.process.pid, code, signal }, 'a worker has died');
    this.replace(member);
  }

  private replace({ slot }: Member): void {
    this.deaths.add();
    const delay = this.pace.next();
    if (delay === 0) return this.fork(slot);
    this.options.logger.error({ worker: slot, seconds: delay / 1000 }, 'workers die too often; the next one waits');
    const timer = setTimeout(() => {
      this.waiting.delete(timer);
      this.fork(slot);
    }, delay);
    this.waiting.add(timer);
  }

  /** Ends what has not said a word for too long: its loop is stuck, and nobody else looks at it. */
  private look(): void {
    const now = this.options.clock.monotonic();
    const slept = now - this.lookedAt > 3 * LOOK_EVERY_MS;
    this.lookedAt = now;
    for (const member of this.members.values()) {
      // Whoever was asleep itself has not listened.
      if (slept) member.heardAt = now;
      if (now - member.heardAt < (member.spoken ? SILENCE_MS : START_SILENCE_MS)) continue;
      this.options.logger.error({ worker: member.slot, pid: member.process.pid }, 'a worker is stuck and is ended');
      member.heardAt = now;
      member.process.kill();
    }
  }

  private async tellEverybody(to: Member, ask: number): Promise<void> {
    const asked = [...this.members.values()].map(({ process }) =>
      this.facts.put((number) => process.send({ what: 'facts?', ask: number }), ANSWER_MS),
    );
    const facts = (await Promise.all(asked)).filter((one) => one !== undefined);
    to.process.send({ what: 'everybody', ask, facts });
  }
}
