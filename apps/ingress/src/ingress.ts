import { refuse, type Snapshot } from '@sallyport/contracts';
import { builtInModels, compileModels, openWires, systemTimers } from '@sallyport/ai';
import { LocalVerifier, pepperBytes, readPepper } from '@sallyport/identity';
import {
  createAdminApp,
  describeAddress,
  inSlices,
  type Life,
  type Opened,
  opening,
  openSnapshotReader,
  type Running,
  type Runtime,
  readiness,
  startHealth,
  type Readiness,
  watchAdminToken,
  watchKeyDirectory,
} from '@sallyport/platform';
import { PolicyCompiler } from '@sallyport/pipeline';
import { fetchDocument, UpstreamPools } from '@sallyport/proxy';
import { createPseudonym } from '@sallyport/trail';
import { planId } from '@sallyport/waf';
import { endsWithinMs, type IngressConfig } from './config';
import { joinEngines, openRemoteConsults, type Engines, type OpenConsults } from './consults';
import { summaryOf, upstreamsOf, type IngressFacts, type IngressStatus } from './admin/status';
import { drainExchanges } from './drain';
import type { Exchange } from './exchange';
import type { OpenExchanges } from './open-exchanges';
import { Gateway } from './gateway';
import type { GatewayParts } from './gateway-parts';
import { BodyWork } from './hooks/body-work';
import { policyServices } from './hooks/policy-services';
import { settlePolicies } from './hooks/settle';
import { IngressModule } from './ingress.module';
import { plainConnection } from './listeners/connection';
import { listenHttp, type HttpListener } from './listeners/http';
import { addressOf } from './listeners/listeners-file';
import { openListeners } from './listeners/open-listeners';
import { SocketAnswers } from './listeners/socket-answers';
import { Overload } from './overload/overload';
import type { Signals } from './overload/pressure';
import { ProcessSignals } from './overload/process-signals';
import { Recorder } from './record';
import { WafFactTeller } from './waf-facts';
import { refuseExchange } from './refuse';
import { showPage } from './render/page';
import { CurrentConfiguration } from './runtime/current-configuration';
import { snapshotSource } from './runtime/snapshot-source';
import { Upstreams } from './send/upstreams';
import { openUsageLedger } from './usage-ledger';
import { ExchangeWatch } from './watch';
import type { WorkerLink } from './workers/worker-link';

export interface RunningIngress extends Running {
  /** Where the data door listens: `http://host:port` or `unix:/path`. */
  readonly address: string;
  /** Revision in force. */
  revision(): string | undefined;
}

/** Where an ingress runs. */
export interface IngressPlace {
  /** The services, where they run in this very process; absent: they are consulted over gRPC. */
  readonly engines?: Engines | undefined;
  /** Of the process, where it is the ingress' own. */
  readonly life?: Life;
  /** To the supervisor, in a worker. */
  readonly link?: WorkerLink;
  /** What the process feels; read from the process itself unless given. */
  readonly signals?: () => Signals;
}

/**
 * Starts the data door. It serves from the last good configuration on disk before any other service answers.
 * @throws ListenError when a port is taken.
 */
