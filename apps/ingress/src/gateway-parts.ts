import type { Clock, RandomBytes, Refusal } from '@sallyport/contracts';
import type { Logger, Tracer } from '@sallyport/platform';
import type {
  ConsultedInspector,
  ConsultedLimiter,
  ConsultedModelRouter,
  ConsultedVerifier,
} from './consult/with-fallback';
import type { Exchange } from './exchange';
import type { BodyWork } from './hooks/body-work';
import type { Page } from './match';
import type { Overload } from './overload/overload';
import type { BrokenRequest } from './record';
import type { Configuration } from './runtime/configuration';
import type { Upstreams } from './send/upstreams';
import type { Models } from './send/models';

/** The four decisions, at whatever distance: engines joined directly, or clients of the services with their stand-ins. */
export interface Consults {
  readonly verifier: ConsultedVerifier;
  readonly limiter: ConsultedLimiter;
  readonly inspector: ConsultedInspector;
  readonly router: ConsultedModelRouter;
}

/** What the gateway works with. */
export interface GatewayParts {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly tracer: Tracer;
  readonly logger: Logger;
  readonly consults: Consults;
  readonly upstreams: Upstreams;
  readonly overload: Pick<Overload, 'pressed' | 'limit' | 'judge'>;
  readonly bodyWork: Pick<BodyWork, 'do'>;
  readonly models: Models;
  readonly publicUrl: string;
  readonly showConfigVersion: boolean;
  /** How bytes are inspected that are no request, and belong to no route. */
  readonly malformedPlan: string;
  /** The revision new requests start on. */
  configuration(): Configuration | undefined;
  /** Answers with a refusal, in the caller's dialect; `close` when the framing of the connection cannot be trusted. */
  refuse(exchange: Exchange, refusal: Refusal, connection?: 'close'): void;
  /** A defect of ours: this request's 500, in the log with its cause. */
  failed(exchange: Exchange, error: unknown): void;
  /** Serves a page of the gateway itself. */
  showPage(exchange: Exchange, page: Page): void;
  /** Puts the exchange on record, once, and lets its last byte go. */
  readonly record: (exchange: Exchange, go: () => void) => void;
  /** The connection is gone: ends what is left of the exchange. */
  left(exchange: Exchange): void;
  /** Puts bytes that were no request on record; `go` when their answer may leave. */
  recordBroken(broken: BrokenRequest, go: () => void): void;
  /** Records that a request of a `regulated` route is let in; calls back when that is on disk. */
  recordAdmission(exchange: Exchange, done: (refusal?: Refusal) => void): void;
}
