// What reading a request head costs: `node bench/micro/canonical-request.mjs [--seconds 0.5] [--json]`
// Prints nanoseconds of processor time for one request, the median of several windows.
import { createRequire } from 'node:module';
import { nanosecondsOf, smallBenchmark } from '../processor-time.mjs';

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

smallBenchmark(import.meta, 'request', measure);

/** @returns processor nanoseconds for one request of each kind. */
export function measure(seconds) {
  const { canonicalRequest, limits } = require('./libs/proxy/src/index.js');
  return Object.fromEntries(
    Object.entries(requests).map(([name, request]) => [
      name,
      nanosecondsOf(() => canonicalRequest(request, limits.head), seconds),
    ]),
  );
}
