// Installs, builds and runs every test that can run here: `npm test [-- arguments of jest]`
import { accessSync, constants, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { build } from './build.mjs';
import { install } from './install.mjs';
import { root, run, say, whenMain } from './process.mjs';

/** Servers that some tests talk to. Those tests are skipped by name where the server is absent. */
const servers = [
  {
    program: 'nats-server',
    tests: 'the bus over NATS and the cluster end to end',
    install: 'apt-get install nats-server',
  },
  {
    program: 'redis-server',
    tests: 'shared limits and the cluster end to end',
    install: 'apt-get install redis-server',
  },
];

whenMain(import.meta, async (args) => {
  await install();
  await build();
  for (const { program, tests, install: how } of servers.filter(({ program }) => !isOnPath(program))) {
    say(`${program} is absent: skipping ${tests} (on Debian: ${how}).`);
  }
  process.exit(await runJest(args));
});

/** Debian puts servers where only root's path leads. */
function isOnPath(program) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders.some((folder) => isExecutable(join(folder, program)));
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function runJest(args) {
  const scratch = mkdtempSync(join(tmpdir(), 'sallyport-test-'));
  const results = join(scratch, 'results.json');
  try {
    const jest = join(root, 'node_modules/jest/bin/jest.js');
    const code = await run(process.execPath, [jest, '-w', '2', '--json', `--outputFile=${results}`, ...args]);
    const { passed, failed, skipped } = countsOf(results, code);
    console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
    return code;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** A file that could not be run at all counts as one failed test, and so does a run that left no results. */
function countsOf(results, code) {
  try {
    const run = JSON.parse(readFileSync(results, 'utf8'));
    return {
      passed: run.numPassedTests,
      failed: run.numFailedTests + run.numRuntimeErrorTestSuites,
      skipped: run.numPendingTests + run.numTodoTests,
    };
  } catch {
    return { passed: 0, failed: code === 0 ? 0 : 1, skipped: 0 };
  }
}
