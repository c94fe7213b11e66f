import { type BaseConfig, type Bus, type Closable, type Metrics, opening, openRuntime } from '@sallyport/platform';
import { atOnce, Cohort } from '@sallyport/waf';
import { readAiRouterConfig, startAiRouter } from '../../ai-router/src';
import { readAuditConfig } from '../../audit/src';
import { readAuthConfig, startAuth, type RunningAuth } from '../../auth/src';
import { readCatalogConfig, startCatalog, type RunningCatalog } from '../../catalog/src';
import { readIngressConfig, startIngress, type RunningIngress } from '../../ingress/src';
import { readRateLimitConfig, startRateLimit } from '../../rate-limit/src';
import { readWafConfig, startWaf } from '../../waf/src';
import { startAuditThread, type AuditThread } from './audit-thread';
import { JointMetrics } from './joint-metrics';
import { targetOf, type InnerService, type Places } from './places';

export interface Services extends Closable {
  readonly auth: RunningAuth;
  readonly catalog: RunningCatalog;
  readonly ingress: RunningIngress;
  /** The rules in force, for people. */
  readonly ruleset: string;
}

export interface ServicesOptions {
  readonly environment: NodeJS.ProcessEnv;
  readonly places: Places;
  readonly bus: Bus;
  readonly metrics: Metrics;
  readonly databaseUrl: string;
  /** Join the services by gRPC, as a cluster does, instead of directly. */
  readonly remote: boolean;
  readonly onStarted: (service: string) => void;
}

/**
 * Starts every service in this process, each with a Nest application, log and spool of its own; audit in a thread of its
 * own. Only the data door, the admin door and the health port of the ingress listen on the network.
 */
export async function startServices(options: ServicesOptions): Promise<Services> {
  const { environment, places, databaseUrl, onStarted } = options;
  const database = { url: databaseUrl };
  // It names a file that people write: what is wrong with it is said before anything is started.
  const ingressOuter = readIngressConfig(environment);
  return opening(async (opened) => {
    let auditThread: AuditThread | undefined;
    const metrics = new JointMetrics(options.metrics, () => auditThread?.page());
    const runtimeFor = async (config: BaseConfig) => {
      const runtime = await openRuntime(config, { bus: options.bus, metrics });
      opened.push(runtime);
      return runtime;
    };
    const started = <T extends Closable>(name: string, service: T): T => {
      opened.push(service);
      onStarted(name);
      return service;
    };
    const inner = (service: InnerService) => ({
      grpc: options.remote ? places.grpc(service) : null,
      admin: places.admin(service),
      health: null,
    });

    const authConfig = { ...readAuthConfig(environment), listen: inner('auth') };
    const auth = await startAuth(authConfig, await runtimeFor(authConfig), database, { drawAdminToken: true });
    started('auth', auth);

    // After a service of this thread has found the database: one that does not answer is told best where it is looked for.
    const auditConfig = { ...readAuditConfig(environment), listen: inner('audit') };
    auditThread = started('audit', await startAuditThread(auditConfig, databaseUrl, options.bus));

    const limitConfig = { ...readRateLimitConfig(environment), listen: inner('rate-limit') };
    const { limiter } = started('rate-limit', await startRateLimit(limitConfig, await runtimeFor(limitConfig)));

    const wafConfig = { ...readWafConfig(environment), listen: inner('waf') };
    // Whoever asks by gRPC asks for many at once anyway.
    const gathering = options.remote ? atOnce : new Cohort((run) => void setImmediate(run));
    const { inspector, ruleset } = started(
      'waf',
      await startWaf(wafConfig, await runtimeFor(wafConfig), { gathering }),
    );

    const routerConfig = { ...readAiRouterConfig(environment), listen: inner('ai-router') };
    const { router } = started(
      'ai-router',
      await startAiRouter(routerConfig, await runtimeFor(routerConfig), database),
    );

    const outer = readCatalogConfig(environment);
    const areas = {
      auth: targetOf(places.admin('auth')),
      audit: targetOf(places.admin('audit')),
      ai: targetOf(places.admin('ai-router')),
      limits: targetOf(places.admin('rate-limit')),
      waf: targetOf(places.admin('waf')),
      ingress: targetOf(places.admin('ingress')),
    };
    const catalogConfig = {
      ...outer,
      listen: { http: outer.listen.http, grpc: inner('catalog').grpc, admin: null, health: null },
      areas,
    };
    const catalog = started('catalog', await startCatalog(catalogConfig, await runtimeFor(catalogConfig), database));

    const ingressConfig = {
      ...ingressOuter,
      listen: { http: ingressOuter.listen.http, admin: places.admin('ingress'), health: ingressOuter.listen.health },
      balancerSeconds: 0,
      consult: {
        auth: targetOf(places.grpc('auth')),
        rateLimit: targetOf(places.grpc('rate-limit')),
        waf: targetOf(places.grpc('waf')),
        aiRouter: targetOf(places.grpc('ai-router')),
      },
      catalogUrl: targetOf(places.grpc('catalog')),
    };
    const engines = options.remote ? undefined : { verifier: auth.verifier, limiter, inspector, router };
    const ingress = started('ingress', await startIngress(ingressConfig, await runtimeFor(ingressConfig), { engines }));
    return { auth, catalog, ingress, ruleset: ruleset() };
  });
}
