import { openService, runMain, type Life, type Running } from '@sallyport/platform';
import { startIngress } from '.';
import { readIngressConfig, workerConfig } from './config';
import { ownChannel, ownSlot } from './workers/processes';
import { startGroup } from './workers/group';
import { WorkerLink } from './workers/worker-link';

const slot = ownSlot();

runMain('ingress', (life) => (slot === undefined ? startFirst(life) : startWorker(slot, life)), {
  supervised: slot !== undefined,
});

/** One worker needs no supervisor: it is this process. */
async function startFirst(life: Life): Promise<Running> {
  const config = readIngressConfig(process.env);
  if (config.workers > 1) return startGroup(config, life);
  return openService(config, (runtime) => startIngress(config, runtime, { life }));
}

async function startWorker(place: number, life: Life): Promise<Running> {
  const link = new WorkerLink(ownChannel(), life);
  const config = workerConfig(readIngressConfig(process.env), place);
  return openService(config, (runtime) => startIngress(config, runtime, { life, link }));
}
