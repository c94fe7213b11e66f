// Installs, builds and runs every test that can run here, with the quick ones of the chaos harness behind them:
// `npm test [-- arguments of jest, and no chaos]`
import { accessSync, constants, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
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
    const chaos = args.length === 0 ? await runChaos(scratch) : { passed: 0, failed: 0, skipped: 0, failures: [] };
    const sum = (name) => counts[name] + chaos[name];
    // Thousands of lines above nobody finds what failed.
    for (const failure of [...counts.failures, ...chaos.failures]) say(`failed: ${failure}`);
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
    const failures = tests.filter(({ pass }) => pass === false).map(chaosFailure);
    // A product that did not end well is one failure more.
    if (failures.length === 0 && code !== 0) failures.push('chaos: the product did not end well');
    return { passed: count(true), failed: failures.length, skipped: count(null), failures };
  } catch {
    return { passed: 0, failed: 1, skipped: 0, failures: ['chaos: the run left no results'] };
  }
}

function chaosFailure({ number, title, checks = [] }) {
  const broken = checks.filter(({ passed }) => !passed).map(({ name, figure }) => `${name}: ${figure}`);
  return `${number} ${title}: ${broken.join('; ')}`;
}

/** A file that could not be run at all counts as one failed test, and so does a run that left no results. */
function countsOf(results, code) {
  try {
    const run = JSON.parse(readFileSync(results, 'utf8'));
    return {
      passed: run.numPassedTests,
      failed: run.numFailedTests + run.numRuntimeErrorTestSuites,
      skipped: run.numPendingTests + run.numTodoTests,
      failures: run.testResults.flatMap(jestFailures),
    };
  } catch {
    const failures = code === 0 ? [] : ['jest: the run left no results'];
    return { passed: 0, failed: failures.length, skipped: 0, failures };
  }
}

/** One line for each test of a file that failed, with why; one for a file that could not be run. */
function jestFailures({ name, message, status, assertionResults }) {
  const file = relative(root, name);
  const failed = assertionResults.filter((test) => test.status === 'failed');
  if (failed.length === 0) return status === 'failed' ? [`${file}: ${reasonOf(message)}`] : [];
  return failed.map(({ fullName, failureMessages }) => `${file} › ${fullName}: ${reasonOf(failureMessages[0] ?? '')}`);
}

function reasonOf(message) {
  const lines = stripVTControlCharacters(message)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('at '));
  return lines.slice(0, 4).join(' ').slice(0, 400);
}
