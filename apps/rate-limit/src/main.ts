import { openRuntime, runMain } from '@sallyport/platform';
import { readRateLimitConfig, startRateLimit } from '.';

runMain('rate-limit', async () => {
  const config = readRateLimitConfig(process.env);
  const runtime = await openRuntime(config);
  const service = await startRateLimit(config, runtime).catch(async (error: unknown) => {
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
