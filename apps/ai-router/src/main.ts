import { ConfigError, openRuntime, runMain } from '@sallyport/platform';
import { readAiRouterConfig, startAiRouter } from '.';

runMain('ai-router', async () => {
  const config = readAiRouterConfig(process.env);
  if (!config.databaseUrl) throw new ConfigError('SALLYPORT_DATABASE_URL', 'is not set: expected postgresql://…');
  const runtime = await openRuntime(config);
  const service = await startAiRouter(config, runtime, { url: config.databaseUrl }).catch(async (error: unknown) => {
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
