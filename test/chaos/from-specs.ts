import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import type { ChaosTest, Verdict } from './chaos-test';
import type { Check } from './checkers';

const root = join(__dirname, '..', '..');
const TAIL = 2_000;

type Words = Pick<ChaosTest, 'number' | 'title' | 'procedure' | 'pass'>;

/** A test that lives in specs, as every case whose name holds `rel-` and its number: it runs them and takes their verdict. */
export function fromSpecs(words: Words): ChaosTest {
  // They run with the other specs, too: nothing is gained by running them twice in a quick run.
  return { ...words, quick: false, run: async ({ say }) => verdictOf(words.number, say) };
}

async function verdictOf(number: string, say: (text: string) => void): Promise<Verdict> {
  const name = `rel-${number}`;
  const files = ['apps', 'libs', 'test'].flatMap((folder) => specsIn(join(root, folder))).filter(mentions(name));
  if (files.length === 0) return { skipped: `no spec has a case named ${name} yet` };
  const scratch = mkdtempSync(join(tmpdir(), 'sp-chaos-'));
  try {
    const results = join(scratch, 'results.json');
    const output = await runJest(['-w', '1', '--json', `--outputFile=${results}`, '-t', `${name}\\b`, ...files]);
    const { passed, failed, skipped } = countsIn(results, name);
    if (failed > 0 || passed === 0) say(output.slice(-TAIL));
    return {
      checks: [
        {
          name: casesOf(files),
          figure: `${passed} passed, ${failed} failed${skipped.length > 0 ? `, skipped: ${skipped.join('; ')}` : ''}`,
          passed: failed === 0 && passed > 0,
        },
      ],
    };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function casesOf(files: readonly string[]): Check['name'] {
  return `cases in ${files.map((file) => relative(root, file)).join(', ')}`;
}

function specsIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.spec.ts') && !entry.parentPath.includes('node_modules'))
    .map((entry) => join(entry.parentPath, entry.name));
}

function mentions(name: string): (file: string) => boolean {
  const whole = new RegExp(`${name}\\b`);
  return (file) => whole.test(readFileSync(file, 'utf8'));
}

function runJest(args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [join(root, 'node_modules/jest/bin/jest.js'), ...args], { cwd: root });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  return new Promise((resolve) => child.once('close', () => resolve(output)));
}

interface Case {
  readonly fullName: string;
  readonly status: string;
}

interface JestRun {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numRuntimeErrorTestSuites: number;
  readonly testResults: readonly { readonly assertionResults: readonly Case[] }[];
}

/**
 * A file that could not be run counts as one failed case, and so does a run that left no results. What its own spec skips, for want of
 * a tool, is named: Jest calls all those pending that were not asked for.
 */
function countsIn(results: string, name: string): { passed: number; failed: number; skipped: string[] } {
  try {
    const run = JSON.parse(readFileSync(results, 'utf8')) as JestRun;
    const asked = new RegExp(`${name}\\b`);
    const cases = run.testResults.flatMap(({ assertionResults }) => assertionResults);
    const pending = cases.filter(({ fullName, status }) => status === 'pending' && asked.test(fullName));
    return {
      passed: run.numPassedTests,
      failed: run.numFailedTests + run.numRuntimeErrorTestSuites,
      skipped: pending.map(({ fullName }) => fullName),
    };
  } catch {
    return { passed: 0, failed: 1, skipped: [] };
  }
}
