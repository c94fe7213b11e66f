import { bytesOf } from './stage-bytes';
import type { Target } from './target';
import type { TestCase } from './test-file';
import { faultsOf } from './verdict';

/** What came of a run, as `--json` prints it. */
export interface Report {
  readonly total: number;
  readonly passed: number;
  /** Sorted. */
  readonly failed: readonly string[];
  readonly overridden: readonly string[];
}

export interface RunResult extends Report {
  /** By test: what was wrong. */
  readonly faults: ReadonlyMap<string, readonly string[]>;
}

/** @param overridden tests that count in the total and are not looked at */
export async function runTests(
  tests: readonly TestCase[],
  target: Target,
  overridden: ReadonlySet<string>,
): Promise<RunResult> {
  const looked = tests.filter(({ id }) => !overridden.has(id));
  const faults = await faultsOfTests(looked, target);
  // Some tests ask for a second try, since logs are written when they are written.
  const again = looked.filter(({ id, stages }) => faults.has(id) && stages.some(({ output }) => output.retryOnce));
  const stillThere = await faultsOfTests(again, target);
  for (const { id } of again) if (!stillThere.has(id)) faults.delete(id);
  const failed = [...faults.keys()].sort();
  const left = tests.filter(({ id }) => overridden.has(id)).map(({ id }) => id);
  return { total: tests.length, passed: looked.length - failed.length, failed, overridden: left, faults };
}

async function faultsOfTests(tests: readonly TestCase[], target: Target): Promise<Map<string, readonly string[]>> {
  const stages = tests.flatMap(({ id, stages: own }) => own.map((stage) => ({ id, stage })));
  const observations = await target.observe(stages.map(({ stage }) => bytesOf(stage.input)));
  const faults = new Map<string, readonly string[]>();
  for (const [at, { id, stage }] of stages.entries()) {
    const found = faultsOf(stage.output, observations[at]!);
    if (found.length > 0) faults.set(id, [...(faults.get(id) ?? []), ...found]);
  }
  return faults;
}
