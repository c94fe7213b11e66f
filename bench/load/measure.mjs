// How systems are measured: interleaved window by window, medians over the windows, processor time from the operating system.
import { say } from '../../tools/process.mjs';
import { median } from './machine.mjs';
import { runLoad } from './programs.mjs';

export const METHOD =
  'each system warmed up by 80,000 answers or 30 s for each of its processes that answers; systems interleaved window by window, of an all-in-one and a cluster one after the other with all others; medians over the windows; processor time of every process of a system from the operating system, divided by its answers; the database, the bus, Redis and audit ingestion counted apart (aside)';

/**
 * Sends the same requests to every system in turn.
 * @param requestsFor the requests of one system, as generator.mjs takes them
 * @returns a row a system, in microseconds and answers a second
 */
export async function measure(systems, { seconds, windows, connections, rate, isWarm = false }, requestsFor) {
  const samples = new Map(systems.map((system) => [system, []]));
  const fire = (system, forSeconds) =>
    // What serves nobody has a window of its own.
    system.window?.(requestsFor(system), forSeconds) ??
    fireAt(system, { seconds: forSeconds, connections, rate }, requestsFor(system));
  for (const system of isWarm ? [] : systems) {
    say(`warming up: ${system.name}`);
    await warmUp(system, fire);
  }
  for (let window = 1; window <= windows; window++) {
    for (const system of systems) {
      say(`window ${window} of ${windows}: ${system.name}`);
      samples.get(system).push(await fire(system, seconds));
    }
  }
  return systems.map((system) => rowOf(system.name, samples.get(system)));
}

/**
 * A just-in-time compiler works beside the program until everything that is hot is compiled: behind sixty thousand requests an
 * all-in-one still became cheaper, and cost a third of what its first ten thousand had. What that costs is a matter of the first
 * seconds, and belongs to no figure of one request. Where several processes share the connections, each of them has to meet so many.
 */
const WARM_ANSWERS = 80_000;
const WARM_SECONDS = { each: 2, most: 30 };

async function warmUp(system, fire) {
  const processes = system.answering?.() ?? 1;
  const [mostAnswers, mostSeconds] = [WARM_ANSWERS * processes, WARM_SECONDS.most * processes];
  let answers = 0;
  for (let seconds = 0; answers < mostAnswers && seconds < mostSeconds; seconds += WARM_SECONDS.each) {
    const { rps } = await fire(system, WARM_SECONDS.each);
    answers += rps * WARM_SECONDS.each;
  }
}

/** One window of load on one system. */
export async function fireAt(system, { seconds, connections, rate, settle }, requests) {
  const before = await system.processorSeconds();
  const { host, port } = system;
  const figures = await runLoad('generator.mjs', { host, port, requests, connections, seconds, rate, settle });
  const after = await system.processorSeconds();
  const each = 1e6 / Math.max(1, figures.answers);
  return {
    cpu_us: (after.own - before.own) * each,
    aside_cpu_us: (after.aside - before.aside) * each,
    rps: figures.rps,
    p50_us: figures.p50_us,
    p99_us: figures.p99_us,
    first_byte_p50_us: figures.first_byte_p50_us,
    failed: figures.failed,
  };
}

/** Windows in which a system answered nothing say nothing of what an answer costs; where there are no others, no figure does. */
export function rowOf(system, samples) {
  const members = Object.keys(samples[0]);
  const answered = samples.filter(({ rps }) => rps > 0);
  if (answered.length === 0) return { system, rps: 0 };
  const middle = (member) => Math.round(median(answered.map((sample) => sample[member])) * 10) / 10;
  return { system, ...Object.fromEntries(members.map((member) => [member, middle(member)])) };
}

/** What one figure of every other row is to that of the base row. */
export function ratiosTo(base, rows, member = 'cpu_us') {
  if (!base || !isWhole(base)) return {};
  return Object.fromEntries(
    rows
      .filter((row) => row !== base && isWhole(row))
      .map((row) => [`${row.system} / ${base.system}`, Math.round((row[member] / base[member]) * 100) / 100]),
  );
}

/**
 * What a system spent on requests that it failed is in the figure of those it answered: where that is more than one of a
 * hundred, the figure compares with nothing.
 */
function isWhole({ rps, failed = 0 }) {
  return rps > 0 && failed * 100 <= rps;
}
