import type { Redis } from 'ioredis';
import type { Clock } from '@sallyport/contracts';
import type { Draw, Drawn, LimitSource } from '@sallyport/limits';
import { DRAW } from './scripts';

type Answer = (error: Error | null, reply?: string[]) => void;
type DrawCommand = (keyCount: number, keysAndArguments: string[], answer: Answer) => void;

/** After a failure Redis is left alone for this long: one decision in each pause waits for it, not every one. */
const PAUSE_MS = 250;

/** Buckets that several replicas share in Redis or Valkey: one script a decision, everything of a tenant in one slot. */
export class ValkeySource implements LimitSource {
  private readonly command: DrawCommand;
  private pausedUntil = 0;
  private reached: boolean | undefined;

  /**
   * @param redis with its own command timeout, and without an offline queue.
   * @param onChange hears when Redis stops or begins to answer, with the reason.
   */
  constructor(
    private readonly redis: Redis,
    private readonly clock: Clock,
    private readonly onChange: (up: boolean, reason: string) => void,
  ) {
    redis.defineCommand('sallyportDraw', { lua: DRAW });
    const defined = redis as unknown as Record<'sallyportDraw', (...args: unknown[]) => void>;
    this.command = (keyCount, keysAndArguments, answer) => defined.sallyportDraw(keyCount, ...keysAndArguments, answer);
  }

  get up(): boolean {
    return this.reached === true && this.redis.status === 'ready';
  }

  draw(tenant: string, draws: readonly Draw[], done: (drawn: Drawn | undefined) => void): void {
    if (draws.length === 0) return done({ taken: true, debts: [] });
    if (this.clock.monotonic() < this.pausedUntil) return done(undefined);
    if (this.redis.status !== 'ready') return this.failed(`the connection is ${this.redis.status}`, done);
    const keys = draws.map(({ key }) => `sallyport:limits:{${tenant}}:${key}`);
    const ticks = draws.flatMap(({ rate, cost }) => [rate.capacity, cost * rate.perRequest, rate.perMillisecond]);
    this.command(keys.length, [...keys, ...ticks.map(String)], (error, reply) => {
      if (error || !reply) return this.failed(error?.message ?? 'no reply', done);
      this.note(true, 'it answers');
      const [taken, ...debts] = reply;
      done({ taken: taken === '1', debts: debts.map(Number) });
    });
  }

  private failed(reason: string, done: (drawn: undefined) => void): void {
    this.pausedUntil = this.clock.monotonic() + PAUSE_MS;
    this.note(false, reason);
    done(undefined);
  }

  private note(up: boolean, reason: string): void {
    if (this.reached === up) return;
    this.reached = up;
    this.onChange(up, reason);
  }
}
