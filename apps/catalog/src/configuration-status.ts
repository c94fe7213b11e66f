import { subjects, type Clock } from '@sallyport/contracts';
import type { Bus, Closable, Subscription } from '@sallyport/platform';
import { z } from 'zod';
import { revisionName, type Publisher } from './publisher';

/** What a node says when it runs, or has refused, a revision. */
const applied = z.object({
  node: z.string().min(1).max(128),
  app: z.string().min(1).max(32),
  revision: z.string().max(32).optional(),
  milliseconds: z.number().optional(),
  error: z.string().max(4096).optional(),
});

interface NodeStatus extends z.infer<typeof applied> {
  /** When it said so, RFC 3339. */
  readonly at: string;
  /** Whether it runs the present revision. */
  readonly current: boolean;
}

export interface ConfigurationAnswer {
  /** Null before the first publish. */
  readonly revision: string | null;
  readonly sha256: string | null;
  readonly publishedAt: string | null;
  /** Every node that reported since this catalog started. */
  readonly nodes: readonly NodeStatus[];
}

/** Nodes come and go under new names; the oldest reports make room. */
const MAX_NODES = 1_000;

/** Knows which node runs which revision, from what the nodes tell the bus. */
export class ConfigurationStatus implements Closable {
  private readonly nodes = new Map<string, z.infer<typeof applied> & { at: string }>();
  private subscription: Subscription | undefined;

  constructor(
    private readonly publisher: Publisher,
    private readonly clock: Clock,
  ) {}

  async follow(bus: Bus): Promise<void> {
    this.subscription = await bus.subscribe(subjects.snapshotApplied, ({ data }) => this.note(data));
  }

  async read(): Promise<ConfigurationAnswer> {
    const latest = await this.publisher.latest();
    const revision = latest ? revisionName(latest.revision) : null;
    const nodes = [...this.nodes.values()].map((node) => ({
      ...node,
      current: node.revision === revision && node.error === undefined,
    }));
    return {
      revision,
      sha256: latest?.sha256 ?? null,
      publishedAt: latest?.createdAt.toISOString() ?? null,
      nodes: nodes.sort((left, right) => (`${left.app}/${left.node}` < `${right.app}/${right.node}` ? -1 : 1)),
    };
  }

  async close(): Promise<void> {
    await this.subscription?.stop();
  }

  private note(data: Uint8Array): void {
    const report = applied.safeParse(jsonOf(data));
    if (!report.success) return;
    const { app, node } = report.data;
    const key = `${app}/${node}`;
    this.nodes.delete(key);
    this.nodes.set(key, { ...report.data, at: new Date(this.clock.now()).toISOString() });
    if (this.nodes.size > MAX_NODES) this.nodes.delete(this.nodes.keys().next().value!);
  }
}

function jsonOf(data: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(data).toString('utf8'));
  } catch {
    return undefined;
  }
}
