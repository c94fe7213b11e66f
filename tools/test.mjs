// Installs, builds and runs every test that can run here, with the quick ones of the chaos harness behind them:
// `npm test [-- arguments of jest, and no chaos]`
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
    const counts = countsOf(results, code);
    const chaos = args.length === 0 ? await runChaos(scratch) : { passed: 0, failed: 0, skipped: 0 };
    const sum = (name) => counts[name] + chaos[name];
    console.log(`${sum('passed')} passed, ${sum('failed')} failed, ${sum('skipped')} skipped`);
    return code || (chaos.failed > 0 ? 1 : 0);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Not beside the specs: what it looks at must not be a machine that is busy with them. */
async function runChaos(scratch) {
  const results = join(scratch, 'chaos.json');
  const code = await run(process.execPath, [join(root, 'tools/chaos.mjs'), '--quick', `--results=${results}`]);
  try {
    const { tests } = JSON.parse(readFileSync(results, 'utf8'));
    const count = (pass) => tests.filter((test) => test.pass === pass).length;
    // A product that did not end well is one failure more.
    const failed = count(false);
    return { passed: count(true), failed: failed === 0 && code !== 0 ? 1 : failed, skipped: count(null) };
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
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
