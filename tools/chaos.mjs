// Breaks the product on purpose and looks what its callers notice: `npm run chaos [-- T02 T10 --quick --json --list]`
import { join } from 'node:path';
import { build } from './build.mjs';
import { install } from './install.mjs';
import { root, run, whenMain } from './process.mjs';

whenMain(import.meta, async (args) => {
  await install();
  await build();
  const main = join(root, 'test/chaos/main.ts');
  process.exit(
    await run(process.execPath, ['-r', join(root, 'tools/typescript.cjs'), main, ...args], { stdio: 'inherit' }),
  );
});
