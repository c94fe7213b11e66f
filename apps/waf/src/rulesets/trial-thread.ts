import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { RuleSetText } from './rule-files';
import { tryRuleSet, type Tried } from './trial';

/** Tries a rule set before it may be used. */
export type Trial = (text: RuleSetText) => Promise<Tried>;

export interface TrialLimits {
  /** Milliseconds by the clock. */
  readonly longestMs: number;
  readonly mostHeapMib: number;
}

/** A set that takes longer is not worth what it costs, or never ends: 10 s, and as much again where the machine is busy. */
const LIMITS: TrialLimits = { longestMs: 20_000, mostHeapMib: 512 };

/**
 * Compiles and tries a rule set in a thread of its own, so that nobody waits for it and nothing it does to memory or time
 * reaches those who decide.
 */
export async function tryInThread(text: RuleSetText): Promise<Tried> {
  const main = join(__dirname, 'trial-thread-main.js');
  // Tests run the sources, where there is no such file.
  return existsSync(main) ? runTrial(main, text) : tryRuleSet(text);
}

/**
 * @param main file that the thread runs; it is given the text and posts what came of it
 * @returns what it posted, or why nothing came; never throws. The thread is gone then.
 */
export async function runTrial(
  main: string,
  text: RuleSetText,
  { longestMs, mostHeapMib }: TrialLimits = LIMITS,
): Promise<Tried> {
  const worker = new Worker(main, { workerData: text, resourceLimits: { maxOldGenerationSizeMb: mostHeapMib } });
  let timer: NodeJS.Timeout | undefined;
  const tried = await new Promise<Tried>((resolve) => {
    const fail = (problem: string): void => resolve({ ok: false, problem: { place: undefined, text: problem } });
    timer = setTimeout(() => fail(`it takes more than ${longestMs / 1000} s to compile`), longestMs);
    worker.once('message', resolve);
    // A thread may fail once more while it is ended.
    worker.on('error', (error: NodeJS.ErrnoException) =>
      fail(
        error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? `it takes more than ${mostHeapMib} MiB to compile` : error.message,
      ),
    );
    worker.once('exit', () => fail('the thread that compiled it ended'));
  });
  clearTimeout(timer);
  await worker.terminate();
  return tried;
}
