import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads';
import { join } from 'node:path';
import { Asking, lendBus, type Bus, type Closable, type MetricsPage } from '@sallyport/platform';
import type { AuditConfig } from '../../audit/src';

/** What the thread is started with. */
export interface AuditThreadData {
  readonly config: AuditConfig;
  readonly databaseUrl: string;
  readonly bus: MessagePort;
}

export type ToAuditThread = { readonly what: 'page?'; readonly ask: number } | { readonly what: 'end' };

export type FromAuditThread =
  | { readonly what: 'started' }
  | { readonly what: 'failed'; readonly message: string }
  | { readonly what: 'page'; readonly ask: number; readonly page: MetricsPage };

export interface AuditThread extends Closable {
  /** What the thread counts; undefined when it does not say so within a second, because it is busy or has ended. */
  page(): Promise<MetricsPage | undefined>;
}

/** Whoever reads the metrics is shown those of the other services in time. */
const PAGE_MS = 1_000;

/**
 * Runs the audit service in a thread of its own: taking records in costs as much as answering requests, and would make
 * every request wait. A defect that ends the thread ends the process, as it would without threads.
 *
 * @throws what kept the service from starting, in words.
 */
export async function startAuditThread(config: AuditConfig, databaseUrl: string, bus: Bus): Promise<AuditThread> {
  const { port1, port2 } = new MessageChannel();
  const lent = lendBus(bus, port1);
  const workerData: AuditThreadData = { config, databaseUrl, bus: port2 };
  const worker = new Worker(join(__dirname, 'audit-thread-main.js'), { workerData, transferList: [port2] });
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  const say = (message: ToAuditThread): void => worker.postMessage(message);

  const pages = new Asking<MetricsPage>();
  const started = new Promise<void>((resolve, reject) => {
    worker.on('message', (message: FromAuditThread) => {
      if (message.what === 'started') resolve();
      else if (message.what === 'failed') reject(new Error(message.message));
      else pages.answer(message.ask, message.page);
    });
    worker.once('exit', () => reject(new Error('the audit thread ended before it was ready')));
  });
  await started.catch(async (error: unknown) => {
    await lent.close();
    await ended;
    throw error;
  });
  return {
    page: () => pages.put((ask) => say({ what: 'page?', ask }), PAGE_MS),
    async close() {
      say({ what: 'end' });
      await ended;
      await lent.close();
    },
  };
}
