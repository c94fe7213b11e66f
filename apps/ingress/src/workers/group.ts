import { systemClock } from '@sallyport/contracts';
import { createLogger, createMetrics, opening, startHealth, type Life, type Running } from '@sallyport/platform';
import { endsWithinMs, type IngressConfig } from '../config';
import { launchProcess } from './processes';
import { Spare } from './spare';
import { Supervisor } from './supervisor';

/** What the supervisor adds to the bound of its workers, so that they end by themselves. */
const GRACE_MS = 1_000;

/**
 * Makes this process the supervisor of a group of workers. It alone binds the health port.
 * @throws ListenError when that is taken, AlreadyReported when the first worker could not start.
 */
export async function startGroup(config: IngressConfig, life: Life): Promise<Running> {
  const logger = createLogger({ app: 'ingress', node: config.nodeName, level: config.logLevel });
  const metrics = createMetrics('ingress');
  const processes = new Spare(launchProcess);
  const supervisor = new Supervisor({ count: config.workers, processes, clock: systemClock, logger, metrics });
  const bound = endsWithinMs(config) + GRACE_MS;
  // Whatever ends this process, no worker outlives it.
  process.once('exit', () => supervisor.kill());
  return opening(async (opened) => {
    if (config.listen.health) {
      const ready = () => supervisor.readiness();
      const started = () => supervisor.started;
      opened.push(await startHealth({ address: config.listen.health, metrics: supervisor, ready, started }));
    }
    // At once, also while the first worker is still starting.
    life.onEnd((reason) => void supervisor.end(reason));
    opened.push({ close: () => supervisor.end(life.reason ?? 'SIGTERM') });
    await supervisor.start();
    return { endsWithinMs: bound };
  });
}
