import { openRuntime, runMain } from '@sallyport/platform';
import { readIngressConfig } from './config';
import { startIngress } from './ingress';

runMain('ingress', async () => {
  const config = readIngressConfig(process.env);
  const runtime = await openRuntime(config);
  const ingress = await startIngress(config, runtime);
  return {
    async close() {
      await ingress.close();
      await runtime.close();
    },
  };
});
