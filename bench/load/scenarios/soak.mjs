// `soak`: requests, streams that come and go, new connections and new configurations for half an hour: memory and descriptors stay.
import { openDescriptors, median, residentByKind } from '../machine.mjs';
import { runLoad } from '../programs.mjs';
import { ordersService, startAllInOne } from '../sallyport.mjs';
import { say } from '../../../tools/process.mjs';

export const title = 'Half an hour at 200 requests a second with streams, reloads and evictions';

const RATE = 200;
const ROUND_SECONDS = 10;
const SETTLED_SECONDS = 300;
const MIB = 1024 * 1024;

export async function systems(upstream) {
  return [{ start: () => startAllInOne({ services: [ordersService(upstream.port, { stripPrefix: true })] }) }];
}

export async function run([system], { minutes }, upstream) {
  const samples = [];
  const collections = [];
  const totals = { answers: 0, failed: 0, streams: 0, reloads: 0 };
  // Of a short run a third, in whole rounds.
  const thirdSeconds = Math.max(1, Math.floor((minutes * 20) / ROUND_SECONDS)) * ROUND_SECONDS;
  const settledAt = Math.min(SETTLED_SECONDS, thirdSeconds);
  // Each stretch that is compared begins and ends with a collection, and all are of one length: what garbage has taken by the end of a
  // stretch is not all given back, and the first collection throws away code as well, which is compiled again.
  await system.collected();
  for (let round = 0; round * ROUND_SECONDS < minutes * 60; round++) {
    await soakFor(system, upstream, round, totals);
    const at = (round + 1) * ROUND_SECONDS;
    const sample = { at, resident: system.resident(), descriptors: openDescriptors(system.pids()) };
    samples.push(sample);
    say(`${at} s: ${inMib(sample.resident)} MiB, ${sample.descriptors} descriptors`);
    // Between two full collections resident memory swings with what is dead already: what really grows shows behind them.
    if (at % settledAt === 0) {
      collections.push({ ...(await system.collected()), kinds: residentByKind(system.pids()[0]) });
      say(
        `${at} s: ${inMib(collections.at(-1).rss)} MiB once everything dead is collected: ${inKinds(collections.at(-1))}`,
      );
    }
  }
  const [first, last] = [collections[0], collections.at(-1)];
  // From one collection to the next: any other stretch would hold more of the time before one, or of that behind one.
  const between = (from, to) => samples.filter(({ at }) => at > from && at <= to);
  const lastAt = collections.length * settledAt;
  const [early, late] = [between(settledAt, 2 * settledAt), between(lastAt - settledAt, lastAt)];
  const growth = (member) => median(late.map((one) => one[member])) - median(early.map((one) => one[member]));
  const row = {
    system: system.name,
    rps: RATE,
    ...totals,
    minutes,
    resident_mib: inMib(samples.at(-1).resident),
    grown_mib: inMib(growth('resident')),
    collected_mib: collections.map(({ rss }) => inMib(rss)).join(' '),
    grown_collected_mib: inMib(last.rss - first.rss),
    first_kinds_mib: inKinds(first),
    last_kinds_mib: inKinds(last),
    heap_collected_mib: inMib(last.heapUsed),
    heap_grown_mib: inMib(last.heapUsed + last.external - first.heapUsed - first.external),
    grown_descriptors: growth('descriptors'),
  };
  return { rows: [row], ratios: {} };
}

const inKinds = ({ kinds }) =>
  Object.entries(kinds)
    .map(([kind, bytes]) => `${kind} ${inMib(bytes)}`)
    .join(', ');

const inMib = (bytes) => Math.round((bytes / MIB) * 10) / 10;

/** Every round opens its connections and streams anew, and publishes a configuration with another cache to evict. */
async function soakFor(system, upstream, round, totals) {
  const { host, port, fields } = system;
  const requests = Array.from({ length: 40 }, (_, at) => ({ path: `/orders/${round}-${at}`, fields }));
  const load = { host, port, requests, connections: 20, seconds: ROUND_SECONDS, rate: RATE };
  const streams = { host, port, path: '/orders/ticks', fields, streams: 20, seconds: ROUND_SECONDS - 3 };
  const reload = system.admin.post('/api/v1/changesets', {
    sallyport: 1,
    services: [ordersService(upstream.port, { stripPrefix: true, description: `round ${round}` })],
  });
  const [answered, watched] = await Promise.all([
    runLoad('generator.mjs', load),
    runLoad('stream-clients.mjs', streams),
    reload,
  ]);
  totals.answers += answered.answers;
  totals.failed += answered.failed;
  totals.streams += watched.opened;
  totals.reloads++;
}
