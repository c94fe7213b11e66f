import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { sharedData } from '@sallyport/testkit';
import { EngineTarget } from './engine-target';
import { MOST_OVERRIDES, readKnownFailures, readOverrides } from './overrides';
import { runTests, type RunResult } from './run';
import { readTests } from './test-file';

const COUNT = 3_439;
const data = crsFolder();
const whenThere = data === undefined ? describe.skip : describe;

if (data === undefined) console.warn('CRS DATA MISSING: 3,439 conformance tests NOT RUN');

/** A release with its tests: rules and tests as folders of their own. */
function crsFolder(): string | undefined {
  const own = process.env['SALLYPORT_CRS_DIR'];
  const folder = own !== undefined && existsSync(join(own, 'tests')) ? own : sharedData('crs', '4.28.0');
  return folder !== undefined && existsSync(join(folder, 'tests')) ? folder : undefined;
}

whenThere('the regression tests of CRS, in this process', () => {
  let result: RunResult;

  beforeAll(async () => {
    const target = new EngineTarget({
      rules: join(data!, 'rules'),
      setup: join(data!, 'crs-setup.conf.example'),
      paranoia: 4,
    });
    result = await runTests(readTests(join(data!, 'tests')), target, new Set(readOverrides().map(({ test }) => test)));
  }, 300_000);

  it('are all run', () => {
    expect(result.total).toBeGreaterThanOrEqual(COUNT);
    expect(result.passed + result.failed.length + result.overridden.length).toBe(result.total);
  });

  it('pass, but for those known to fail', () => {
    const known = new Set(readKnownFailures());
    const unknown = result.failed.filter((test) => !known.has(test));
    expect(unknown.map((test) => `${test}: ${result.faults.get(test)!.join('; ')}`)).toEqual([]);
  });

  it('fail where they are known to: a test that passes leaves the list', () => {
    const failed = new Set(result.failed);
    expect(readKnownFailures().filter((test) => !failed.has(test))).toEqual([]);
  });

  it('have no override for a test that is not there', () => {
    expect([...result.overridden].sort()).toEqual(
      readOverrides()
        .map(({ test }) => test)
        .sort(),
    );
  });
});

describe('the data of the conformance tests', () => {
  it('is there where it has to be', () => {
    if (process.env['SALLYPORT_REQUIRE_CRS'] === '1') expect(data).toBeDefined();
  });
});

describe('the list of overrides', () => {
  it('is short, and each says what is answered and why', () => {
    const overrides = readOverrides();
    expect(overrides.length).toBeLessThanOrEqual(MOST_OVERRIDES);
    for (const { test, answer, reason } of overrides) {
      expect(test).toMatch(/^\d{6}-\d+$/);
      expect(answer.length).toBeGreaterThan(10);
      expect(reason).toMatch(/RFC \d+ §|nginx|Coraza/);
    }
  });
});

describe('the list of known failures', () => {
  it('is sorted and names no test twice', () => {
    const known = readKnownFailures();
    expect(known).toEqual([...new Set(known)].sort());
  });

  it('only becomes shorter', () => {
    const before = listAtMergeBase();
    if (before !== undefined) expect(readKnownFailures().filter((test) => !before.includes(test))).toEqual([]);
  });
});

/** @returns undefined where there is no history to compare with */
function listAtMergeBase(): string[] | undefined {
  const git = (...args: string[]): string =>
    execFileSync('git', args, {
      cwd: dirname(__filename),
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  try {
    const base = git('merge-base', 'HEAD', process.env['SALLYPORT_BASE_REF'] ?? 'origin/main');
    return JSON.parse(git('show', `${base}:./known-failures.json`)) as string[];
  } catch {
    return undefined;
  }
}
