import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { auditV1, subjects, systemClock } from '@sallyport/contracts';
import { changeCommitted } from '@sallyport/trail';
import { ack, type Bus } from './bus';
import { ConfigError, defineConfig, type BaseConfig } from './config';
import { createEmbeddedBus } from './embedded-bus';
import { openRuntime } from './runtime';

describe('the runtime of an application', () => {
  let folder: string;
  let config: BaseConfig;
  let bus: Bus;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sp-'));
    config = defineConfig('catalog', {})({ SALLYPORT_DATA_DIR: folder, SALLYPORT_LOG_LEVEL: 'fatal' });
    bus = createEmbeddedBus(systemClock);
  });

  afterEach(async () => {
    await bus.drain();
    rmSync(folder, { recursive: true });
  });

  it('ships what the trail holds as batches of its chain, and trims what was committed', async () => {
    const batches: auditV1.Batch[] = [];
    let received: () => void = () => {};
    const second = new Promise<void>((resolve) => (received = resolve));
    await bus.consume('SALLYPORT_AUDIT', 'audit-ingest', async ({ data }) => {
      batches.push(auditV1.Batch.decode(data));
      if (batches.some(({ bodies }) => Buffer.concat(bodies).includes('orders'))) received();
      return ack;
    });
    const runtime = await openRuntime(config, { bus });
    const receipt = runtime.trail.append(
      changeCommitted({
        now: Date.now(),
        random: runtime.random,
        tenant: 'default',
        app: 'catalog',
        actor: { name: 'admin', via: 'api' },
        action: 'create',
        object: { type: 'service', id: 's-1', name: 'orders' },
      } as Parameters<typeof changeCommitted>[0]),
    );
    await receipt.durable;
    await second;
    const [first] = batches;
    expect(first!.chain).toContain(config.clusterName);
    const last = batches.at(-1)!;
    const committed = { chain: last.chain, seq: last.firstSeq + BigInt(last.bodies.length) - 1n };
    expect(await runtime.metrics.exposition()).toMatch(/sallyport_audit_spool_events\{app="catalog"\} [1-9]/);
    await bus.publish(subjects.auditCommitted, auditV1.SpoolCommitted.encode(committed).finish());
    await new Promise(setImmediate);
    expect(await runtime.metrics.exposition()).toContain('sallyport_audit_spool_events{app="catalog"} 0');
    await runtime.close();
  });

  it('shares bus and metrics between the applications of one process', async () => {
    const first = await openRuntime(config, { bus });
    const second = await openRuntime({ ...config, app: 'audit' }, { bus, metrics: first.metrics });
    second.metrics.gauge('sallyport_test_value', 'A value.').set(1);
    expect(await first.metrics.exposition()).toContain('sallyport_test_value{app="audit"} 1');
    await second.close();
    await first.close();
    expect(bus.health().connected).toBe(true);
  });

  it('does not start by itself without the bus of a cluster', async () => {
    await expect(openRuntime(config)).rejects.toThrow(ConfigError);
  });
});
