import { runService } from '@sallyport/platform';
import { readIngressConfig, startIngress } from '.';

runService({
  app: 'ingress',
  readConfig: readIngressConfig,
  start: (config, runtime) => startIngress(config, runtime),
});