export async function startIngress(
  config: IngressConfig,
  runtime: Runtime,
  { engines, life, link, signals }: IngressPlace = {},
): Promise<RunningIngress> {
  const { bus, clock, logger, metrics } = runtime;
  return opening(async (opened) => {
    const verifier = new LocalVerifier({
      clock,
      clockFault: runtime.clockFault,
      peppers: [readPepper(1, config.pepper)],
      fetchJwks: fetchDocument,
      fetchFailed: (url, error) => logger.warn({ url, err: error }, 'a key set could not be fetched'),
    });
    const upstreams = opened.push(new Upstreams(new UpstreamPools(), runtime));
    const policies = new PolicyCompiler(
      policyServices(runtime, engines ? undefined : pepperBytes(config.pepper), {
        charge: (tenant, charges, done) => consults.books.spend(tenant, charges, done),
        peers: () => config.workers,
      }),
    );
    const current = new CurrentConfiguration(policies, function* ({ snapshot, upstreams: apis }) {
      const table = compileModels(snapshot);
      const taken = yield* upstreams.taking(apis, table.origins);
      const commit = (): void => {
        verifier.setTrust(snapshot.trust);
        consults.useModels(table);
        taken.commit();
      };
      return { commit, settle: taken.settle };
    });
    // Among the first to open and the last to end: it says why there is no traffic yet, and no more.
    const isConfigured = () => current.current !== undefined;
    await openHealth(config, runtime, isConfigured, opened);

    const classOf = (tenant: string, model: string) => current.classOf(tenant, model);
    const consults: OpenConsults = opened.push(
      engines ? joinEngines(engines) : openRemoteConsults(config, runtime, verifier, classOf),
    );
    consults.useModels(builtInModels());
    const ledger = opened.push(await openUsageLedger(runtime));
    const bodyWork = new BodyWork(() => clock.monotonic());
    const overload: Overload = openOverload(
      runtime,
      () => gateway.open,
      () => listener,
      bodyWork,
      opened,
      signals,
    );
    const parts = gatewayParts(config, runtime, current, consults, upstreams, overload, bodyWork, ledger);
    const gateway = new Gateway(parts);
    let listener: HttpListener | undefined = undefined;
    metrics.gauge('sallyport_ingress_inflight', 'Exchanges under way').observe(() => gateway.open.size);

    if (!engines) {
      const { dataDir } = config;
      opened.push(await watchKeyDirectory({ bus, dataDir, clock, logger, apply: verifier.keys }));
    }
    const source = opened.push(snapshotSource(engines ? undefined : config.catalogUrl));
    const apply = (snapshot: Snapshot) => inSlices(current.apply(snapshot), { clock });
    const reader = opened.push(
      await openSnapshotReader({ bus, dataDir: config.dataDir, pull: source.pull, runtime, apply }),
    );

    const { broken, brokenBody } = new SocketAnswers(runtime, parts, gateway.open);
    const onFewAccepts = (err: Error) => logger.warn({ err }, 'new connections are taken one a turn');
    const handler = { handle: gateway.handle, broken, brokenBody, onFewAccepts };
    const door = opened.push(
      config.listeners
        ? await openListeners(config.listeners, { ...handler, runtime })
        : await listenHttp({
            ...handler,
            address: config.listen.http,
            connection: plainConnection,
          }),
    );
    listener = door;
    const checksMs = config.listeners?.map(({ limits }) => limits.checkMs) ?? [plainConnection.limits.checkMs];
    opened.push(new ExchangeWatch(gateway.open, parts, Math.min(...checksMs)));
    const facts = (): IngressFacts => ({
      node: config.nodeName,
      pid: process.pid,
      revision: reader.revision() ?? null,
      exchanges: gateway.open.size,
      sockets: door.sockets,
      upstreams: upstreams.status(),
    });
    const everybody = async () => (link ? await link.everybody() : [facts()]);
    const status: IngressStatus = {
      read: async () => summaryOf(config.nodeName, await everybody()),
      upstreams: async () => upstreamsOf(await everybody()),
    };
    await openAdmin(config, runtime, status, opened);
    if (link) {
      const ready = () => takesTraffic(runtime, isConfigured(), life?.reason !== undefined);
      opened.push(link.speak({ metrics, ready, facts }));
      link.listening();
    }
    const cutShort = (exchange: Exchange) => parts.refuse(exchange, refuse('INGRESS_OVERLOADED'));
    opened.push({
      close: () => drainExchanges({ open: gateway.open, listeners: [door], config, reason: life?.reason, cutShort }),
    });
    return {
      endsWithinMs: endsWithinMs(config),
      address: config.listeners ? addressOf(config.listeners[0]!) : describeAddress(config.listen.http),
      revision: () => reader.revision(),
    };
  });
}

