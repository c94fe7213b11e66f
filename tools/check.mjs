// Everything that can be said about the sources without running them: `npm run check`
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { install } from './install.mjs';
import { bin, root, run, say, whenMain } from './process.mjs';

const node = (tool, ...args) => [process.execPath, [join(root, 'tools', tool), ...args]];
const cruiser = '.dependency-cruiser.cjs';

/** Two at a time: linting takes as long as all the others. */
const lanes = [
  [['lint', bin('eslint'), ['.']]],
  [
    ['format', bin('prettier'), ['--check', '--log-level=warn', '.']],
    ['types', bin('tsc'), ['--noEmit', '-p', 'tsconfig.json']],
    ['dead code', bin('knip'), []],
    ...(existsSync(join(root, cruiser)) ? [['imports', bin('depcruise'), ['--config', cruiser, 'apps', 'libs']]] : []),
    ['proto files', bin('buf'), ['lint']],
    ['generated files', ...node('gen.mjs', '--check')],
    ['lockfile', ...node('lockfile.mjs')],
  ],
];

whenMain(import.meta, async () => {
  await install();
  const failed = (await Promise.all(lanes.map(failures))).flat();
  console.log(failed.length === 0 ? 'All checks passed.' : `Failed: ${failed.join(', ')}.`);
  process.exit(failed.length === 0 ? 0 : 1);
});

/** Runs steps one after the other. @returns the names of those that failed */
async function failures(steps) {
  const failed = [];
  for (const [name, command, args] of steps) {
    const begun = Date.now();
    const passed = (await run(command, args)) === 0;
    if (!passed) failed.push(name);
    say(`${passed ? 'ok    ' : 'FAILED'} ${name} (${((Date.now() - begun) / 1000).toFixed(1)} s)`);
  }
  return failed;
}
