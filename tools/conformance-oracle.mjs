// Compares our engine with libmodsecurity: `npm run -s conformance:oracle -- [--release 4.28.0|3.3.4] [--paranoia N] [--count N | --each-rule N] [--seed N]`
import { join } from 'node:path';
import { install } from './install.mjs';
import { root, run, whenMain } from './process.mjs';

whenMain(import.meta, async (args) => {
  await install();
  const main = join(root, 'test/conformance/oracle/main.ts');
  process.exit(
    await run(process.execPath, ['-r', join(root, 'tools/typescript.cjs'), main, ...args], { stdio: 'inherit' }),
  );
});
