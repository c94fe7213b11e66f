import { ConfigError, openRuntime, runMain } from '@sallyport/platform';
import { readCatalogConfig } from './config';
import { startCatalog } from './start';

runMain('catalog', async () => {
  const config = readCatalogConfig(process.env);
  if (config.databaseUrl === undefined) {
    throw new ConfigError('SALLYPORT_DATABASE_URL', 'is not set: expected the Postgres that holds the configuration');
  }
  const runtime = await openRuntime(config);
  try {
    const catalog = await startCatalog(config, runtime, { url: config.databaseUrl });
    return {
      close: async () => {
        await catalog.close();
        await runtime.close();
      },
    };
  } catch (error) {
    await runtime.close();
    throw error;
  }
});