/** Watches how busy this process is. @param listener undefined until it is open. */
function openOverload(
  { random, metrics, logger }: Runtime,
  open: () => OpenExchanges,
  listener: () => HttpListener | undefined,
  bodyWork: BodyWork,
  opened: Opened,
  signals: IngressPlace['signals'],
): Overload {
  const sockets = () => (listener()?.sockets ?? 0) / (listener()?.capacity ?? 1);
  const lateMs = () => Math.max(bodyWork.lateMs, listener()?.crowdedMs ?? 0);
  const read = signals ?? opened.push(new ProcessSignals(sockets, lateMs)).read;
  return opened.push(
    new Overload({
      read,
      underWay: open,
      random,
      metrics,
      logger,
      onPressure: ({ lean, closed }) => listener()?.relieve(lean, closed),
    }),
  );
}

async function openHealth(
  { listen }: IngressConfig,
  runtime: Runtime,
  isConfigured: () => boolean,
  opened: Opened,
): Promise<void> {
  if (!listen.health) return;
  const { metrics } = runtime;
  const ready = () => takesTraffic(runtime, isConfigured(), opened.ending);
  opened.push(await startHealth({ address: listen.health, metrics, ready, started: isConfigured }));
}

async function openAdmin(
  { listen }: IngressConfig,
  runtime: Runtime,
  status: IngressStatus,
  opened: Opened,
): Promise<void> {
  const address = listen.admin;
  if (!address) return;
  const adminToken = opened.push(await watchAdminToken(runtime.bus));
  const module = IngressModule.with(status);
  opened.push(await createAdminApp({ module, area: 'ingress', address, runtime, adminToken, title: 'Ingress' }));
}

const takesTraffic = (runtime: Runtime, isConfigured: boolean, draining: boolean): Readiness =>
  readiness(runtime, { 'no configuration yet': !isConfigured, draining });

const EVERY_RULE = planId({ mode: 'detect', paranoia: { detect: 4, block: 4 } });

function gatewayParts(
  config: IngressConfig,
  { bus, clock, random, tracer, logger, metrics, trail }: Runtime,
  current: CurrentConfiguration,
  consults: OpenConsults,
  upstreams: Upstreams,
  overload: Overload,
  bodyWork: BodyWork,
  ledger: { append: GatewayParts['models']['ledger'] },
): GatewayParts {
  const { showConfigVersion } = config;
  const { publicUrl } = config;
  const pseudonym = createPseudonym(pepperBytes(config.pepper));
  const recorder = new Recorder({
    trail,
    pseudonym,
    clock,
    random,
    metrics,
    logger,
    wafFacts: new WafFactTeller(bus, clock, metrics),
    showSourcePort: config.testMode,
  });
  const refuseWith: GatewayParts['refuse'] = (exchange, refusal, connection) => {
    try {
      refuseExchange(exchange, refusal, { publicUrl, showConfigVersion }, connection === 'close');
    } catch (error) {
      failed(exchange, error);
    }
  };
  const failed: GatewayParts['failed'] = (exchange, error) => {
    logger.error(
      { err: error, request_id: exchange.requestId, trace_id: exchange.trace?.traceId },
      'a request failed by our own fault',
    );
    if (!exchange.over) exchange.outcome = 'internal_error';
    refuseWith(exchange, refuse('INTERNAL'), 'close');
  };
  const record: GatewayParts['record'] = (exchange, go) => {
    settlePolicies(exchange, logger);
    recorder.record(exchange, go);
  };
  return {
    clock,
    random,
    tracer,
    logger,
    consults,
    upstreams,
    overload,
    bodyWork,
    models: {
      wires: openWires({ pools: upstreams.pools, clock, timers: systemTimers, random }),
      timers: systemTimers,
      ledger: (settlement) => ledger.append(settlement),
    },
    publicUrl,
    showConfigVersion,
    configuration: () => current.current,
    refuse: refuseWith,
    failed,
    showPage: (exchange, page) => showPage(exchange, page, showConfigVersion),
    record,
    recordAdmission: recorder.recordAdmission,
    recordBroken: recorder.recordBroken,
    malformedPlan: config.testMode ? EVERY_RULE : 'structural:detect',
    left(exchange) {
      exchange.close();
      record(exchange, () => undefined);
    },
  };
}
