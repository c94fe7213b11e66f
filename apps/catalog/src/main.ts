import { databaseOf, runService } from '@sallyport/platform';
import { readCatalogConfig, startCatalog } from '.';

runService({
  app: 'catalog',
  readConfig: readCatalogConfig,
  needsDatabase: true,
  start: (config, runtime) => startCatalog(config, runtime, databaseOf(config)),
});
