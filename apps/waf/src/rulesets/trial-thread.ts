import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { RuleSetText } from './rule-files';
import { tryRuleSet, type Tried } from './trial';

/** Tries a rule set before it may be used. */
export type Trial = (text: RuleSetText) => Promise<Tried>;

/** A set that takes longer is not worth what it costs, or never ends. */
const LONGEST_MS = 20_000;
const MOST_HEAP_MIB = 512;

/**
 * Compiles and tries a rule set in a thread of its own, so that nobody waits for it and nothing it does to memory or time
 * reaches those who decide.
 */
export async function tryInThread(text: RuleSetText): Promise<Tried> {
  const main = join(__dirname, 'trial-thread-main.js');
  // Tests run the sources, where there is no such file.
  if (!existsSync(main)) return tryRuleSet(text);
  const worker = new Worker(main, { workerData: text, resourceLimits: { maxOldGenerationSizeMb: MOST_HEAP_MIB } });
  let timer: NodeJS.Timeout | undefined;
  const tried = await new Promise<Tried>((resolve) => {
    const fail = (problem: string): void => resolve({ ok: false, problem: { place: undefined, text: problem } });
    timer = setTimeout(() => fail(`it takes more than ${LONGEST_MS / 1000} s to compile`), LONGEST_MS);
    worker.once('message', resolve);
    worker.once('error', (error: NodeJS.ErrnoException) =>
      fail(
        error.code === 'ERR_WORKER_OUT_OF_MEMORY'
          ? `it takes more than ${MOST_HEAP_MIB} MiB to compile`
          : error.message,
      ),
    );
    worker.once('exit', () => fail('the thread that compiled it ended'));
  });
  clearTimeout(timer);
  await worker.terminate();
  return tried;
}
