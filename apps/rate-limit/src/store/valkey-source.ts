import type { Redis } from 'ioredis';
import type { Clock } from '@sallyport/contracts';
import type { Draw, Drawn, LimitSource } from '@sallyport/limits';
import { Breaker, DeadlineWheel, type Perishable } from '@sallyport/platform';
import { DRAW } from './scripts';

type Answer = (error: Error | null, reply?: string) => void;
type DrawCommand = (keys: readonly string[], numbers: string, answer: Answer) => void;

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

/** With so many buckets a run is full, so that it holds nobody else up for long: 64 decisions on two buckets each. */
const MOST_KEYS = 128;

/** One decision to be made. */
interface Asked {
  readonly draws: readonly Draw[];
  readonly done: (drawn: Drawn | undefined) => void;
}

/** What a probe draws, on a bucket that nothing else counts in: a replica answers a PING, and cannot count. */
const PROBE: Draw = { key: 'probe', rate: { capacity: 1_000, perRequest: 1, perMillisecond: 1 }, cost: 1 };
/** No tenant of this name exists. */
const PROBE_TENANT = '-';

/** Decisions on buckets of one tenant that are made in one run of the script, in their order; nobody waits for a probe's. */
class Run implements Perishable {
  expires = 0;
  readonly asked: Asked[] = [];
  readonly keys: string[] = [];
  /** Of every decision, with a space between: one argument, because the driver takes as long for each as for a decision. */
  numbers = '';

  add(tenant: string, asked: Asked): void {
    this.asked.push(asked);
    this.draw(tenant, asked.draws);
  }

  draw(tenant: string, draws: readonly Draw[]): void {
    this.numbers += `${draws.length} `;
    for (const { key, rate, cost } of draws) {
      this.keys.push(`sallyport:limits:{${tenant}}:${key}`);
      this.numbers += `${rate.capacity} ${cost * rate.perRequest} ${rate.perMillisecond} `;
    }
  }
}

/**
 * Buckets that several replicas share in Redis or Valkey, everything of a tenant in one slot. What is asked in one turn of
 * the event loop is decided in one run of a script for each tenant, and leaves when the turn ends: a run costs more than a
 * decision. It is waited for 4 ms; after three decisions missed within a second Redis is left alone but for four probes a
 * second.
 */
export class ValkeySource implements LimitSource {
  private readonly command: DrawCommand;
  private readonly wheel: DeadlineWheel<Run>;
  private readonly breaker: Breaker;
  private readonly budgetMs: number;
  private reached: boolean | undefined;
  /** The runs of this turn by tenant, the one that is not full; made anew each turn, see ADR 33. */
  private runs: Map<string, Run> | undefined;

  /** @param redis without an offline queue. */
  constructor(
    private readonly redis: Redis,
    private readonly ports: ValkeyPorts,
  ) {
    const { clock, chance = Math.random, budgetMs = BUDGET_MS } = ports;
    this.budgetMs = budgetMs;
    redis.defineCommand('sallyportDraw', { lua: DRAW });
    const defined = redis as unknown as Record<'sallyportDraw', (...args: unknown[]) => void>;
    this.command = (keys, numbers, answer) => defined.sallyportDraw(keys.length, ...keys, numbers, answer);
    this.wheel = new DeadlineWheel(clock, (run) => this.missed(run));
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
    this.runFor(tenant).add(tenant, { draws, done });
  }

  close(): void {
    this.wheel.close();
    this.breaker.close();
  }

  /** A run of this turn with room for one more decision. */
  private runFor(tenant: string): Run {
    if (!this.runs) {
      this.runs = new Map();
      setImmediate(this.leave);
    }
    const begun = this.runs.get(tenant);
    if (begun && begun.keys.length < MOST_KEYS) return begun;
    if (begun) this.send(begun);
    const run = new Run();
    this.runs.set(tenant, run);
    return run;
  }

  private readonly leave = (): void => {
    const { runs } = this;
    this.runs = undefined;
    for (const run of runs!.values()) this.send(run);
  };

  /** Patience begins when a run leaves (ADR 17). */
  private send(run: Run): void {
    this.wheel.arm(run, this.budgetMs);
    this.command(run.keys, run.numbers, (error, reply) => {
      // What comes late has been decided elsewhere.
      if (run.expires === 0) return;
      this.wheel.disarm(run);
      if (error || reply === undefined) {
        this.note(false, error?.message ?? 'no reply');
        return this.missed(run);
      }
      this.note(true, 'it answers');
      handOut(run, reply);
    });
  }

  private missed({ asked }: Run): void {
    for (const { done } of asked) {
      this.breaker.missed();
      done(undefined);
    }
  }

  private probe(): void {
    // A connection that is not there is no answer; a new one is.
    if (this.redis.status !== 'ready') return;
    const probe = new Run();
    probe.draw(PROBE_TENANT, [PROBE]);
    this.wheel.arm(probe, this.budgetMs);
    this.command(probe.keys, probe.numbers, (error) => {
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

/** Reads what the script says, and tells everybody their part of it. */
function handOut({ asked }: Run, reply: string): void {
  const words = reply.split(' ');
  let at = 0;
  for (const { draws, done } of asked) {
    const taken = words[at++] === '1';
    const debts = draws.map(() => Number(words[at++]));
    done({ taken, debts });
  }
}
