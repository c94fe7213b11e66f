import { ConfigError, openRuntime, runMain } from '@sallyport/platform';
import { readAuditConfig, startAudit } from '.';

runMain('audit', async () => {
  const config = readAuditConfig(process.env);
  const { databaseUrl: url } = config;
  if (url === undefined) throw new ConfigError('SALLYPORT_DATABASE_URL', 'is not set: expected the URL of Postgres');
  const runtime = await openRuntime(config);
  const service = await startAudit(config, runtime, { url }).catch(async (error: unknown) => {
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
