import type { UpstreamStatus } from '../send/upstreams';

/** Token under which the module provides the status. */
export const INGRESS_STATUS = Symbol('INGRESS_STATUS');

/** What one worker says about itself. */
export interface IngressFacts {
  readonly node: string;
  readonly pid: number;
  readonly revision: string | null;
  readonly exchanges: number;
  readonly sockets: number;
  readonly upstreams: readonly UpstreamStatus[];
}

export interface IngressStatus {
  read(): Promise<IngressSummary>;
  upstreams(): Promise<UpstreamsSummary>;
}

/** One target as all workers together see it. */
export type TargetSummary = UpstreamStatus['targets'][number] & {
  /** Where a worker does not call it for now. */
  readonly leftOut: readonly { readonly node: string; readonly standing: string; readonly waitMs: number }[];
};

export interface UpstreamsSummary {
  readonly upstreams: readonly { readonly id: string; readonly targets: readonly TargetSummary[] }[];
}

/** The ingress as a whole, and each of its workers. */
export interface IngressSummary {
  readonly node: string;
  /** The one every worker runs; null while they differ, or have none. */
  readonly revision: string | null;
  readonly exchanges: number;
  readonly sockets: number;
  readonly workers: readonly Omit<IngressFacts, 'upstreams'>[];
}

/** @param node name of the ingress the workers belong to. */
export function summaryOf(node: string, workers: readonly IngressFacts[]): IngressSummary {
  const revisions = new Set(workers.map(({ revision }) => revision));
  return {
    node,
    revision: revisions.size === 1 ? [...revisions][0]! : null,
    exchanges: workers.reduce((sum, { exchanges }) => sum + exchanges, 0),
    sockets: workers.reduce((sum, { sockets }) => sum + sockets, 0),
    workers: workers
      .map(({ upstreams: _, ...worker }) => worker)
      .sort((one, other) => (one.node < other.node ? -1 : 1)),
  };
}

/** The upstreams of all workers: what they counted together, and how each of them sees a target it leaves out. */
export function upstreamsOf(workers: readonly IngressFacts[]): UpstreamsSummary {
  const ids = [...new Set(workers.flatMap(({ upstreams }) => upstreams.map(({ id }) => id)))].sort();
  const upstreams = ids.map((id) => {
    const seen = workers.flatMap(({ node, upstreams: own }) => {
      const upstream = own.find((one) => one.id === id);
      return upstream ? [{ node, targets: upstream.targets }] : [];
    });
    const targets = seen[0]!.targets.map((_, at) =>
      targetOf(seen.map(({ node, targets: own }) => ({ node, target: own[at] }))),
    );
    return { id, targets };
  });
  return { upstreams };
}

type Seen = { readonly node: string; readonly target: UpstreamStatus['targets'][number] | undefined };

function targetOf(seen: readonly Seen[]): TargetSummary {
  // Workers change their configuration one after the other; who does not have the target yet says nothing of it.
  const known = seen.flatMap(({ node, target }) => (target ? [{ node, target }] : []));
  const sum = (member: 'load' | 'calls' | 'failures' | 'retries' | 'ejections') =>
    known.reduce((total, { target }) => total + target[member], 0);
  const out = known.filter(({ target }) => target.standing !== 'serving' && target.standing !== 'resting');
  const { url, weight, standing } = known[0]!.target;
  return {
    url,
    weight,
    standing: out[0]?.target.standing ?? standing,
    load: sum('load'),
    calls: sum('calls'),
    failures: sum('failures'),
    retries: sum('retries'),
    ejections: sum('ejections'),
    waitMs: Math.max(0, ...known.map(({ target }) => target.waitMs)),
    leftOut: out.map(({ node, target }) => ({ node, standing: target.standing, waitMs: target.waitMs })),
  };
}
