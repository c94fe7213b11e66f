import { join } from 'node:path';
import type { ModelRouter } from '@sallyport/ai';
import type { Verifier } from '@sallyport/identity';
import { MemorySource, ShareLimiter, type Limiter } from '@sallyport/limits';
import type { Closable, Runtime } from '@sallyport/platform';
import type { RouteClass } from '@sallyport/contracts';
import { LocalRouter, type ModelTable } from '@sallyport/ai';
import type { Inspector } from '@sallyport/waf';
import type { IngressConfig } from './config';
import { consultWheel } from './consult/decide-client';
import { LastingRefusals } from './consult/lasting-refusals';
import { LiveCount } from './consult/live-count';
import { RemoteInspector } from './consult/remote-inspector';
import { RemoteLimiter } from './consult/remote-limiter';
import { RemoteModelRouter } from './consult/remote-model-router';
import { RemoteVerifier } from './consult/remote-verifier';
import {
  fallbackWindows,
  inspectorWithFallback,
  limiterWithFallback,
  modelRouterWithFallback,
  verifierWithFallback,
} from './consult/with-fallback';
import type { Consults } from './gateway-parts';

/** The engines themselves, where the services run in this very process. */
export interface Engines {
  readonly verifier: Verifier;
  readonly limiter: Limiter;
  readonly inspector: Inspector;
  readonly router: ModelRouter;
}

export interface OpenConsults extends Consults, Closable {
  /** Counts what a request turned out to have used: asked each time, whatever was refused before. */
  readonly books: Limiter;
  /** Puts the models of a configuration in force for what this process decides about them on its own. */
  useModels(table: ModelTable): void;
}

/** Joins the engines directly: no service could be away. */
export function joinEngines(engines: Engines): OpenConsults {
  return { ...engines, books: engines.limiter, useModels: () => undefined, close: async () => undefined };
}

/**
 * Opens the long-lived streams to the four services, each with its stand-in of the availability contract.
 * @param local decides about credentials while auth is away.
 * @param classOf class of a virtual model in the current configuration.
 */
export function openRemoteConsults(
  config: IngressConfig,
  runtime: Runtime,
  local: Verifier,
  classOf: (tenant: string, model: string) => RouteClass | undefined,
): OpenConsults {
  const { auth, rateLimit, waf, aiRouter } = config.consult;
  const windows = fallbackWindows(runtime);
  const { clock, logger, metrics } = runtime;
  const asking = { clock, logger, metrics, wheel: consultWheel(clock) };
  const verifier = new RemoteVerifier({ target: auth, runtime: asking });
  const live = new LiveCount(join(config.dataDir, 'live-ingresses'), (error) =>
    logger.warn({ err: error }, 'the number of ingresses cannot be kept on disk'),
  );
  const limiter = new RemoteLimiter({ target: rateLimit, node: config.nodeName, runtime: asking, live });
  const inspector = new RemoteInspector({ target: waf, runtime: asking });
  // Made before the client it borrows leases from; it is asked only once that exists.
  const standIn: LocalRouter = new LocalRouter({ leases: { lease: (id) => router.lease(id) } });
  const router = new RemoteModelRouter({
    target: aiRouter,
    runtime: asking,
    models: (tenant, principal) => standIn.models(tenant, principal),
  });
  const share = new ShareLimiter(new MemorySource(clock), () => live.count);
  const given = metrics.counter(
    'sallyport_ingress_lasting_refusals_total',
    'Requests over a limit that were refused from memory, since the Retry-After of the last refusal had not passed.',
  );
  const windowOf = (service: string, client: { state(): 'up' | 'down' }) =>
    windows.of(service, () => client.state() === 'up');
  const books = limiterWithFallback(limiter, share, windowOf('rate-limit', limiter));
  return {
    verifier: verifierWithFallback(verifier, local, windowOf('auth', verifier)),
    limiter: new LastingRefusals(books, clock, given),
    books,
    inspector: inspectorWithFallback(inspector, windowOf('waf', inspector)),
    router: modelRouterWithFallback(router, standIn, classOf, windowOf('ai-router', router)),
    useModels: (table) => standIn.use(table),
    close: async () => {
      await Promise.all([verifier.close(), limiter.close(), inspector.close(), router.close()]);
      asking.wheel.close();
      windows.close();
      await live.close();
    },
  };
}
