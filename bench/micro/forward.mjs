// What forwarding one request costs: `node bench/micro/forward.mjs [--seconds 2] [--json]`
// Microseconds of this process' processor time for one request to an upstream in another process, the median of several
// windows: our client, our client behind a group with every judge on, and undici beside them.
import { fork } from 'node:child_process';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from '../../tools/build.mjs';
import { whenMain } from '../../tools/process.mjs';
import { median } from '../load/machine.mjs';

const ROUNDS = 5;
const IN_FLIGHT = 16;
const timeouts = { connectMs: 2_000, firstByteMs: 15_000, idleMs: 30_000 };
const fields = ['host', 'orders.internal', 'accept', 'application/json', 'x-forwarded-for', '192.0.2.7'];
fields.push('x-forwarded-proto', 'https', 'x-sallyport-request-id', `req_${'a'.repeat(22)}`, 'user-agent', 'bench/1');

/** The upstream: a small answer with the usual fields. */
function serve() {
  const body = JSON.stringify({ orders: [1, 2, 3], note: 'x'.repeat(200) });
  const server = createServer((request, response) => {
    request.resume();
    response
      .writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
      .end(body);
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));
  process.on('disconnect', () => process.exit());
}

/** Ways to send a request; each calls back when the answer is complete. */
function waysTo(url) {
  const require = createRequire(new URL('../../dist/', import.meta.url));
  const { UpstreamPools, UpstreamGroup } = require('./libs/proxy/src/index.js');
  const { breaker, ejection, retry, snapshotUpstream, systemClock } = require('./libs/contracts/src/index.js');
  const { Pool } = createRequire(import.meta.url)('undici');
  const pools = new UpstreamPools();
  const client = pools.client({ url, allowPrivate: true, connectMs: 2_000 });
  const pool = new Pool(url, { connections: 1_024, pipelining: 1 });
  const request = { method: 'GET', path: '/orders?expand=lines', fields, body: undefined, timeouts };

  const groupOf = (more) => {
    const base = { id: 'a', tenant: 'default', name: 'a', targets: [{ url }], timeouts: {}, allowPrivate: true };
    const settings = snapshotUpstream.parse({ ...base, ...more });
    const timers = { after: (ms, ring) => clearTimeout.bind(undefined, setTimeout(ring, ms)) };
    const parts = { clock: systemClock, timers, random: () => 0.5, onChange: () => undefined };
    return new UpstreamGroup(settings, [{ url, weight: 1, basePath: '', client }], parts);
  };
  const plain = groupOf({});
  const judged = groupOf({
    breaker: breaker.parse({}),
    retry: retry.parse({}),
    health: { ejection: ejection.parse({}) },
  });
  class Sink {
    repeatable = true;
    replayable = true;
    constructor(done) {
      this.onEnd = done;
    }
    requestFor() {
      return request;
    }
    attemptFailed() {}
    onHead() {}
    onData() {
      return true;
    }
    onFailure(refusal) {
      throw new Error(refusal.reason);
    }
  }
  return {
    client: (done) => client.forward(request, new Sink(done)),
    group: (done) => plain.call(new Sink(done)),
    judgedGroup: (done) => judged.call(new Sink(done)),
    undici: (done) =>
      pool.dispatch(
        { method: 'GET', path: request.path, headers: fields },
        {
          onRequestStart() {},
          onResponseStart(controller) {
            void controller.rawHeaders.map(String);
          },
          onResponseData() {},
          onResponseEnd: done,
          onResponseError(_, error) {
            throw error;
          },
        },
      ),
  };
}

/** Keeps requests in flight for a while. @returns microseconds of processor time for one. */
async function window(send, ms) {
  let sent = 0;
  const until = performance.now() + ms;
  const before = process.cpuUsage();
  await Promise.all(
    Array.from({ length: IN_FLIGHT }, async () => {
      while (performance.now() < until) {
        await new Promise((resolve) => send(resolve));
        sent++;
      }
    }),
  );
  const { user, system } = process.cpuUsage(before);
  return (user + system) / sent;
}

/** @returns microseconds for one request by way. */
export async function measureForward(seconds) {
  const upstream = fork(fileURLToPath(import.meta.url), ['--serve'], { stdio: 'inherit' });
  try {
    const { port } = await new Promise((resolve) => upstream.once('message', resolve));
    const ways = Object.entries(waysTo(`http://127.0.0.1:${port}`));
    const measured = Object.fromEntries(ways.map(([name]) => [name, []]));
    for (const [, send] of ways) await window(send, 300);
    // Interleaved, so that a slow moment of the machine is everybody's.
    for (let round = 0; round < ROUNDS; round++)
      for (const [name, send] of ways) measured[name].push(await window(send, (seconds * 1000) / ROUNDS));
    return Object.fromEntries(ways.map(([name]) => [name, Math.round(median(measured[name]) * 10) / 10]));
  } finally {
    upstream.disconnect();
  }
}

if (process.argv.includes('--serve')) serve();
else
  whenMain(import.meta, async () => {
    const { values } = parseArgs({ options: { seconds: { type: 'string' }, json: { type: 'boolean' } } });
    await build();
    const figures = await measureForward(Number(values.seconds ?? 2));
    if (values.json) console.log(JSON.stringify(figures));
    else for (const [name, figure] of Object.entries(figures)) console.log(`${name.padEnd(12)} ${figure} µs`);
    process.exit();
  });
