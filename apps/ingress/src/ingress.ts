import { refuse } from '@sallyport/contracts';
import { builtInModels, compileModels, openWires, systemTimers } from '@sallyport/ai';
import { LocalVerifier, pepperBytes, readPepper } from '@sallyport/identity';
import {
  createAdminApp,
  describeAddress,
  openSnapshotReader,
  startHealth,
  watchAdminToken,
  watchKeyDirectory,
  type Closable,
  type Runtime,
} from '@sallyport/platform';
import { fetchDocument, UpstreamPools } from '@sallyport/proxy';
import { createPseudonym } from '@sallyport/trail';
import type { IngressConfig } from './config';
import { joinEngines, openRemoteConsults, type Engines, type OpenConsults } from './consults';
import { drainExchanges } from './drain';
import { Gateway } from './gateway';
import type { GatewayParts } from './gateway-parts';
import { IngressModule } from './ingress.module';
import { listenHttp } from './listeners/http';
import { SocketAnswers } from './listeners/socket-answers';
import { Recorder } from './record';
import { refuseExchange } from './refuse';
import { showPage } from './render/page';
import { CurrentConfiguration } from './runtime/current-configuration';
import { snapshotSource } from './runtime/snapshot-source';
import { Upstreams } from './send/upstreams';
import { openUsageLedger } from './usage-ledger';

export interface RunningIngress extends Closable {
  /** Where the data door listens: `http://host:port` or `unix:/path`. */
  readonly address: string;
  /** Revision in force. */
  revision(): string | undefined;
}

/**
 * Starts the data door. It serves from the last good configuration on disk before any other service answers.
 * @param engines where the services run in this very process; absent: they are consulted over gRPC.
 * @throws ListenError when a port is taken.
 */
export async function startIngress(
  config: IngressConfig,
  runtime: Runtime,
  engines?: Engines,
): Promise<RunningIngress> {
  const { bus, clock, logger, metrics } = runtime;
  const closers: Closable[] = [];
  const opened = <T extends Closable>(part: T): T => {
    closers.unshift(part);
    return part;
  };

  const verifier = new LocalVerifier({
    clock,
    peppers: [readPepper(1, config.pepper)],
    fetchJwks: fetchDocument,
    fetchFailed: (url, error) => logger.warn({ url, err: error }, 'a key set could not be fetched'),
  });
  const upstreams = new Upstreams(new UpstreamPools());
  closers.push({ close: () => upstreams.pools.destroy() });
  const current = new CurrentConfiguration(({ snapshot, upstreams: apis }) => {
    const table = compileModels(snapshot);
    verifier.setTrust(snapshot.trust);
    consults.useModels(table);
    upstreams.use(apis, table.origins);
  });
  const consults: OpenConsults = opened(
    engines
      ? joinEngines(engines)
      : openRemoteConsults(config, runtime, verifier, (tenant, model) => current.classOf(tenant, model)),
  );
  consults.useModels(builtInModels());

  const ledger = opened(await openUsageLedger(runtime));
  const parts = gatewayParts(config, runtime, current, consults, upstreams, ledger);
  const gateway = new Gateway(parts);
  if (!engines) {
    opened(await watchKeyDirectory({ bus, dataDir: config.dataDir, clock, logger, apply: verifier.keys }));
  }
  const source = snapshotSource(engines ? undefined : config.catalogUrl);
  opened(source);
  const reader = opened(
    await openSnapshotReader({
      bus,
      dataDir: config.dataDir,
      pull: source.pull,
      runtime,
      apply: (snapshot) => current.apply(snapshot),
    }),
  );

  const { broken, tunnel } = new SocketAnswers(runtime, parts.publicUrl);
  const listener = await listenHttp({ address: config.listen.http, handle: gateway.handle, broken, tunnel });
  let draining = false;
  metrics.gauge('sallyport_ingress_inflight', 'Exchanges under way').observe(() => gateway.open.size);
  const health =
    config.listen.health &&
    (await startHealth({
      address: config.listen.health,
      metrics,
      ready: () => readiness(current.current !== undefined, draining),
      started: () => current.current !== undefined,
    }));
  if (config.listen.admin) {
    const status = {
      read: () => ({
        node: config.nodeName,
        revision: reader.revision() ?? null,
        exchanges: gateway.open.size,
        sockets: listener.sockets,
      }),
    };
    const adminToken = opened(await watchAdminToken(bus));
    const module = IngressModule.with(status);
    opened(
      await createAdminApp({
        module,
        area: 'ingress',
        address: config.listen.admin,
        runtime,
        adminToken,
        title: 'Ingress',
      }),
    );
  }

  return {
    address: describeAddress(config.listen.http),
    revision: () => reader.revision(),
    async close() {
      draining = true;
      await drainExchanges(gateway.open, listener, config, (exchange) =>
        parts.refuse(exchange, refuse('INGRESS_OVERLOADED')),
      );
      await listener.close();
      for (const part of closers) await part.close();
      await health?.close();
    },
  };
}

function readiness(configured: boolean, draining: boolean): { ready: boolean; reasons: string[] } {
  const reasons = [...(configured ? [] : ['no configuration yet']), ...(draining ? ['draining'] : [])];
  return { ready: reasons.length === 0, reasons };
}

function gatewayParts(
  config: IngressConfig,
  { clock, random, tracer, logger, metrics, trail }: Runtime,
  current: CurrentConfiguration,
  consults: OpenConsults,
  upstreams: Upstreams,
  ledger: { append: GatewayParts['models']['ledger'] },
): GatewayParts {
  const { showConfigVersion } = config;
  const { publicUrl } = config;
  const pseudonym = createPseudonym(pepperBytes(config.pepper));
  const recorder = new Recorder({ trail, pseudonym, clock, random, metrics, logger });
  const refuseWith: GatewayParts['refuse'] = (exchange, refusal, connection) =>
    refuseExchange(exchange, refusal, { publicUrl, showConfigVersion }, connection === 'close');
  return {
    clock,
    random,
    tracer,
    logger,
    consults,
    upstreams,
    models: {
      wires: openWires({ pools: upstreams.pools, clock, timers: systemTimers, random }),
      timers: systemTimers,
      ledger: (settlement) => ledger.append(settlement),
    },
    publicUrl,
    showConfigVersion,
    configuration: () => current.current,
    refuse: refuseWith,
    failed(exchange, error) {
      logger.error(
        { err: error, request_id: exchange.requestId, trace_id: exchange.trace?.traceId },
        'a request failed by our own fault',
      );
      refuseWith(exchange, refuse('INTERNAL'), 'close');
    },
    showPage: (exchange, page) => showPage(exchange, page, showConfigVersion),
    record: recorder.record,
    recordAdmission: recorder.recordAdmission,
    left(exchange) {
      exchange.close();
      recorder.record(exchange, () => undefined);
    },
  };
}
