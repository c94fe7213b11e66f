import { ConfigError, openRuntime, runMain } from '@sallyport/platform';
import { readAuthConfig, startAuth } from '.';

runMain('auth', async () => {
  const config = readAuthConfig(process.env);
  const { databaseUrl: url } = config;
  if (url === undefined) throw new ConfigError('SALLYPORT_DATABASE_URL', 'is not set: expected the URL of Postgres');
  const runtime = await openRuntime(config);
  const service = await startAuth(config, runtime, { url }).catch(async (error: unknown) => {
    await runtime.close();
    throw error;
  });
  return {
    close: async () => {
      await service.close();
      await runtime.close();
    },
  };
});
