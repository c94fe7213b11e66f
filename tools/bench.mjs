// Measures what a request costs beside its peers: `npm run bench:load -- --scenario proxy [--seconds 5 --windows 5 --json --keep]`
import { build } from './build.mjs';
import { install } from './install.mjs';
import { whenMain } from './process.mjs';

whenMain(import.meta, async (args) => {
  const { loadOptions, usage } = await import('../bench/load/options.mjs');
  const options = loadOptions(args);
  if (options.help) return console.log(usage());
  await install();
  await build();
  const { benchLoad } = await import('../bench/load/run.mjs');
  await benchLoad(options);
});
