import { runService } from '@sallyport/platform';
import { readWafConfig, startWaf } from '.';

runService({
  app: 'waf',
  readConfig: readWafConfig,
  startsFromDisk: true,
  start: (config, runtime) => startWaf(config, runtime),
});
