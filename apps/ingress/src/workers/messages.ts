import type { EndReason, MetricsPage } from '@sallyport/platform';
import type { IngressFacts } from '../admin/status';

/** What the supervisor and its workers say to each other. Both are this very program; nothing of it comes from outside. */
export type ToWorker =
  /** The first word to a process: which place in the group it takes. */
  | { readonly what: 'serve'; readonly slot: number }
  | { readonly what: 'end'; readonly reason: EndReason }
  | { readonly what: 'metrics?' | 'facts?'; readonly ask: number }
  | { readonly what: 'everybody'; readonly ask: number; readonly facts: readonly IngressFacts[] };

export type FromWorker =
  /** Said every {@link STATE_EVERY_MS}, so that silence means something, too. */
  | { readonly what: 'state'; readonly ready: boolean; readonly reasons: readonly string[] }
  /** All its listeners are bound. */
  | { readonly what: 'listening' }
  /** It takes no more traffic and will exit. */
  | { readonly what: 'ending'; readonly reason: EndReason }
  /** `ask` 0: told without having been asked, as the last words of a worker. */
  | { readonly what: 'metrics'; readonly ask: number; readonly page: MetricsPage }
  | { readonly what: 'facts'; readonly ask: number; readonly facts: IngressFacts }
  | { readonly what: 'everybody?'; readonly ask: number };

export const STATE_EVERY_MS = 200;
