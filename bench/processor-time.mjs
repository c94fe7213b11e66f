// What the small benchmarks share: a command line, and the processor time of something that is done again and again.
import { parseArgs } from 'node:util';
import { build } from '../tools/build.mjs';
import { whenMain } from '../tools/process.mjs';
import { median } from './load/machine.mjs';

const WINDOWS = 7;
/** While it is compiled. */
const WARM_WINDOWS = 2;

/**
 * Runs a benchmark where its file is what was started: `[--seconds S] [--json]`, S for each window.
 * @param meta `import.meta` of the file
 * @param each what one figure is of, `request`
 * @param measure gets the seconds of a window; its figures, by name, are nanoseconds
 */
export function smallBenchmark(meta, each, measure) {
  whenMain(meta, async (args) => {
    const { values } = parseArgs({
      args,
      options: { seconds: { type: 'string', default: '0.5' }, json: { type: 'boolean', default: false } },
    });
    await build();
    const figures = await measure(Number(values.seconds));
    if (values.json) return console.log(JSON.stringify(figures));
    const width = Math.max(...Object.keys(figures).map((name) => name.length));
    for (const [name, ns] of Object.entries(figures)) {
      console.log(`${name.padEnd(width)} ${String(ns).padStart(8)} cpu-ns per ${each}`);
    }
  });
}

/** @returns processor nanoseconds of doing it once, the median of several windows. */
export function nanosecondsOf(once, seconds) {
  const windows = [];
  for (let window = 0; window < WINDOWS; window++) {
    const before = process.cpuUsage();
    const end = performance.now() + seconds * 1000;
    let done = 0;
    while (performance.now() < end) for (let at = 0; at < 1000; at++, done++) once();
    windows.push(perOne(before, done));
  }
  return Math.round(median(windows.slice(WARM_WINDOWS)));
}

/** @returns processor nanoseconds of doing it for one of these, each of which can be done only once; one after the other. */
export async function nanosecondsOfEach(items, once) {
  const size = Math.floor(items.length / WINDOWS);
  const windows = [];
  for (let window = 0; window < WINDOWS; window++) {
    const before = process.cpuUsage();
    for (const item of items.slice(window * size, (window + 1) * size)) await once(item);
    windows.push(perOne(before, size));
  }
  return Math.round(median(windows.slice(WARM_WINDOWS)));
}

function perOne(before, done) {
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1000) / done;
}
