// Required by a process that is measured: on SIGUSR2 it collects all its garbage and writes what is left into a file.
const { writeFileSync } = require('node:fs');
const { setFlagsFromString } = require('node:v8');
const { isMainThread } = require('node:worker_threads');
const { runInNewContext } = require('node:vm');

if (isMainThread && process.env.BENCH_COLLECTED) {
  process.on('SIGUSR2', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc');
    collect();
    collect();
    writeFileSync(process.env.BENCH_COLLECTED, JSON.stringify(process.memoryUsage()));
  });
}
