import type { Clock, RandomBytes, Refusal, SnapshotUpstream } from '@sallyport/contracts';
import { systemTimers } from '@sallyport/ai';
import { refuse } from '@sallyport/contracts';
import { atOnce, type Logger, type Metrics, type Sliced } from '@sallyport/platform';
import {
  canonicalPath,
  UpstreamGroup,
  type GroupParts,
  type TargetChange,
  type TargetStatus,
  type UpstreamOrigin,
  type UpstreamPools,
  type UpstreamTarget,
} from '@sallyport/proxy';
import { UpstreamMetrics } from './upstream-metrics';

export type { UpstreamTarget as Target } from '@sallyport/proxy';

/** What the upstreams of a process work with. */
export interface UpstreamsParts {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** One upstream, as the status page shows it. */
export interface UpstreamStatus {
  readonly id: string;
  readonly targets: readonly TargetStatus[];
}

/**
 * The upstreams of the current configuration. Their connections, and what is known of their targets, outlive any one
 * revision; a request is sent by the revision it was matched in.
 */
export class Upstreams {
  readonly metrics: UpstreamMetrics;
  private current: ReadonlyMap<string, Used> = new Map();
  /** By the upstream as a revision has it, for requests of any revision that is still in use. */
  private readonly groups = new WeakMap<SnapshotUpstream, UpstreamGroup>();
  private readonly parts: GroupParts;

  constructor(
    readonly pools: UpstreamPools,
    private readonly given: UpstreamsParts,
  ) {
    const { clock, random } = given;
    this.metrics = new UpstreamMetrics(given.metrics);
    this.parts = {
      clock,
      timers: systemTimers,
      random: () => fraction(random),
      onChange: (change) => this.tell(change),
    };
  }

  /**
   * Takes a configuration over; connections that nobody needs any more close after their last exchange.
   * @param modelOrigins where models are called, over the same connections.
   * @throws when a target cannot be called; then nothing has changed.
   */
  use(upstreams: ReadonlyMap<string, SnapshotUpstream>, modelOrigins: readonly UpstreamOrigin[]): void {
    const { commit, settle } = atOnce(this.taking(upstreams, modelOrigins));
    commit();
    atOnce(settle());
  }

  /** The same, one upstream a step: what is made ready between requests is taken into use in one step. */
  *taking(
    upstreams: ReadonlyMap<string, SnapshotUpstream>,
    modelOrigins: readonly UpstreamOrigin[],
  ): Sliced<TakenOver> {
    const next = new Map<string, Used>();
    const changed: (() => Used)[] = [];
    const origins = [...modelOrigins];
    for (const upstream of upstreams.values()) {
      const before = this.current.get(upstream.id);
      if (before?.upstream === upstream) {
        next.set(upstream.id, before);
        origins.push(...before.origins);
      } else {
        const ofTargets = upstream.targets.map(({ url }) => originOf(upstream, url));
        changed.push(this.prepare(upstream, ofTargets, before));
        origins.push(...ofTargets);
      }
      yield;
    }
    const before = this.current;
    return {
      commit: () => this.commit(next, changed),
      settle: () => this.settle(before, origins),
    };
  }

  /** @returns what makes it the upstream that is used; until then nothing has changed. */
  private prepare(
    upstream: SnapshotUpstream,
    origins: readonly UpstreamOrigin[],
    before: Used | undefined,
  ): () => Used {
    const text = JSON.stringify(upstream);
    const targets = this.targetsOf(upstream, origins);
    // An upstream that says the same goes on as if nothing had happened.
    if (before?.text === text) return () => ({ ...before, upstream, origins });
    return () => ({ text, upstream, origins, group: this.replace(upstream, targets, before?.group) });
  }

  /** @param next what stays as it is; the changed ones are put beside it. */
  private commit(next: Map<string, Used>, changed: readonly (() => Used)[]): void {
    for (const make of changed) {
      const used = make();
      this.groups.set(used.upstream, used.group);
      next.set(used.upstream.id, used);
    }
    this.current = next;
  }

  /** What can wait until requests have had their turn. */
  private *settle(before: ReadonlyMap<string, Used>, origins: readonly UpstreamOrigin[]): Sliced<void> {
    for (const [id, { group }] of before) {
      if (this.current.get(id)?.group !== group) group.stop();
      yield;
    }
    yield* this.metrics.following(Array.from(this.current.values(), ({ group }) => group));
    this.pools.keepOnly(origins);
  }

  /** The group of an upstream of any revision that was taken over. */
  groupOf(upstream: SnapshotUpstream | undefined): UpstreamGroup | undefined {
    return upstream && this.groups.get(upstream);
  }

  /** @returns a target in its turn, or why there is none, for a call that is made by someone else. */
  pick(upstream: string, key = ''): UpstreamTarget | Refusal {
    const used = this.current.get(upstream);
    return used ? used.group.pick(key) : refuse('UPSTREAM_UNREACHABLE', {}, { reason: 'no such upstream' });
  }

  /** A number from 0 up to, not including, 1. */
  random(): number {
    return this.parts.random();
  }

  status(): UpstreamStatus[] {
    return Array.from(this.current, ([id, { group }]) => ({ id, targets: group.status() }));
  }

  /** Ends what runs by itself, and all connections. */
  async close(): Promise<void> {
    for (const { group } of this.current.values()) group.stop();
    await this.pools.destroy();
  }

  private replace(
    upstream: SnapshotUpstream,
    targets: readonly UpstreamTarget[],
    previous: UpstreamGroup | undefined,
  ): UpstreamGroup {
    const group = new UpstreamGroup(upstream, targets, this.parts, previous);
    group.start();
    return group;
  }

  private targetsOf(upstream: SnapshotUpstream, origins: readonly UpstreamOrigin[]): UpstreamTarget[] {
    return upstream.targets.map(({ url, weight }, at) => {
      const path = canonicalPath(new URL(url).pathname);
      if ('fault' in path) throw new Error(`upstream ${upstream.id}: ${path.fault}`);
      const client = this.pools.client(origins[at]!);
      return { url, weight, client, basePath: path.path.replace(/\/$/, '') };
    });
  }

  private tell({ upstream, target, change, reason }: TargetChange): void {
    const good = change === 'closed' || change === 'returned' || change === 'healthy';
    this.given.logger[good ? 'info' : 'warn']({ upstream, target, change, reason }, 'a target of an upstream changed');
    this.metrics.changed(upstream, change);
  }
}

/** A configuration that was made ready. */
export interface TakenOver {
  /** Takes it into use, in one step. */
  readonly commit: () => void;
  /** What is left to be done then. */
  readonly settle: () => Sliced<void>;
}

interface Used {
  readonly group: UpstreamGroup;
  readonly upstream: SnapshotUpstream;
  readonly origins: readonly UpstreamOrigin[];
  /** What the upstream said when the group was made. */
  readonly text: string;
}

function originOf({ allowPrivate, timeouts, protocol, tls, limits }: SnapshotUpstream, url: string): UpstreamOrigin {
  return {
    url,
    allowPrivate,
    connectMs: timeouts.connectMs,
    ...(protocol === 'http2' && { protocol }),
    ...(tls && { tls }),
    ...(limits && { connections: limits.connections }),
  };
}

function fraction(random: RandomBytes): number {
  const bytes = random(4);
  return (bytes[0]! * 0x1000000 + bytes[1]! * 0x10000 + bytes[2]! * 0x100 + bytes[3]!) / 2 ** 32;
}
