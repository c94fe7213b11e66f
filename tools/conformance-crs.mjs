// Runs the regression tests of a rule set: `npm run -s conformance:crs -- --rules DIR --setup FILE --tests DIR [--live] [--paranoia N] --json`
import { join } from 'node:path';
import { install } from './install.mjs';
import { root, run, whenMain } from './process.mjs';

whenMain(import.meta, async (args) => {
  await install();
  const main = join(root, 'test/conformance/crs/main.ts');
  process.exit(
    await run(process.execPath, ['-r', join(root, 'tools/typescript.cjs'), main, ...args], { stdio: 'inherit' }),
  );
});
