/** Token under which the module provides the status. */
export const INGRESS_STATUS = Symbol('INGRESS_STATUS');

/** What one worker says about itself. */
export interface IngressFacts {
  readonly node: string;
  readonly pid: number;
  readonly revision: string | null;
  readonly exchanges: number;
  readonly sockets: number;
}

export interface IngressStatus {
  read(): Promise<IngressSummary>;
}

/** The ingress as a whole, and each of its workers. */
export interface IngressSummary {
  readonly node: string;
  /** The one every worker runs; null while they differ, or have none. */
  readonly revision: string | null;
  readonly exchanges: number;
  readonly sockets: number;
  readonly workers: readonly IngressFacts[];
}

/** @param node name of the ingress the workers belong to. */
export function summaryOf(node: string, workers: readonly IngressFacts[]): IngressSummary {
  const revisions = new Set(workers.map(({ revision }) => revision));
  return {
    node,
    revision: revisions.size === 1 ? [...revisions][0]! : null,
    exchanges: workers.reduce((sum, { exchanges }) => sum + exchanges, 0),
    sockets: workers.reduce((sum, { sockets }) => sum + sockets, 0),
    workers: [...workers].sort((one, other) => (one.node < other.node ? -1 : 1)),
  };
}
