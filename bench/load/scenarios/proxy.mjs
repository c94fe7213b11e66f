// `proxy`: one authenticated, rate-limited, audited request, traced at 1 %, through each mode, beside nginx doing none of it, and
// beside the least that Node's own HTTP stack costs.
import { median } from '../machine.mjs';
import { fireAt, measure, ratiosTo } from '../measure.mjs';
import { directly, nginxLacks, startAskingFloor, startNginx, startNodeBytes, startNodeFloor } from '../peers.mjs';
import { clusterLacks, ordersService, startAllInOne, startCluster } from '../sallyport.mjs';

export const title = 'One request for 22 bytes of JSON: key, two limits, audit record, 1 % of traces; inspection off';

export const method =
  'what a system adds is measured in turns with the upstream alone at the same pace, behind ten seconds at that pace, without the first second of each generator';

export async function systems(upstream, { workers }) {
  const document = { services: [ordersService(upstream.port)] };
  return [
    { lacks: nginxLacks(), start: () => startNginx(upstream.port) },
    { start: () => startNodeBytes(upstream.port) },
    { start: () => startNodeFloor(upstream.port) },
    { start: () => startAskingFloor(upstream.port) },
    // Apart: a cluster that nobody asks still wakes its seven processes, beside whatever is being measured.
    { apart: true, start: () => startAllInOne(document) },
    {
      apart: true,
      lacks: clusterLacks(),
      start: () =>
        startCluster(document, clusterOf(workers), workers === undefined ? {} : { SALLYPORT_INGRESS_WORKERS: workers }),
    },
    {
      apart: true,
      lacks: clusterLacks(),
      // One replica of rate-limit needs nothing to share with; several are chosen by the hash of the key then.
      start: () => startCluster(document, 'Sallyport cluster, limits in memory', { SALLYPORT_REDIS_URL: undefined }),
    },
  ];
}

function clusterOf(workers) {
  return workers === undefined ? 'Sallyport cluster' : `Sallyport cluster, workers: ${workers}`;
}

export async function run(systems, load, upstream) {
  const requestsFor = ({ fields }) => [{ path: '/orders', fields }];
  const rows = await measure(systems, load, requestsFor);
  const base = rows.find(({ system }) => system.startsWith('nginx'));
  const added = await measureAdded(systems, rows, load, upstream, requestsFor);
  const floors = rows.filter(({ system }) => system.startsWith('node-floor'));
  const ratios = {
    ...ratiosTo(base, rows),
    ...Object.assign({}, ...floors.map((floor) => ratiosTo(floor, rows.filter(isOurs)))),
  };
  return { rows: rows.map((row) => ({ ...row, ...added.get(row.system) })), ratios };
}

function isOurs({ system }) {
  return system.startsWith('Sallyport');
}

/** A generator's first second is its own: in a window of three, what it compiles would be more than one latency of a hundred. */
const SETTLE_SECONDS = 1;
/** At a quarter of the load fewer things come together, and what was compiled for more is compiled anew. */
const PACED_WARM_SECONDS = 10;

/** What a system adds to the upstream's own time, at a quarter of what it can take. */
async function measureAdded(systems, rows, load, upstream, requestsFor) {
  const alone = directly(upstream);
  const added = new Map();
  for (const system of systems) {
    const rate = Math.max(20, Math.round(rows.find((row) => row.system === system.name).rps / 4));
    const paced = {
      seconds: load.seconds + SETTLE_SECONDS,
      settle: SETTLE_SECONDS,
      connections: load.connections,
      rate,
    };
    await fireAt(system, { ...paced, seconds: PACED_WARM_SECONDS }, requestsFor(system));
    const pairs = [];
    for (let window = 0; window < load.windows; window++) {
      pairs.push([await fireAt(alone, paced, requestsFor(alone)), await fireAt(system, paced, requestsFor(system))]);
    }
    const difference = (member) => Math.round(median(pairs.map(([bare, full]) => full[member] - bare[member])));
    added.set(system.name, {
      quarter_rps: rate,
      added_p50_us: difference('p50_us'),
      added_p99_us: difference('p99_us'),
    });
  }
  return added;
}
