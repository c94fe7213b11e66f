// Measures what a request costs beside its peers: `npm run bench [-- --seconds 5 --windows 5 --json]`
import { build } from './build.mjs';
import { install } from './install.mjs';
import { whenMain } from './process.mjs';

whenMain(import.meta, async (args) => {
  await install();
  await build();
  const { benchProxy } = await import('../bench/load/proxy.mjs');
  await benchProxy(args);
});
