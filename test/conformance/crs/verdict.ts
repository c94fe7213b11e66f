import type { StageOutput } from './test-file';

/** What came of one stage. */
export interface Observation {
  /** Undefined where there was no answer that could be read. */
  readonly status: number | undefined;
  /** The answer as it came, head and body. */
  readonly response: string;
  /** Lines the rules left, in the order of their hits. */
  readonly log: readonly string[];
}

/** @returns why a stage failed, each a sentence; none when it passed */
export function faultsOf(expected: StageOutput, seen: Observation): string[] {
  const { expectError } = expected;
  const failed = seen.status === undefined;
  // As go-ftw does: where an error is expected nothing else is looked at.
  if (expectError === true) return failed ? [] : ['there was an answer and no error'];
  if (failed) return ['there was no answer'];
  return [...statusFaults(expected, seen), ...logFaults(expected, seen)];
}

function statusFaults({ status, responseContains }: StageOutput, seen: Observation): string[] {
  const faults: string[] = [];
  if (status.length > 0 && !status.includes(seen.status!))
    faults.push(`status ${seen.status} instead of ${status.join(' or ')}`);
  if (responseContains !== undefined && !expression(responseContains).test(seen.response))
    faults.push('the answer does not contain what it should');
  return faults;
}

function logFaults(expected: StageOutput, { log }: Observation): string[] {
  const rules = rulesIn(log);
  const faults: string[] = [];
  const missing = expected.expectIds.filter((id) => !rules.has(id));
  if (missing.length > 0) faults.push(`no hit of ${missing.join(', ')}`);
  const unexpected = expected.noExpectIds.filter((id) => rules.has(id));
  if (unexpected.length > 0) faults.push(`a hit of ${unexpected.join(', ')}`);
  if (expected.isolated && rules.size !== 1) faults.push(`hits of ${rules.size} rules instead of one`);
  const has = (pattern: string): boolean => log.some((line) => expression(pattern).test(line));
  if (expected.matchRegex !== undefined && !has(expected.matchRegex))
    faults.push(`no line matches ${expected.matchRegex}`);
  if (expected.noMatchRegex !== undefined && has(expected.noMatchRegex))
    faults.push(`a line matches ${expected.noMatchRegex}`);
  return faults;
}

/** Ids of the rules in log lines, as go-ftw finds them. */
export function rulesIn(log: readonly string[]): Set<number> {
  const ids = log.flatMap((line) => [...line.matchAll(/\[id \\?"(\d+)\\?"\]|"id":\s*"?(\d+)"?/g)]);
  return new Set(ids.map(([, bracketed, quoted]) => Number(bracketed ?? quoted)));
}

/** Tests are configuration, and so are their expressions; the flags Go writes at the start are written otherwise here. */
function expression(pattern: string): RegExp {
  const [, flags = '', rest = pattern] = /^\(\?([ims]+)\)([^]*)$/.exec(pattern) ?? [];
  return new RegExp(rest, flags);
}
