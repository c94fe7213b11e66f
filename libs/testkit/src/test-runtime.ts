import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock, type AppName } from '@sallyport/contracts';
import {
  createEmbeddedBus,
  createLogger,
  createMetrics,
  createTracer,
  type BaseConfig,
  type Bus,
  type Runtime,
} from '@sallyport/platform';
import { SpoolFull, type AuditEvent, type Receipt, type Trail } from '@sallyport/trail';

/** A trail that remembers what it was told. */
export class MemoryTrail implements Trail {
  readonly events: AuditEvent[] = [];
  /** Refuses ordinary records, as a full spool does. */
  full = false;

  append(event: AuditEvent): Receipt {
    const refused = this.full && event.kind.startsWith('request.');
    if (!refused) this.events.push(event);
    const fate = (): Promise<void> => (refused ? Promise.reject(new SpoolFull(event.uid)) : Promise.resolve());
    return {
      uid: event.uid,
      seq: refused ? 0 : this.events.length,
      get written() {
        return fate();
      },
      get durable() {
        return fate();
      },
    };
  }

  /** Records of one kind, as the documents a reader would see. */
  bodies(kind: string): Record<string, unknown>[] {
    return this.events.filter((event) => event.kind === kind).map(({ body }) => body as Record<string, unknown>);
  }

  room(): boolean {
    return !this.full;
  }

  has(uid: string): boolean {
    return this.events.some((event) => event.uid === uid);
  }

  async close(): Promise<void> {}
}

export interface TestRuntime extends Runtime {
  readonly trail: MemoryTrail;
  readonly config: BaseConfig;
  close(): Promise<void>;
}

/** What an application is handed, with a folder of its own, a bus in memory and a trail that can be looked at. */
export function testRuntime(app: AppName, shared: { bus?: Bus } = {}): TestRuntime {
  const dataDir = mkdtempSync(join(tmpdir(), 'sp-'));
  const config: BaseConfig = {
    app,
    host: '127.0.0.1',
    dataDir,
    logLevel: 'fatal',
    nodeName: `${app}-test`,
    clockName: `${app}-test`,
    clusterName: 'test',
    publicUrl: 'http://gateway.example',
    traceRatio: 0,
    spoolDir: join(dataDir, 'spool'),
    spoolMaxBytes: 64 * 1024 * 1024,
  };
  const bus = shared.bus ?? createEmbeddedBus(systemClock);
  const tracer = createTracer({ app, node: config.nodeName, version: '0.0.0', ratio: 0 });
  return {
    app,
    version: '0.0.0',
    config,
    clock: systemClock,
    random: randomBytes,
    logger: createLogger({ app, node: config.nodeName, level: 'silent' }),
    metrics: createMetrics(app),
    tracer,
    bus,
    trail: new MemoryTrail(),
    clockFault: () => undefined,
    async close() {
      await tracer.close();
      if (!shared.bus) await bus.drain();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
