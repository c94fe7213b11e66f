import { databaseOf, runService } from '@sallyport/platform';
import { readAuthConfig, startAuth } from '.';

runService({
  app: 'auth',
  readConfig: readAuthConfig,
  needsDatabase: true,
  start: (config, runtime) => startAuth(config, runtime, databaseOf(config)),
});
