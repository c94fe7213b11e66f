// Scenario `proxy`: one authenticated, rate-limited, inspected, audited request through each mode, beside nginx doing none of it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import autocannon from 'autocannon';
import { root, say } from '../../tools/process.mjs';
import { describeMachine, median, processorSeconds } from './machine.mjs';
import { missing, startAllInOne, startCluster, startNginx, startUpstream } from './systems.mjs';

const METHOD =
  'systems interleaved window by window; medians over the windows; processor time of every process of the system from the operating system, divided by its answers; the database, the bus, Redis and audit ingestion counted apart';

/** Runs the scenario and writes `bench/results/<date>-proxy.{json,md}`. */
export async function benchProxy(args) {
  const { values } = parseArgs({
    args,
    options: {
      seconds: { type: 'string', default: '5' },
      windows: { type: 'string', default: '5' },
      connections: { type: 'string', default: '32' },
      json: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: true },
    },
  });
  const load = {
    seconds: Number(values.seconds),
    windows: Number(values.windows),
    connections: Number(values.connections),
  };
  const upstream = await startUpstream();
  const systems = [];
  try {
    for (const start of wantedSystems()) systems.push(await start(upstream.port));
    const rows = await measure(systems, load);
    const result = {
      scenario: 'proxy',
      mode: 'loopback',
      machine: describeMachine(),
      method: METHOD,
      load,
      rows,
      ratios: ratiosOf(rows),
    };
    const date = new Date().toISOString().slice(0, 10);
    writeFileSync(join(root, `bench/results/${date}-proxy.json`), `${JSON.stringify(result, null, 2)}\n`);
    writeFileSync(join(root, `bench/results/${date}-proxy.md`), page(result, date));
    console.log(values.json ? JSON.stringify(result) : page(result, date));
  } finally {
    for (const system of systems.reverse()) await system.end();
    await upstream.end();
  }
}

function wantedSystems() {
  const wanted = [startAllInOne];
  const absent = missing('nats-server', 'redis-server');
  if (absent.length === 0) wanted.push(startCluster);
  else say(`skipping the cluster: ${absent.join(' and ')} absent`);
  if (missing('nginx').length === 0) wanted.unshift(startNginx);
  else say('skipping nginx: absent; there is no ratio without it');
  return wanted;
}

async function measure(systems, { seconds, windows, connections }) {
  const samples = new Map(systems.map(({ name }) => [name, []]));
  for (const system of systems) await fire(system, 2, connections);
  for (let window = 1; window <= windows; window++) {
    for (const system of systems) {
      say(`window ${window} of ${windows}: ${system.name}`);
      samples.get(system.name).push(await fire(system, seconds, connections));
    }
  }
  return systems.map(({ name }) => {
    const of = (member) => Math.round(median(samples.get(name).map((sample) => sample[member])) * 10) / 10;
    return {
      system: name,
      cpu_us: of('cpu'),
      aside_cpu_us: of('aside'),
      rps: of('rps'),
      p50_us: of('p50'),
      p99_us: of('p99'),
      failed: of('failed'),
    };
  });
}

async function fire(system, seconds, connections) {
  const before = [processorSeconds(system.pids()), processorSeconds(system.aside())];
  const result = await autocannon({ url: system.url, headers: system.fields, connections, duration: seconds });
  const answers = result['2xx'];
  return {
    cpu: ((processorSeconds(system.pids()) - before[0]) * 1e6) / answers,
    aside: ((processorSeconds(system.aside()) - before[1]) * 1e6) / answers,
    rps: answers / result.duration,
    p50: result.latency.p50 * 1000,
    p99: result.latency.p99 * 1000,
    failed: result.non2xx + result.errors,
  };
}

function ratiosOf(rows) {
  const [nginx] = rows.filter(({ system }) => system.startsWith('nginx'));
  if (!nginx) return {};
  return Object.fromEntries(
    rows
      .filter((row) => row !== nginx)
      .map((row) => [`${row.system} / nginx`, Math.round((row.cpu_us / nginx.cpu_us) * 100) / 100]),
  );
}

function page({ machine, method, load, rows, ratios }, date) {
  const lines = rows.map(
    ({ system, cpu_us, aside_cpu_us, rps, p50_us, p99_us, failed }) =>
      `| ${system} | ${cpu_us} | ${aside_cpu_us} | ${Math.round(rps)} | ${p50_us} | ${p99_us} | ${failed} |`,
  );
  return `# Proxy, ${date}

One request for 22 bytes of JSON, ${load.connections} connections, ${load.windows} windows of ${load.seconds} s. Sallyport checks an API key, spends two limits, inspects the head,
writes an audit record and traces 1 %; nginx passes on.

- Machine: ${machine}
- Method: ${method}

| system | cpu-µs a request | aside cpu-µs | requests/s | p50 µs | p99 µs | failed |
| --- | --- | --- | --- | --- | --- | --- |
${lines.join('\n')}

${Object.entries(ratios)
  .map(([name, ratio]) => `- ${name}: ${ratio}`)
  .join('\n')}
`;
}
