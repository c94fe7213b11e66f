import { refuse, type Refusal, type SnapshotUpstream } from '@sallyport/contracts';
import {
  Balancer,
  canonicalPath,
  type UpstreamPools,
  type UpstreamClient,
  type UpstreamOrigin,
} from '@sallyport/proxy';

/** One target of an upstream, ready to be called. */
export interface Target {
  readonly weight: number;
  readonly client: UpstreamClient;
  /** Path of the target's URL without a slash at its end; goes before every request's path. */
  readonly basePath: string;
}

/** The upstreams of the current configuration with their connections, which outlive any one revision. */
export class Upstreams {
  private balancers = new Map<string, Balancer<Target>>();

  constructor(readonly pools: UpstreamPools) {}

  /**
   * Takes a configuration over; connections that nobody needs any more close after their last exchange.
   * @param modelOrigins where models are called, over the same connections.
   */
  use(upstreams: ReadonlyMap<string, SnapshotUpstream>, modelOrigins: readonly UpstreamOrigin[]): void {
    const balancers = new Map<string, Balancer<Target>>();
    const origins = [...modelOrigins];
    for (const [id, upstream] of upstreams) {
      origins.push(...upstream.targets.map(({ url }) => originOf(upstream, url)));
      balancers.set(id, new Balancer(upstream.targets.map((target) => this.target(upstream, target))));
    }
    this.balancers = balancers;
    this.pools.keepOnly(origins);
  }

  /** @returns a target in its turn, or UPSTREAM_UNREACHABLE when the upstream has none that takes traffic. */
  pick(upstream: string): Target | Refusal {
    return (
      this.balancers.get(upstream)?.pick() ?? refuse('UPSTREAM_UNREACHABLE', {}, { reason: 'no target takes traffic' })
    );
  }

  private target(upstream: SnapshotUpstream, { url, weight }: { url: string; weight: number }): Target {
    const path = canonicalPath(new URL(url).pathname);
    if ('fault' in path) throw new Error(`upstream ${upstream.id}: ${path.fault}`);
    return { weight, client: this.pools.client(originOf(upstream, url)), basePath: path.path.replace(/\/$/, '') };
  }
}

function originOf({ allowPrivate, timeouts }: SnapshotUpstream, url: string): UpstreamOrigin {
  return { url, allowPrivate, connectMs: timeouts.connectMs };
}
