// Required by a process that is measured: on SIGUSR2 it collects all garbage of all its threads and writes what is left into a file.
const { writeFileSync } = require('node:fs');
const { setFlagsFromString } = require('node:v8');
const { BroadcastChannel, isMainThread, threadId } = require('node:worker_threads');
const { runInNewContext } = require('node:vm');

const THREAD_SECONDS = 10;

if (process.env.BENCH_COLLECTED) {
  const threads = new BroadcastChannel('bench-collect');
  threads.unref();
  if (isMainThread) collectsOnSignal(threads, process.env.BENCH_COLLECTED);
  else collectsWhenAsked(threads);
}

function collectsOnSignal(threads, file) {
  const others = new Set();
  let answered = () => undefined;
  threads.onmessage = ({ data: { from, usage } }) => (usage ? answered(usage) : others.add(from));
  process.on('SIGUSR2', async () => {
    const usages = await new Promise((resolve) => {
      const got = [];
      answered = (usage) => got.push(usage) === others.size && resolve(got);
      threads.postMessage('collect');
      setTimeout(resolve, others.size === 0 ? 0 : THREAD_SECONDS * 1000, got);
    });
    usages.push(collected());
    const sum = (member) => usages.reduce((all, usage) => all + usage[member], 0);
    // The kernel knows one resident size of all threads; the heaps are each thread's own.
    const left = { rss: process.memoryUsage.rss(), heapUsed: sum('heapUsed'), external: sum('external') };
    writeFileSync(file, JSON.stringify(left));
  });
}

function collectsWhenAsked(threads) {
  threads.onmessage = () => threads.postMessage({ from: threadId, usage: collected() });
  threads.postMessage({ from: threadId });
}

/** Collects as V8 does before it gives up: empty pages go back to the system. */
function collected() {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc');
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  return process.memoryUsage();
}
