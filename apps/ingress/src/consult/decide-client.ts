import type { Clock } from '@sallyport/contracts';
import type { Closable, Logger, Metrics } from '@sallyport/platform';
import type { Consult, Silence } from './consult';
import { DeadlineWheel } from './deadline-wheel';
import { DecideStream, type DecideProtocol, type StreamHost } from './decide-stream';
import { Replicas, resolveTarget, type Resolve } from './replicas';

/** Consults under way per service; beyond it the fallback answers at once instead of a queue growing. */
const WINDOW = 4_096;

export interface ConsultRuntime {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** From 0 up to 1: jitter of reconnects. */
  readonly chance?: () => number;
  readonly resolve?: Resolve;
}

export interface DecideClientOptions<Ask, Answer> {
  /** Label of the metrics: auth, rate-limit, waf, ai-router. */
  readonly service: string;
  /** `dns:///host:port`, every address of which is a replica, or `unix:/path`. */
  readonly target: string;
  readonly protocol: DecideProtocol<any, any, Ask, Answer>; // eslint-disable-line @typescript-eslint/no-explicit-any
  readonly runtime: ConsultRuntime;
  readonly window?: number;
}

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5];

/** Asks one decision service: one stream per replica, the one with the least outstanding is asked. */
export class DecideClient<Ask, Answer> implements Closable {
  private readonly replicas: Replicas<DecideStream<Ask, Answer>>;
  private readonly streams = new Set<DecideStream<Ask, Answer>>();
  private readonly wheel: DeadlineWheel<Consult<Ask, Answer>>;
  private readonly window: number;
  private underWay = 0;
  private wasUp = false;

  constructor(private readonly options: DecideClientOptions<Ask, Answer>) {
    const { service, target, protocol, runtime } = options;
    const { clock, metrics } = runtime;
    this.window = options.window ?? WINDOW;
    this.wheel = new DeadlineWheel(clock, (consult) => this.giveUp(consult));
    const host = this.hostOf(service, runtime);
    this.replicas = new Replicas(
      target,
      (address) => {
        const stream = new DecideStream(address, protocol, host);
        this.streams.add(stream);
        return stream;
      },
      runtime.resolve ?? resolveTarget,
    );
    // Several workers answer as one: it is up, or down, when it is so for all of them.
    const labels = ['dependency', 'state'];
    const state = metrics.gauge('sallyport_dependency_state', '1 for the state a dependency is in.', labels, 'min');
    state.observe(() => (this.state() === 'up' ? 1 : 0), { dependency: service, state: 'up' });
    state.observe(() => (this.state() === 'up' ? 0 : 1), { dependency: service, state: 'down' });
  }

  state(): 'up' | 'down' {
    return this.leastBusy() ? 'up' : 'down';
  }

  /**
   * Gives a consult a stream and an id; then ask with `send`.
   * @param budgetMs how long to wait for the first answer.
   * @returns why it cannot be asked, or undefined when it is under way.
   */
  begin(consult: Consult<Ask, Answer>, budgetMs: number): Silence | undefined {
    if (this.underWay >= this.window) return 'full';
    const stream = this.leastBusy();
    if (!stream) return 'down';
    this.underWay++;
    consult.startedAt = this.options.runtime.clock.monotonic();
    stream.begin(consult);
    this.wheel.arm(consult, budgetMs);
    return undefined;
  }

  /** Begins to wait anew: the next answer is due within `budgetMs`. */
  due(consult: Consult<Ask, Answer>, budgetMs: number): void {
    this.wheel.arm(consult, budgetMs);
  }

  /** Sends on the consult's own stream; when that is impossible the consult ends unanswered. */
  send(consult: Consult<Ask, Answer>, ask: Ask, bytes: number): void {
    if (consult.stream!.send(ask, bytes)) return;
    consult.stream!.end(consult, false);
    consult.unanswered('full');
  }

  /** Sends what wants no answer. @returns false when no replica could be told. */
  tell(ask: Ask, bytes: number): boolean {
    return this.leastBusy()?.send(ask, bytes) ?? false;
  }

  async close(): Promise<void> {
    this.replicas.close();
    this.wheel.close();
    for (const stream of [...this.streams]) stream.close();
  }

  private leastBusy(): DecideStream<Ask, Answer> | undefined {
    let best: DecideStream<Ask, Answer> | undefined;
    for (const stream of this.replicas) {
      if (stream.up && (!best || stream.outstanding < best.outstanding)) best = stream;
    }
    return best;
  }

  private giveUp(consult: Consult<Ask, Answer>): void {
    consult.stream!.end(consult, false);
    consult.unanswered('slow');
  }

  private hostOf(service: string, { clock, logger, metrics, chance }: ConsultRuntime): StreamHost<Ask, Answer> {
    const labels = { service };
    const seconds = metrics.histogram(
      'sallyport_consult_seconds',
      'Time from a question to its last answer.',
      SECONDS,
      ['service'],
    );
    const late = metrics.counter('sallyport_consult_late_total', 'Answers that nobody waited for any more.', [
      'service',
    ]);
    return {
      clock,
      chance: chance ?? Math.random,
      onStateChange: () => this.noteState(),
      onEnd: (consult, answered) => {
        this.underWay--;
        if (answered) seconds.record((clock.monotonic() - consult.startedAt) / 1000, labels);
      },
      onLate: () => late.add(1, labels),
      onFailure: (address, detail) => logger.debug({ service, address, detail }, 'a decide stream broke'),
      onGone: (stream) => this.streams.delete(stream),
    };
  }

  /** Tells the operator once per change, not once per failed attempt. */
  private noteState(): void {
    const up = this.state() === 'up';
    if (up === this.wasUp) return;
    this.wasUp = up;
    const { service, target, runtime } = this.options;
    if (up) runtime.logger.info({ service, target }, `${service} answers`);
    else runtime.logger.warn({ service, target }, `${service} is down: the availability contract applies`);
  }
}
