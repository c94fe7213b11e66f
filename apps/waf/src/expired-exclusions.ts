import type { Clock, Snapshot } from '@sallyport/contracts';
import { compilePlan, type Exclusion } from '@sallyport/waf';
import type { Closable } from '@sallyport/platform';
import { planOf } from './rulesets/plans-of';

/** An exclusion that a route still has, though its day is over: what it kept quiet speaks again. */
export interface ExpiredExclusion {
  /** `<service>/<version>/<route>` */
  readonly route: string;
  /** `942190`, `942000-942999` or `tag:attack-sqli`. */
  readonly what: string;
  /** Null: the whole request. */
  readonly target: string | null;
  readonly reason: string;
  /** RFC 3339. */
  readonly expired: string;
}

const LOOK_EVERY_MS = 60_000;

/** Watches the exclusions of a configuration for those that have ended, and tells each of them once. */
export class ExpiredExclusions implements Closable {
  private routes: Snapshot['routes'] = [];
  private found: readonly ExpiredExclusion[] = [];
  private readonly told = new Set<string>();
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly clock: Pick<Clock, 'now'>,
    private readonly tell: (expired: ExpiredExclusion) => void,
  ) {
    this.timer = setInterval(() => this.look(), LOOK_EVERY_MS).unref();
  }

  /** Those that the configuration still has. */
  get list(): readonly ExpiredExclusion[] {
    return this.found;
  }

  follow({ routes }: Pick<Snapshot, 'routes'>): void {
    this.routes = routes;
    this.look();
  }

  look(): void {
    const now = this.clock.now();
    this.found = this.routes.flatMap((route) => {
      const { exclusions } = compilePlan(planOf(route));
      return exclusions.filter(({ expires = now + 1 }) => expires <= now).map((one) => describe(route.id, one));
    });
    const keys = this.found.map((one) => JSON.stringify(one));
    this.found.forEach((one, at) => {
      if (!this.told.has(keys[at]!)) this.tell(one);
    });
    // What is gone and comes back is news again.
    this.told.clear();
    for (const key of keys) this.told.add(key);
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
  }
}

function describe(route: string, { rules, tag, target, reason, expires }: Exclusion): ExpiredExclusion {
  const ids = rules && (rules.from === rules.to ? `${rules.from}` : `${rules.from}-${rules.to}`);
  return {
    route,
    what: ids ?? `tag:${tag ?? ''}`,
    target: target ?? null,
    reason,
    expired: new Date(expires!).toISOString(),
  };
}
