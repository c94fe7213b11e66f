import type { ChaosTest } from './chaos-test';
import { killIngress } from './t01-kill-ingress';
import { killServices } from './t02-kill-services';
import { stopServices } from './t03-stop-services';
import { slowNetwork } from './t04-slow-network';
import { noWaf } from './t10-no-waf';
import { noRateLimit } from './t11-no-rate-limit';
import { collectorBlackHole } from './t12-collector-black-hole';
import { rollingRestart } from './t16-rolling-restart';
import { slowReaders } from './t23-slow-readers';
import { slowClients } from './t26-slow-clients';
import { hugeBodies } from './t28-huge-bodies';
import { reload } from './t50-reload';

/** Every test of the table, in its order. */
export const catalogue: readonly ChaosTest[] = [
  killIngress,
  killServices,
  stopServices,
  slowNetwork,
  noWaf,
  noRateLimit,
  collectorBlackHole,
  rollingRestart,
  slowReaders,
  slowClients,
  hugeBodies,
  reload,
];
