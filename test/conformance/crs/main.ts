import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { sharedData } from '@sallyport/testkit';
import { argumentsOf } from '../command-line';
import { EngineTarget } from './engine-target';
import { LiveTarget } from './live-target';
import { readOverrides } from './overrides';
import { ruleFolder, setupBeside } from './rule-files';
import { runTests, type Report, type RunResult } from './run';
import { readTests } from './test-file';

const PASSED = 0;
const FAILED = 1;
const UNUSABLE = 2;
const NO_DATA = 3;

const values = argumentsOf(
  {
    rules: { type: 'string' },
    setup: { type: 'string' },
    tests: { type: 'string' },
    paranoia: { type: 'string', default: '4' },
    only: { type: 'string' },
    live: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
  [
    'npm run -s conformance:crs -- [options]',
    '  --rules DIR      folder of the rules',
    '  --setup FILE     setup file (the one beside the rules)',
    '  --tests DIR      folder of tests in the form of go-ftw',
    '  --paranoia N     paranoia level (4)',
    '  --only ID        only tests whose id begins so',
    '  --live           through a real gateway, by HTTP',
    '  --json           one JSON object',
  ],
);

void main().then(
  (code) => (process.exitCode = code),
  (error: Error) => {
    console.error(error.message);
    process.exitCode = UNUSABLE;
  },
);

async function main(): Promise<number> {
  const shared = sharedData('crs', '4.28.0') ?? 'the folder crs/4.28.0 of the shared data';
  const { tests = join(shared, 'tests') } = values;
  const rules = ruleFolder(values.rules ?? shared);
  const setup = values.setup ?? setupBeside(rules);
  const missing = [rules, tests, ...(setup === undefined ? [] : [setup])].filter((path) => !existsSync(path));
  if (missing.length > 0) {
    console.error(`CRS DATA MISSING: 3,439 conformance tests NOT RUN (there is no ${missing.join(', no ')})`);
    return NO_DATA;
  }
  const cases = readTests(tests).filter(({ id }) => values.only === undefined || id.startsWith(values.only));
  const under = { rules, setup, paranoia: Number(values.paranoia) };
  const target = values.live ? await LiveTarget.start(under) : new EngineTarget(under);
  try {
    const result = await runTests(cases, target, new Set(readOverrides().map(({ test }) => test)));
    print(result);
    return result.failed.length === 0 ? PASSED : FAILED;
  } finally {
    await target.close();
  }
}

function print(result: RunResult): void {
  const { total, passed, failed, overridden, faults } = result;
  if (values.json) {
    console.log(JSON.stringify({ total, passed, failed, overridden } satisfies Report));
    return;
  }
  for (const [test, found] of faults) console.log(`${test}: ${found.join('; ')}`);
  console.log(`${passed} of ${total} passed, ${failed.length} failed, ${overridden.length} overridden`);
}
