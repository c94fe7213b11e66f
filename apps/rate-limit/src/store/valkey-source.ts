import type { Redis } from 'ioredis';
import type { Clock } from '@sallyport/contracts';
import type { Draw, Drawn, LimitSource } from '@sallyport/limits';
import { Breaker, DeadlineWheel, type Perishable } from '@sallyport/platform';
import { DRAW } from './scripts';

type Answer = (error: Error | null, reply?: string[]) => void;
type DrawCommand = (keyCount: number, keysAndArguments: string[], answer: Answer) => void;

/**
 * How long one decision waits for Redis: less than the 5 ms for which an ingress waits for the decision. With the same time
 * for both the ingress would give up first, and two shares of one limit would be taken where one is enough.
 */
const BUDGET_MS = 4;

export interface ValkeyPorts {
  readonly clock: Clock;
  /** From 0 up to 1: jitter of the probes. */
  readonly chance?: () => number;
  /** Hears when Redis stops or begins to answer in time, with the reason. */
  readonly onChange: (up: boolean, reason: string) => void;
  /** Default 4 ms. */
  readonly budgetMs?: number;
}

/** One decision under way. */
class Pending implements Perishable {
  expires = 0;
  constructor(readonly done: (drawn: Drawn | undefined) => void) {}
}

/**
 * Buckets that several replicas share in Redis or Valkey: one script a decision, everything of a tenant in one slot. A
 * decision waits 4 ms for it; after three misses within a second Redis is left alone but for four probes a second.
 */
export class ValkeySource implements LimitSource {
  private readonly command: DrawCommand;
  private readonly wheel: DeadlineWheel<Pending>;
  private readonly breaker: Breaker;
  private readonly budgetMs: number;
  private reached: boolean | undefined;

  /** @param redis without an offline queue. */
  constructor(
    private readonly redis: Redis,
    private readonly ports: ValkeyPorts,
  ) {
    const { clock, chance = Math.random, budgetMs = BUDGET_MS } = ports;
    this.budgetMs = budgetMs;
    redis.defineCommand('sallyportDraw', { lua: DRAW });
    const defined = redis as unknown as Record<'sallyportDraw', (...args: unknown[]) => void>;
    this.command = (keyCount, keysAndArguments, answer) => defined.sallyportDraw(keyCount, ...keysAndArguments, answer);
    this.wheel = new DeadlineWheel(clock, (pending) => this.missed(pending));
    this.breaker = new Breaker({
      clock,
      chance,
      probe: () => this.probe(),
      changed: (open) => this.note(!open, open ? `no answer within ${budgetMs} ms, three times` : 'it answers'),
    });
  }

  /** Whether the next decision will be asked of Redis. */
  get up(): boolean {
    return this.redis.status === 'ready' && !this.breaker.open;
  }

  draw(tenant: string, draws: readonly Draw[], done: (drawn: Drawn | undefined) => void): void {
    if (draws.length === 0) return done({ taken: true, debts: [] });
    if (this.breaker.open) return done(undefined);
    if (this.redis.status !== 'ready') {
      this.note(false, `the connection is ${this.redis.status}`);
      return done(undefined);
    }
    const keys = draws.map(({ key }) => `sallyport:limits:{${tenant}}:${key}`);
    const ticks = draws.flatMap(({ rate, cost }) => [rate.capacity, cost * rate.perRequest, rate.perMillisecond]);
    const pending = new Pending(done);
    this.wheel.arm(pending, this.budgetMs);
    this.command(keys.length, [...keys, ...ticks.map(String)], (error, reply) => {
      // What comes late has been decided elsewhere.
      if (pending.expires === 0) return;
      this.wheel.disarm(pending);
      if (error || !reply) {
        this.note(false, error?.message ?? 'no reply');
        return this.missed(pending);
      }
      this.note(true, 'it answers');
      const [taken, ...debts] = reply;
      done({ taken: taken === '1', debts: debts.map(Number) });
    });
  }

  close(): void {
    this.wheel.close();
    this.breaker.close();
  }

  private missed({ done }: Pending): void {
    this.breaker.missed();
    done(undefined);
  }

  private probe(): void {
    // A connection that is not there is no answer; a new one is.
    if (this.redis.status !== 'ready') return;
    const probe = new Pending(() => {});
    this.wheel.arm(probe, this.budgetMs);
    void this.redis.ping((error) => {
      if (probe.expires === 0) return;
      this.wheel.disarm(probe);
      if (!error) this.breaker.answered();
    });
  }

  private note(up: boolean, reason: string): void {
    if (this.reached === up) return;
    this.reached = up;
    this.ports.onChange(up, reason);
  }
}
