import { openRuntime, runMain } from '@sallyport/platform';
import { readWafConfig, startWaf } from '.';

runMain('waf', async () => {
  const config = readWafConfig(process.env);
  const runtime = await openRuntime(config);
  const service = await startWaf(config, runtime).catch(async (error: unknown) => {
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
