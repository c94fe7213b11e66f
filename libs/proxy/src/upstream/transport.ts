import type { UpstreamClient } from '../forward';

/** The connections to one origin, as the pools keep them. */
export interface PooledTransport extends UpstreamClient {
  /** Closes what is free now and the rest after its exchange. @returns when nothing is open any more. */
  retire(): Promise<void>;
  /** Closes everything at once; exchanges under way fail. */
  destroy(): Promise<void>;
}
