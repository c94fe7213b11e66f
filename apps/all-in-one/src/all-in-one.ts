import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { systemClock } from '@sallyport/contracts';
import {
  type Bus,
  type Closable,
  connectNatsBus,
  createEmbeddedBus,
  createLogger,
  createMetrics,
  type Logger,
  type Opened,
  opening,
  startEmbeddedPostgres,
} from '@sallyport/platform';
import { readOrDrawPepper } from '../../auth/src';
import type { Announcement } from './announce';
import { readAllInOneConfig, type AllInOneConfig } from './config';
import { startDemo, type Demo } from './demo';
import { openHostDoor } from './host-door';
import { makePlaces } from './places';
import { startServices } from './services';

export interface AllInOneOptions {
  readonly environment: NodeJS.ProcessEnv;
  /** Told in a few words what has just been done. */
  readonly progress: (done: string) => void;
}

export interface RunningAllInOne extends Closable {
  readonly announcement: Announcement;
}

/**
 * Starts the whole cluster in this process. A URL of a database or bus that is set means the real thing, and a loud
 * failure when it cannot be reached; what is not set is embedded.
 * @throws ConfigError, ListenError, and what the database and the bus throw when they cannot be reached.
 */
export async function startAllInOne({ environment, progress }: AllInOneOptions): Promise<RunningAllInOne> {
  const since = systemClock.monotonic();
  const config = readAllInOneConfig(quiet(environment));
  const logger = createLogger({ app: 'all-in-one', node: config.nodeName, level: config.logLevel });
  return opening(async (opened) => {
    await mkdir(config.dataDir, { recursive: true });
    const databaseUrl = config.databaseUrl ?? (await startDatabase(config, logger, opened));
    progress(config.databaseUrl === undefined ? 'postgres embedded' : 'postgres');
    const bus = await openBus(config, logger, opened);
    const places = await makePlaces(config.dataDir);
    opened.push(places);
    const pepper = config.pepper ?? (await readOrDrawPepper(config.dataDir, randomBytes));
    const services = await startServices({
      environment: { ...quiet(environment), SALLYPORT_PEPPER: pepper, SALLYPORT_PEPPER_FILE: undefined },
      places,
      bus,
      metrics: createMetrics('all-in-one'),
      databaseUrl,
      remote: config.remote,
      onStarted: progress,
    });
    opened.push(services);
    const { auth, catalog, ingress, ruleset } = services;
    const demo = config.demo
      ? await startDemo({ port: config.demoPort, dataDir: config.dataDir, auth, catalog })
      : undefined;
    if (demo) opened.push(demo);
    await untilServed(demo, ingress);
    const door = {
      socket: places.hostSocket,
      dataDir: config.dataDir,
      admin: catalog.address,
      bus,
      random: randomBytes,
    };
    opened.push(await openHostDoor(door));
    return {
      announcement: {
        ingress: ingress.address,
        admin: catalog.address,
        adminToken: auth.firstAdminToken ?? null,
        apiKey: demo?.apiKey ?? null,
        limit: demo?.limit,
        ruleset,
        seconds: (systemClock.monotonic() - since) / 1000,
        embeddedDatabase: config.databaseUrl === undefined,
        dataDir: config.dataDir,
      },
    };
  });
}

/** Whoever watches a terminal wants to see what is wrong and nothing else, unless the level was set. */
function quiet(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...environment, SALLYPORT_LOG_LEVEL: environment['SALLYPORT_LOG_LEVEL'] || 'warn' };
}

async function startDatabase({ dataDir }: AllInOneConfig, logger: Logger, opened: Opened): Promise<string> {
  const postgres = await startEmbeddedPostgres({ dataDir, logger });
  opened.push(postgres);
  return postgres.url;
}

async function openBus({ natsUrl, nodeName }: AllInOneConfig, logger: Logger, opened: Opened): Promise<Bus> {
  const bus =
    natsUrl === undefined
      ? createEmbeddedBus(systemClock, logger)
      : await connectNatsBus({ url: natsUrl, name: nodeName, logger });
  opened.push({ close: () => bus.drain() });
  return bus;
}

const SERVED_WITHIN_MS = 5_000;
const LOOK_EVERY_MS = 10;

/** The lines that are printed work when they are pasted: waits until the data door runs what the demo has published. */
async function untilServed(demo: Demo | undefined, ingress: { revision(): string | undefined }): Promise<void> {
  const wanted = demo?.revision;
  for (let waited = 0; wanted !== undefined && waited < SERVED_WITHIN_MS; waited += LOOK_EVERY_MS) {
    if (numberOf(ingress.revision()) >= numberOf(wanted)) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

function numberOf(revision: string | undefined): number {
  return revision === undefined ? -1 : Number(revision.slice(2));
}
