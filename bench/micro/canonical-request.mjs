// What reading a request head costs: `node bench/micro/canonical-request.mjs [--seconds 1] [--json]`
// Prints nanoseconds of processor time for one request, the median of several windows.
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { build } from '../../tools/build.mjs';
import { whenMain } from '../../tools/process.mjs';
import { median } from '../load/machine.mjs';

const require = createRequire(new URL('../../dist/', import.meta.url));

const raw = (change) => ({
  method: 'GET',
  target: '/orders/17?expand=lines',
  rawHeaders: ['Host', 'shop.example', 'Authorization', `Bearer sp_live_${'k'.repeat(40)}`, 'Connection', 'keep-alive'],
  httpVersion: '1.1',
  remoteAddress: '192.0.2.7',
  encrypted: false,
  ...change,
});

/** Three kinds of client: a program, a browser behind a balancer, and one whose path must be rewritten. */
export const requests = {
  plain: raw({}),
  browser: raw({
    rawHeaders: [
      ...['Host', 'shop.example', 'Connection', 'keep-alive', 'Accept', 'application/json, text/plain, */*'],
      ...['User-Agent', 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36', 'Accept-Encoding', 'gzip, deflate, br'],
      ...['Accept-Language', 'en-GB,en;q=0.9', 'Cookie', 'a=1; b=2', 'Referer', 'https://shop.example/'],
      ...[
        'X-Forwarded-For',
        '203.0.113.9',
        'X-Forwarded-Proto',
        'https',
        'Traceparent',
        `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
      ],
      ...['Sec-Fetch-Mode', 'cors', 'Sec-Fetch-Site', 'same-origin', 'DNT', '1'],
    ],
  }),
  rewritten: raw({ target: '/%6frders/caf%c3%a9/%7euser?x=%zz' }),
};

whenMain(import.meta, async (args) => {
  const { values } = parseArgs({
    args,
    options: { seconds: { type: 'string', default: '1' }, json: { type: 'boolean', default: false } },
  });
  await build();
  const figures = measure(Number(values.seconds));
  if (values.json) return console.log(JSON.stringify(figures));
  for (const [name, ns] of Object.entries(figures))
    console.log(`${name.padEnd(10)} ${String(ns).padStart(6)} cpu-ns per request`);
});

/** @returns processor nanoseconds for one request of each kind. */
export function measure(seconds) {
  const { canonicalRequest, limits } = require('./libs/proxy/src/index.js');
  const figures = {};
  for (const [name, request] of Object.entries(requests)) {
    const windows = [];
    for (let window = 0; window < 6; window++) {
      const before = process.cpuUsage();
      const end = performance.now() + (seconds * 1000) / 6;
      let count = 0;
      while (performance.now() < end) {
        for (let at = 0; at < 1000; at++) canonicalRequest(request, limits.head);
        count += 1000;
      }
      const { user, system } = process.cpuUsage(before);
      if (window > 0) windows.push(((user + system) * 1000) / count);
    }
    figures[name] = Math.round(median(windows));
  }
  return figures;
}
