import type { Clock, WireWriter } from '@sallyport/contracts';
import { DeadlineWheel, type Closable, type Logger, type Metrics } from '@sallyport/platform';
import type { Consult, Silence } from './consult';
import { DecideStream, type DecideProtocol, type StreamHost } from './decide-stream';
import { homeOf } from './home';
import { Replicas, resolveTarget, type Resolve } from './replicas';

/** Consults under way per service; beyond it the fallback answers at once instead of a queue growing. */
const WINDOW = 4_096;

export interface ConsultRuntime {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** From 0 up to 1: jitter of reconnects and probes. */
  readonly chance?: () => number;
  /** The wheel that several clients share; one of its own where there is none. */
  readonly wheel?: DeadlineWheel<Consult>;
  readonly resolve?: Resolve;
}

export interface DecideClientOptions {
  /** Label of the metrics: auth, rate-limit, waf, ai-router. */
  readonly service: string;
  /** `dns:///host:port`, every address of which is a replica, or `unix:/path`. */
  readonly target: string;
  readonly protocol: DecideProtocol;
  /** What a probe may take. */
  readonly budgetMs: number;
  readonly runtime: ConsultRuntime;
  readonly window?: number;
}

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5];

/** One wheel for every consult of a process: its ticks cost the same however many clients turn it. */
export function consultWheel(clock: Clock): DeadlineWheel<Consult> {
  return new DeadlineWheel(clock, (consult) => consult.stream!.giveUp(consult));
}

/** Asks one decision service over one stream per replica. */
export class DecideClient implements Closable {
  private readonly replicas: Replicas<DecideStream>;
  private readonly streams = new Set<DecideStream>();
  private readonly wheel: DeadlineWheel<Consult>;
  private readonly window: number;
  private underWay = 0;
  private wasUp = false;
  private closing = false;

  constructor(private readonly options: DecideClientOptions) {
    const { service, target, protocol, runtime } = options;
    const { clock, metrics } = runtime;
    this.window = options.window ?? WINDOW;
    this.wheel = runtime.wheel ?? consultWheel(clock);
    const host = this.hostOf(options);
    this.replicas = new Replicas(
      target,
      (address) => {
        const stream = new DecideStream(address, protocol, host);
        this.streams.add(stream);
        return stream;
      },
      runtime.resolve ?? resolveTarget,
      (address, error) => runtime.logger.error({ err: error, service, address }, 'a replica cannot be connected to'),
    );
    const state = metrics.gauge('sallyport_dependency_state', '1 for the state a dependency is in.', [
      'dependency',
      'state',
    ]);
    state.observe(() => (this.state() === 'up' ? 1 : 0), { dependency: service, state: 'up' });
    state.observe(() => (this.state() === 'up' ? 0 : 1), { dependency: service, state: 'down' });
  }

  state(): 'up' | 'down' {
    return this.leastBusy() ? 'up' : 'down';
  }

  /** Replicas that are known, whether they answer or not. */
  get size(): number {
    return this.replicas.size;
  }

  /**
   * Gives a consult a stream and an id; then ask with `send`.
   * @param budgetMs how long to wait for the first answer.
   * @param home the replica to ask, or nobody, from `homeOf`; any that answers unless said.
   * @returns why it cannot be asked, or undefined when it is under way.
   */
  begin(consult: Consult, budgetMs: number, home?: DecideStream): Silence | undefined {
    if (this.underWay >= this.window) return 'full';
    const stream = home ?? this.leastBusy();
    if (!stream?.up) return 'down';
    stream.begin(consult, budgetMs);
    return undefined;
  }

  /** The replica a key lives at, also while it is away: then nobody else knows what was counted. */
  homeOf(key: string): DecideStream | undefined {
    return homeOf(key, this.replicas);
  }

  /**
   * Sends on the consult's own stream; when that is impossible the consult ends unanswered.
   * @param always also when the queue is full: for those who ask `isClogged` after each and then wait.
   */
  send<One, Two>(
    consult: Consult,
    write: (writer: WireWriter, id: number, one: One, two: Two) => void,
    one: One,
    two: Two,
    always = false,
  ): void {
    if (consult.stream!.send(write, consult.id, one, two, always)) return;
    consult.stream!.end(consult);
    consult.unanswered('full');
  }

  /** Sends what wants no answer. @returns false when no replica could be told. */
  tell<One>(write: (writer: WireWriter, id: number, one: One, two: undefined) => void, one: One): boolean {
    return this.leastBusy()?.send(write, 0, one, undefined) ?? false;
  }

  async close(): Promise<void> {
    this.closing = true;
    this.replicas.close();
    if (!this.options.runtime.wheel) this.wheel.close();
    for (const stream of [...this.streams]) stream.close();
  }

  private leastBusy(): DecideStream | undefined {
    let best: DecideStream | undefined;
    for (const stream of this.replicas) {
      if (stream.up && (!best || stream.outstanding < best.outstanding)) best = stream;
    }
    return best;
  }

  private hostOf({ service, budgetMs, runtime }: DecideClientOptions): StreamHost {
    const { clock, logger, metrics, chance = Math.random } = runtime;
    const labels = { service };
    const seconds = metrics.histogram(
      'sallyport_consult_seconds',
      'Time from a question to its answer; one question of each message of answers.',
      SECONDS,
      ['service'],
    );
    const late = metrics.counter('sallyport_consult_late_total', 'Answers that nobody waited for any more.', [
      'service',
    ]);
    return {
      clock,
      chance,
      budgetMs,
      onStateChange: () => this.noteState(),
      onSent: (consult, now) => this.wheel.armAt(consult, now, consult.budgetMs),
      onHeard: (consult) => this.wheel.disarm(consult),
      onBegin: () => this.underWay++,
      onEnd: () => this.underWay--,
      onReply: (sentAt) => seconds.record((clock.monotonic() - sentAt) / 1000, labels),
      onLate: () => late.add(1, labels),
      onFailure: (address, detail) => logger.debug({ service, address, detail }, 'a decide stream broke'),
      onDefect: (error) => logger.error({ err: error, service }, 'what followed an answer failed'),
      onGone: (stream) => this.streams.delete(stream),
    };
  }

  /** Tells the operator once per change, not once per failed attempt; that we hang up ourselves is no news. */
  private noteState(): void {
    const up = this.state() === 'up';
    if (up === this.wasUp || this.closing) return;
    this.wasUp = up;
    const { service, target, runtime } = this.options;
    if (up) runtime.logger.info({ service, target }, `${service} answers`);
    else runtime.logger.warn({ service, target }, `${service} does not answer`);
  }
}
