import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

/** A test that is not run, since it asks for something that is not done on purpose. */
export interface Override {
  /** `920181-1` */
  readonly test: string;
  /** What we answer instead. */
  readonly answer: string;
  /** Why, with the section of an RFC or the override of another engine. */
  readonly reason: string;
}

export const MOST_OVERRIDES = 5;

export function readOverrides(): Override[] {
  const { overrides } = parse(readFileSync(join(__dirname, 'overrides.yaml'), 'utf8')) as { overrides: Override[] };
  return overrides;
}

/** Tests that fail today; the list may only become shorter. */
export function readKnownFailures(): string[] {
  return JSON.parse(readFileSync(join(__dirname, 'known-failures.json'), 'utf8')) as string[];
}
