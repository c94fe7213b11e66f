import { auditV1, subjects, systemClock, type AppName, type Clock, type RandomBytes } from '@sallyport/contracts';
import {
  adoptTrails,
  openTrail,
  startShipper,
  type Shipper,
  type SpoolNote,
  type Trail,
  type TrailOptions,
} from '@sallyport/trail';
import type { Closable } from './address';
import type { Bus } from './bus';
import { unwatchedClock, watchClock } from './clock-watch';
import { ConfigError, type BaseConfig } from './config';
import { Unreachable } from './keep-trying';
import { LateBus } from './late-bus';
import { once } from './listening';
import { createLogger, type Logger } from './logger';
import { LoopDelay } from './loop-delay';
import { createMetrics, type Metrics } from './metrics';
import { connectNatsBus, type NatsBusOptions } from './nats-bus';
import { pooledRandom } from './random';
import { hasKeptSnapshot } from './snapshot/disk';
import { createTracer, type Tracer } from './tracing';
import { readVersion } from './version';

/** What every application is handed to run with. */
export interface Runtime {
  readonly app: AppName;
  readonly version: string;
  readonly config: BaseConfig;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly tracer: Tracer;
  readonly bus: Bus;
  readonly trail: Trail;
  /** Why nothing may be decided by the clock of this process, in words; undefined while it may. */
  readonly clockFault: () => string | undefined;
}

export interface RuntimeOptions {
  /** Shared by the applications of one process; whoever hands it in ends it. */
  readonly bus?: Bus;
  /** Shared alike. */
  readonly metrics?: Metrics;
  /** What has a configuration on disk starts with it while the bus is out of reach, and joins that later. */
  readonly startsFromDisk?: boolean;
}

const random = pooledRandom();

/** Tenant of records about the cluster itself. */
const SYSTEM = 'system';

/**
 * Opens what one application runs with: log, metrics, tracer, bus and the audit trail, whose spool is claimed and shipped from
 * here on. Closing it ships what is left, for a bounded time.
 * @throws ConfigError when there is no bus to join, and what the bus and the spool throw.
 */
