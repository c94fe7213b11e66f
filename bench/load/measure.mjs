// How systems are measured: interleaved window by window, medians over the windows, processor time from the operating system.
import { say } from '../../tools/process.mjs';
import { median } from './machine.mjs';
import { runLoad } from './programs.mjs';

export const METHOD =
  'systems interleaved window by window; medians over the windows; processor time of every process of a system from the operating system, divided by its answers; the database, the bus, Redis and audit ingestion counted apart (aside)';

/**
 * Sends the same requests to every system in turn.
 * @param requestsFor the requests of one system, as generator.mjs takes them
 * @returns a row a system, in microseconds and answers a second
 */
export async function measure(systems, { seconds, windows, connections, rate }, requestsFor) {
  const samples = new Map(systems.map((system) => [system, []]));
  const fire = (system, forSeconds) => fireAt(system, { seconds: forSeconds, connections, rate }, requestsFor(system));
  // Just-in-time compilers need some thousand requests before they run what they will run.
  for (const system of systems) await fire(system, Math.max(2, seconds));
  for (let window = 1; window <= windows; window++) {
    for (const system of systems) {
      say(`window ${window} of ${windows}: ${system.name}`);
      samples.get(system).push(await fire(system, seconds));
    }
  }
  return systems.map((system) => rowOf(system.name, samples.get(system)));
}

/** One window of load on one system. */
export async function fireAt(system, { seconds, connections, rate }, requests) {
  const before = await system.processorSeconds();
  const { host, port } = system;
  const figures = await runLoad('generator.mjs', { host, port, requests, connections, seconds, rate });
  const after = await system.processorSeconds();
  const each = 1e6 / Math.max(1, figures.answers);
  return {
    cpu_us: (after.own - before.own) * each,
    aside_cpu_us: (after.aside - before.aside) * each,
    rps: figures.rps,
    p50_us: figures.p50_us,
    p99_us: figures.p99_us,
    failed: figures.failed,
  };
}

export function rowOf(system, samples) {
  const members = Object.keys(samples[0]);
  const middle = (member) => Math.round(median(samples.map((sample) => sample[member])) * 10) / 10;
  return { system, ...Object.fromEntries(members.map((member) => [member, middle(member)])) };
}

/** What one figure of every other row is to that of the base row. */
export function ratiosTo(base, rows, member = 'cpu_us') {
  // What answered nothing has cost something for nothing: no figure to compare with.
  if (!base || base.rps === 0) return {};
  return Object.fromEntries(
    rows
      .filter((row) => row !== base && row.rps > 0)
      .map((row) => [`${row.system} / ${base.system}`, Math.round((row[member] / base[member]) * 100) / 100]),
  );
}
