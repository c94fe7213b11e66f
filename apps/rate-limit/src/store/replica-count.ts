import type { Redis } from 'ioredis';
import { ATTEND } from './scripts';

const KEY = 'sallyport:limits:replicas';
const SAY_EVERY_MS = 1_000;
/** A replica that has not said so for this long counts no more. */
const COUNTS_FOR_MS = 3_000;

type AttendCommand = (key: string, replica: string, countsForMs: number) => Promise<number>;

/** How many replicas share the buckets, as Redis last said: what a share is divided by while Redis is away. */
export class ReplicaCount {
  private known = 1;
  private readonly timer: NodeJS.Timeout;
  private readonly attend: AttendCommand;

  /** @param replica unique among the replicas. */
  constructor(
    private readonly redis: Redis,
    private readonly replica: string,
  ) {
    redis.defineCommand('sallyportAttend', { numberOfKeys: 1, lua: ATTEND });
    const defined = redis as unknown as Record<'sallyportAttend', AttendCommand>;
    this.attend = (...args) => defined.sallyportAttend(...args);
    this.timer = setInterval(() => void this.refresh(), SAY_EVERY_MS).unref();
  }

  get count(): number {
    return this.known;
  }

  /** While Redis is away the last number holds. */
  async refresh(): Promise<void> {
    if (this.redis.status !== 'ready') return;
    const count = await this.attend(KEY, this.replica, COUNTS_FOR_MS).catch(() => undefined);
    if (count !== undefined) this.known = Math.max(1, count);
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    if (this.redis.status === 'ready') await this.redis.zrem(KEY, this.replica).catch(() => undefined);
  }
}
