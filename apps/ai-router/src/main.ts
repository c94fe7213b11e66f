import { databaseOf, runService } from '@sallyport/platform';
import { readAiRouterConfig, startAiRouter } from '.';

runService({
  app: 'ai-router',
  readConfig: readAiRouterConfig,
  needsDatabase: true,
  start: (config, runtime) => startAiRouter(config, runtime, databaseOf(config)),
});
