import { readFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import {
  borrowBus,
  createLogger,
  createMetrics,
  opening,
  openRuntime,
  shareSmallSlabs,
  yieldThread,
  type Metrics,
} from '@sallyport/platform';
import { startAudit } from '../../audit/src';
import type { AuditThreadData, FromAuditThread, ToAuditThread } from './audit-thread';

const { config, databaseUrl, bus: port } = workerData as AuditThreadData;
const owner = parentPort!;
const say = (message: FromAuditThread): void => owner.postMessage(message);

// Records that are in the spool can wait; requests cannot.
yieldThread();
shareSmallSlabs();

const metrics = createMetrics('audit');
countProcessorTime(metrics);

const service = opening(async (opened) => {
  const logger = createLogger({ app: 'audit', node: config.nodeName, level: config.logLevel });
  const bus = borrowBus(port, logger);
  opened.push({ close: () => bus.drain() });
  const runtime = opened.push(await openRuntime(config, { bus, metrics }));
  return { audit: opened.push(await startAudit(config, runtime, { url: databaseUrl })) };
});

service.then(
  () => say({ what: 'started' }),
  (error: unknown) => {
    say({ what: 'failed', message: error instanceof Error ? error.message : String(error) });
    owner.close();
    port.close();
  },
);

owner.on('message', (message: ToAuditThread) => {
  if (message.what === 'page?') void answerPage(message.ask);
  else void end();
});

async function answerPage(ask: number): Promise<void> {
  say({ what: 'page', ask, page: { text: await metrics.exposition(), merges: metrics.merges() } });
}

async function end(): Promise<void> {
  await (await service).close();
  // With nothing left to listen to, the thread ends by itself.
  owner.close();
}

/** The kernel counts threads apart; only Linux tells a thread its own count. */
function countProcessorTime(metrics: Metrics): void {
  const CLOCK_TICKS_PER_SECOND = 100;
  const read = (): number => {
    const line = readFileSync('/proc/thread-self/stat', 'latin1');
    // proc(5): user and system time are fields 14 and 15, counted after the name, which may hold spaces.
    const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
  };
  if (process.platform !== 'linux') return;
  metrics
    .counter('sallyport_audit_cpu_seconds_total', 'Processor time of the thread that takes records in.')
    .observe(read);
}
