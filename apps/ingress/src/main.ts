import { openService, runMain, type Life, type Running } from '@sallyport/platform';
import { startIngress } from '.';
import { readIngressConfig, workerConfig } from './config';
import { startGroup } from './workers/group';
import { isWorker, ownChannel } from './workers/processes';
import { WorkerLink } from './workers/worker-link';

runMain('ingress', isWorker ? startWorker : startFirst, { supervised: isWorker });

/** One worker needs no supervisor: it is this process. */
async function startFirst(life: Life): Promise<Running> {
  const config = readIngressConfig(process.env);
  if (config.workers > 1) return startGroup(config, life);
  return openService(config, (runtime) => startIngress(config, runtime, { life }));
}

async function startWorker(life: Life): Promise<Running> {
  const link = new WorkerLink(ownChannel(), life);
  const slot = await link.slot;
  if (slot === undefined) return { close: () => Promise.resolve() };
  const config = workerConfig(readIngressConfig(process.env), slot);
  return openService(config, (runtime) => startIngress(config, runtime, { life, link }));
}
