// What a new configuration costs the data plane: `node bench/micro/swap.mjs [--routes 10000] [--edits 5] [--json]`
// Reads and compiles a large document as an ingress does, then the same with one route changed. Prints processor time, and how
// long the event loop was held up at most: by the work itself, and as a timer of the process sees it.
import { createRequire } from 'node:module';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { build } from '../../tools/build.mjs';
import { whenMain } from '../../tools/process.mjs';
import { median } from '../load/machine.mjs';

const require = createRequire(new URL('../../dist/', import.meta.url));

whenMain(import.meta, async (args) => {
  const { values } = parseArgs({
    args,
    options: {
      routes: { type: 'string', default: '10000' },
      edits: { type: 'string', default: '5' },
      json: { type: 'boolean', default: false },
    },
  });
  await build();
  const figures = await measure(Number(values.routes), Number(values.edits));
  if (values.json) return console.log(JSON.stringify(figures));
  for (const [name, { readMs, compileMs, heldMs, delayMs }] of Object.entries(figures)) {
    console.log(
      `${name.padEnd(6)} read ${readMs} cpu-ms, compile ${compileMs} cpu-ms, one step at most ${heldMs} cpu-ms, timers late by at most ${delayMs} ms`,
    );
  }
});

/** @returns figures of the first document, and the median of those with one route changed. */
export async function measure(routes, edits) {
  const { inSlices, SnapshotDecoder, encodeSnapshot } = require('./libs/platform/src/index.js');
  const { PolicyCompiler } = require('./libs/pipeline/src/index.js');
  const { CurrentConfiguration } = require('./apps/ingress/src/runtime/current-configuration.js');
  const { Upstreams } = require('./apps/ingress/src/send/upstreams.js');
  const { UpstreamPools } = require('./libs/proxy/src/index.js');
  const { createMetrics, createLogger } = require('./libs/platform/src/index.js');
  const { systemClock: clock } = require('./libs/contracts/src/index.js');
  const { policyServices } = require('./apps/ingress/src/hooks/policy-services.js');
  const { randomBytes: random } = require('node:crypto');

  const logger = createLogger({ app: 'ingress', node: 'bench', level: 'fatal' });
  const runtime = { clock, random, logger, metrics: createMetrics('ingress') };
  const upstreams = new Upstreams(new UpstreamPools(), runtime);
  const services = policyServices(runtime, undefined, { charge: () => undefined, peers: () => 1 });
  const current = new CurrentConfiguration(new PolicyCompiler(services), (configuration) =>
    upstreams.taking(configuration.upstreams, []),
  );
  const decoder = new SnapshotDecoder();

  const swap = async (edit) => {
    const encoded = encodeSnapshot(document(routes, edit));
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const watch = new Watch();
    const snapshot = await inSlices(watch.over(decoder.decode(encoded)), { clock });
    const readMs = watch.lap();
    await inSlices(watch.over(current.apply(snapshot)), { clock });
    const compileMs = watch.lap();
    delay.disable();
    return { readMs, compileMs, heldMs: watch.longest, delayMs: delay.max / 1e6 - 1 };
  };
  const first = await swap(1);
  const rows = [];
  for (let edit = 2; edit < edits + 2; edit++) rows.push(await swap(edit));
  await upstreams.close();
  const one = (row) =>
    Object.fromEntries(Object.entries(row).map(([name, value]) => [name, Math.round(value * 10) / 10]));
  const middle = Object.fromEntries(Object.keys(first).map((name) => [name, median(rows.map((row) => row[name]))]));
  return { first: one(first), edit: one(middle) };
}

/** Milliseconds of processor time: on a busy machine the clock says how busy it is. */
function used() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Processor time of laps, and the longest step of the work. */
class Watch {
  longest = 0;
  #begun = used();

  lap() {
    const before = this.#begun;
    this.#begun = used();
    return this.#begun - before;
  }

  *over(work) {
    for (;;) {
      const begun = used();
      const step = work.next();
      this.longest = Math.max(this.longest, used() - begun);
      if (step.done) return step.value;
      yield;
    }
  }
}

function document(count, edit) {
  const numbers = Array.from({ length: count }, (_, number) => number);
  return {
    schema: 1,
    revision: `c_${edit}`,
    createdAt: '2026-01-01T00:00:00Z',
    routes: numbers.map((number) => ({
      id: `service-${number}/v1/all`,
      tenant: 'default',
      service: `service-${number}`,
      version: 'v1',
      state: 'published',
      lifecycle: { deprecatedAt: null, sunsetAt: null, successor: null },
      class: 'public',
      match: { host: null, pathPrefix: `/service-${number}`, methods: [] },
      stripPrefix: false,
      upstream: `service-${number}/v1`,
      auth: { anonymous: false, kinds: ['api-key', 'jwt'], trust: [], scopes: [] },
      policies: [
        { policy: 'rate-limit', config: { limit: number === 7 ? 100 + edit : 100, window: '60s', by: 'consumer' } },
        { policy: 'body-limit', config: { maxBytes: 65536 } },
      ],
      trustTrace: false,
    })),
    upstreams: numbers.map((number) => ({
      id: `service-${number}/v1`,
      tenant: 'default',
      name: `service-${number}`,
      targets: [{ url: `http://10.0.${number >> 8}.${number & 255}:8080`, weight: 1 }],
      timeouts: { connectMs: 2000, firstByteMs: 15000, idleMs: 30000 },
      allowPrivate: true,
    })),
    consumers: [],
    models: [],
    accounts: [],
    trust: [],
  };
}
