// `sse`: a thousand event streams open at once: how much later an event comes than from the upstream itself, and what a stream holds.
import { directly, nginxLacks, startStreamingNginx } from '../peers.mjs';
import { runLoad } from '../programs.mjs';
import { ordersService, startAllInOne } from '../sallyport.mjs';

export const title = 'A thousand open event streams, an event a second each';

const STREAMS = 1_000;

export async function systems(upstream) {
  const document = { services: [ordersService(upstream.port, { stripPrefix: true })] };
  return [
    { start: async () => directly(upstream) },
    { lacks: nginxLacks(), start: () => startStreamingNginx(upstream.port) },
    // A thousand clients come from one address here.
    { start: () => startAllInOne(document, undefined, {}, { socketsPerAddress: 2 * STREAMS }) },
  ];
}

export async function run(systems, load) {
  const rows = [];
  for (const system of systems) rows.push(await watch(system, Math.max(10, load.seconds * load.windows)));
  const [alone, ...others] = rows;
  const added = (row, member) => Math.max(0, row[member] - alone[member]);
  return {
    rows: [
      alone,
      ...others.map((row) => ({
        ...row,
        added_p50_us: added(row, 'p50_us'),
        added_p99_us: added(row, 'p99_us'),
      })),
    ],
    ratios: {},
  };
}

async function watch(system, seconds) {
  const { host, port, fields } = system;
  const path = system.name.startsWith('Sallyport') ? '/orders/ticks' : '/ticks';
  const bytesBefore = system.resident?.() ?? 0;
  let held = 0;
  const before = await system.processorSeconds();
  const figures = await runLoad('stream-clients.mjs', { host, port, path, fields, streams: STREAMS, seconds }, () => {
    held = (system.resident?.() ?? 0) - bytesBefore;
  });
  const after = await system.processorSeconds();
  return {
    system: system.name,
    cpu_us: Math.round(((after.own - before.own) * 1e6) / Math.max(1, figures.events)),
    rps: Math.round(figures.events / seconds),
    p50_us: figures.p50_us,
    p99_us: figures.p99_us,
    opened: figures.opened,
    failed: figures.broken,
    ...(system.resident && { bytes_a_stream: Math.round(held / STREAMS) }),
  };
}
