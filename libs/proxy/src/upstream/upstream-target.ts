import type { SnapshotUpstream } from '@sallyport/contracts';
import type { UpstreamClient } from '../forward';
import { AdaptiveLimit, type AdaptiveLimitParts } from './adaptive-limit';
import { Breaker } from './breaker';
import { HealthCheck } from './health-check';
import { OutlierRecord } from './outlier';
import type { Balanced } from './picker';

/** One target of an upstream, ready to be called. */
export interface UpstreamTarget {
  readonly url: string;
  readonly weight: number;
  readonly client: UpstreamClient;
  /** Path of the target's URL without a slash at its end; goes before every request's path. */
  readonly basePath: string;
}

/** How a target stands, in the words of the status page. */
export type TargetStanding = 'serving' | 'resting' | 'ejected' | 'unhealthy' | 'open';

/** What is known of a target. It is handed from one revision of the configuration to the next as long as the URL stays. */
export class TargetState implements Balanced {
  /** Calls under way. */
  load = 0;
  calls = 0;
  failures = 0;
  retries = 0;
  ejections = 0;
  breaker: Breaker | undefined;
  outlier: OutlierRecord | undefined;
  check: HealthCheck | undefined;
  /** Bounds the calls whose answers have not begun. */
  adaptive: AdaptiveLimit | undefined;

  constructor(public target: UpstreamTarget) {}

  get id(): string {
    return this.target.url;
  }

  get weight(): number {
    return this.target.weight;
  }

  /** Takes the settings of an upstream over, and keeps what is known. */
  use(target: UpstreamTarget, { breaker, health, adaptive }: SnapshotUpstream, parts: AdaptiveLimitParts): void {
    this.target = target;
    if (!breaker) this.breaker = undefined;
    else if (this.breaker) this.breaker.use(breaker);
    else this.breaker = new Breaker(breaker);
    if (!adaptive) this.adaptive = undefined;
    else if (this.adaptive) this.adaptive.use(adaptive);
    else this.adaptive = new AdaptiveLimit(adaptive, parts);
    this.outlier = health?.ejection && (this.outlier ?? new OutlierRecord(health.ejection.windowMs));
    this.check = health?.active && (this.check ?? new HealthCheck());
  }

  standing(now: number): TargetStanding {
    if (this.weight === 0) return 'resting';
    if (this.check && !this.check.healthy) return 'unhealthy';
    if (this.outlier && this.outlier.ejectedUntil > now) return 'ejected';
    return this.breaker?.open ? 'open' : 'serving';
  }
}
