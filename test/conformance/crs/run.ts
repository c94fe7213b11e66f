import type { Target } from './engine-target';
import { bytesOf } from './stage-bytes';
import type { Stage, TestCase } from './test-file';
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
  const faults = new Map<string, readonly string[]>();
  const left: string[] = [];
  for (const test of tests) {
    if (overridden.has(test.id)) {
      left.push(test.id);
      continue;
    }
    const found = await faultsOfTest(test, target);
    if (found.length > 0) faults.set(test.id, found);
  }
  const failed = [...faults.keys()].sort();
  return { total: tests.length, passed: tests.length - failed.length - left.length, failed, overridden: left, faults };
}

async function faultsOfTest({ stages }: TestCase, target: Target): Promise<string[]> {
  for (const stage of stages) {
    let faults = await faultsOfStage(stage, target);
    if (faults.length > 0 && stage.output.retryOnce) faults = await faultsOfStage(stage, target);
    if (faults.length > 0) return faults;
  }
  return [];
}

async function faultsOfStage({ input, output }: Stage, target: Target): Promise<string[]> {
  return faultsOf(output, await target.exchange(bytesOf(input)));
}