export async function openRuntime(config: BaseConfig, options: RuntimeOptions = {}): Promise<Runtime & Closable> {
  const version = readVersion();
  const logger = createLogger({ app: config.app, node: config.nodeName, level: config.logLevel });
  const ends: Array<() => Promise<void>> = [];
  const close = once(() => inReverse(ends));
  try {
    const metrics = options.metrics?.for(config.app) ?? processMetrics(config.app, ends);
    const dropped = metrics.counter('sallyport_trace_dropped_total', 'Spans the collector did not get.');
    const tracer = createTracer({ ...config, node: config.nodeName, version, ratio: config.traceRatio, dropped });
    ends.push(() => tracer.close());
    const bus = options.bus ?? (await joinBus(config, logger, ends, options.startsFromDisk === true));
    const trail = await openShippedTrail({ config, version, logger, metrics, bus }, ends);
    const { app } = config;
    const comparing = { app, node: config.clockName, bus, clock: systemClock, random, logger, metrics, trail };
    // Who shares a bus with others of its process has their clock.
    const clockWatch = options.bus ? unwatchedClock : await watchClock(comparing);
    ends.push(() => clockWatch.close());
    return {
      app,
      version,
      config,
      clock: systemClock,
      random,
      logger,
      metrics,
      tracer,
      bus,
      trail,
      clockFault: clockWatch.fault,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function joinBus(
  config: BaseConfig,
  logger: Logger,
  ends: Array<() => Promise<void>>,
  startsFromDisk: boolean,
): Promise<Bus> {
  if (config.natsUrl === undefined) {
    throw new ConfigError(
      'SALLYPORT_NATS_URL',
      'is not set: a service that runs by itself needs the bus of its cluster',
    );
  }
  const options = { url: config.natsUrl, name: `${config.app} ${config.nodeName}`, logger };
  const maySpareIt = startsFromDisk && (await hasKeptSnapshot(config.dataDir, config.app));
  const bus = await (maySpareIt ? joinOnceOrLater(options) : connectNatsBus(options));
  ends.push(() => bus.drain());
  return bus;
}

/** Who can serve without the bus waits for it no longer than for one try. */
async function joinOnceOrLater(options: NatsBusOptions): Promise<Bus> {
  const join = (): Promise<Bus> => connectNatsBus({ ...options, connectLimitMs: 0 });
  try {
    return await join();
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    options.logger.error({ reason: error.message }, 'the start goes on without the bus, from what is on disk');
    return new LateBus(join, options.logger);
  }
}

interface TrailParts {
  readonly config: BaseConfig;
  readonly version: string;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly bus: Bus;
}

/** Joins the spool on disk to the bus: batches go out, and what the audit service has committed is trimmed. */
async function openShippedTrail(parts: TrailParts, ends: Array<() => Promise<void>>): Promise<Trail> {
  const { config, version, logger, metrics, bus } = parts;
  const gaps = metrics.counter('sallyport_audit_gap_total', 'Times records were lost because the spool was full.');
  const publish = (batch: Uint8Array, id: string | undefined) => bus.publish(subjects.auditBatch, batch, { id });
  const options: TrailOptions = {
    directory: config.spoolDir,
    app: config.app,
    cluster: config.clusterName,
    maxBytes: config.spoolMaxBytes,
    version,
    tenant: SYSTEM,
    random,
    onNote: (note) => {
      if (note.what === 'gap') gaps.add();
      logNote(logger, note);
    },
  };
  const trail = await openTrail(options);
  ends.push(() => trail.close());
  const shipper = startShipper({
    spool: trail.spool,
    clock: systemClock,
    publish,
    onBus: (error) => {
      if (error === undefined) logger.info('audit records go out again');
      else logger.warn({ err: error }, 'audit records wait in the spool: the bus does not take them');
    },
  });
  ends.push(() => shipper.close());
  const orphans = adoptTrails({
    ...options,
    publish,
    onFailure: (error) => logger.warn({ err: error }, 'a spool that was left behind cannot be adopted'),
  });
  ends.push(() => orphans.close());
  const commits = await bus.subscribe(subjects.auditCommitted, ({ data }) => trim([shipper, orphans], data, logger));
  ends.push(() => commits.stop());
  metrics
    .gauge('sallyport_audit_spool_events', 'Records on disk that the audit service has not committed yet.')
    .observe(() => shipper.waiting());
  return trail;
}

function trim(shippers: ReadonlyArray<Pick<Shipper, 'committed'>>, data: Uint8Array, logger: Logger): void {
  try {
    const { chain, seq } = auditV1.SpoolCommitted.decode(data);
    for (const shipper of shippers) shipper.committed(chain, Number(seq));
  } catch (error) {
    logger.warn({ err: error }, 'a message about committed records cannot be read');
  }
}

function logNote(logger: Logger, note: SpoolNote): void {
  const level = note.what === 'chain-begun' ? 'debug' : note.what === 'torn-tail' ? 'info' : 'error';
  logger[level]({ note }, 'audit spool');
}

/** Milliseconds. A delay that matters to a service comes again and again: it need not be seen the first time. */
const DELAY_EVERY_MS = 100;

/** Metrics of the process itself belong to whoever owns the exposition. */
function processMetrics(app: AppName, ends: Array<() => Promise<void>>): Metrics {
  const metrics = createMetrics(app);
  const delay = new LoopDelay(DELAY_EVERY_MS);
  ends.push(() => delay.close());
  metrics
    .gauge(
      'sallyport_eventloop_delay_seconds',
      'How late the event loop ran timers, 99th percentile since the last reading.',
      [],
      'max',
    )
    .observe(() => delay.read() / 1000);
  metrics
    .gauge('process_resident_memory_bytes', 'Resident memory of the process.')
    .observe(() => process.memoryUsage.rss());
  return metrics;
}

/** Ends in the opposite order of the beginning; one that fails does not keep the others from ending. */
async function inReverse(ends: ReadonlyArray<() => Promise<void>>): Promise<void> {
  const errors: unknown[] = [];
  for (const end of [...ends].reverse()) await end().catch((error: unknown) => errors.push(error));
  if (errors.length > 0) throw new AggregateError(errors, 'not everything could be ended');
}
