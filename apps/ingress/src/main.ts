import { openService, runMain, type Life, type Running } from '@sallyport/platform';
import { startIngress } from '.';
import { readIngressConfig, workerConfig, type IngressConfig } from './config';
import type { IngressPlace } from './ingress';
import { startGroup } from './workers/group';
import { isWorker, ownChannel } from './workers/processes';
import { WorkerLink } from './workers/worker-link';

runMain('ingress', isWorker ? startWorker : startFirst, { supervised: isWorker });

/** A supervisor, unless something else starts again what has died: then this process answers by itself. */
async function startFirst(life: Life): Promise<Running> {
  const config = readIngressConfig(process.env);
  if (config.workers > 0) return startGroup(config, life);
  return openIngress(config, { life });
}

async function startWorker(life: Life): Promise<Running> {
  const link = new WorkerLink(ownChannel(), life);
  const slot = await link.slot;
  if (slot === undefined) return { close: () => Promise.resolve() };
  const config = workerConfig(readIngressConfig(process.env), slot);
  return openIngress(config, { life, link });
}

function openIngress(config: IngressConfig, place: IngressPlace): Promise<Running> {
  return openService(config, (runtime) => startIngress(config, runtime, place), { startsFromDisk: true });
}
