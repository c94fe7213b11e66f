import type { ChaosTest } from './chaos-test';
import { fromSpecs } from './from-specs';
import { killIngress } from './t01-kill-ingress';
import { killServices } from './t02-kill-services';
import { stopServices } from './t03-stop-services';
import { slowNetwork } from './t04-slow-network';
import { noWaf } from './t10-no-waf';
import { noRateLimit } from './t11-no-rate-limit';
import { collectorBlackHole } from './t12-collector-black-hole';
import { spoolFull } from './t13-spool-full';
import { rollingRestart } from './t16-rolling-restart';
import { overload } from './t18-overload';
import { greedyTenant } from './t19-greedy-tenant';
import { slowReaders } from './t23-slow-readers';
import { slowClients } from './t26-slow-clients';
import { hugeBodies } from './t28-huge-bodies';
import { wrongClocks } from './t49-wrong-clock';
import { reload } from './t50-reload';

/** Every test of the table, in its order. */
export const catalogue: readonly ChaosTest[] = [
  killIngress,
  killServices,
  stopServices,
  slowNetwork,
  noWaf,
  noRateLimit,
  collectorBlackHole,
  spoolFull,
  rollingRestart,
  fromSpecs({
    number: 'T17',
    title: 'a policy throws',
    procedure: 'a rejection and a throw in each hook of a policy',
    pass: '500 for that request alone; the process lives; it is on record',
  }),
  overload,
  greedyTenant,
  fromSpecs({
    number: 'T20',
    title: 'an upstream answers 500',
    procedure: '30 s of nothing but 500',
    pass: 'retries ≤ 20 %; the breaker opens ≤ 5 s and sends one probe; at most half of the targets are ejected',
  }),
  fromSpecs({
    number: 'T21',
    title: 'one of three upstreams is slow',
    procedure: 'one target takes two seconds',
    pass: 'ejected ≤ 15 s; p99 ≤ 1.2× again',
  }),
  slowReaders,
  slowClients,
  fromSpecs({
    number: 'T27',
    title: 'bombs of header fields',
    procedure: '17 KB of fields, 5,000 of them, one of 1 MB, HPACK bomb, CONTINUATION flood',
    pass: '431 or GOAWAY; the processor is idle a second later',
  }),
  hugeBodies,
  fromSpecs({
    number: 'T29',
    title: 'compressed bombs',
    procedure: 'gzip, br, deflate, zstd, packed twice, from clients and from upstreams',
    pass: '413, 415 or 502; memory stays',
  }),
  fromSpecs({
    number: 'T30',
    title: 'hostile JSON',
    procedure: 'depth, keys, collisions, __proto__, duplicates, numbers out of range, lone surrogates',
    pass: '400 in < 10 ms',
  }),
  fromSpecs({
    number: 'T32',
    title: 'mutated framing',
    procedure: '≥ 1,700 generated mutations over a raw socket',
    pass: '400 and close, or exactly one canonical request upstream',
  }),
  fromSpecs({
    number: 'T34',
    title: 'the same bytes to several servers',
    procedure: 'what the gateway forwards is read by other servers, too',
    pass: 'never a disagreement on the number of requests',
  }),
  fromSpecs({
    number: 'T35',
    title: 'a bad second chunk',
    procedure: 'a valid head and first chunk, then garbage',
    pass: 'the upstream sees an aborted request, never a whole one',
  }),
  fromSpecs({
    number: 'T36',
    title: 'tunnels nobody agreed to',
    procedure: 'Upgrade without 101, h2c, CONNECT, TRACE, Connection with names of ours',
    pass: 'nothing is tunnelled, nothing of ours removed or injected',
  }),
  fromSpecs({
    number: 'T37',
    title: 'upstreams that lie',
    procedure: 'split responses, 1xx confusion, a body to HEAD, bytes after the answer',
    pass: '502; the socket is never used again',
  }),
  fromSpecs({
    number: 'T39',
    title: 'floods of HTTP/2 frames',
    procedure: '10,000 resets, bad WINDOW_UPDATE, SETTINGS and PING floods',
    pass: 'GOAWAY ≤ 1 s; others do not notice; no leak',
  }),
  fromSpecs({
    number: 'T40',
    title: 'spellings of a path',
    procedure: 'a corpus of spellings × every policy × every prefix rule, ≥ 100,000 cases',
    pass: 'one verdict for all spellings that reach one handler; ambiguous ones 400',
  }),
  fromSpecs({
    number: 'T41',
    title: 'forged identity fields',
    procedure: 'X-User in every spelling, forwarding fields, overrides, junk traceparent',
    pass: 'the origin sees ours only, one each',
  }),
  fromSpecs({
    number: 'T42',
    title: 'odd media types',
    procedure: 'tabs, spaces, case, garbage, charsets',
    pass: 'inspected or 415, never skipped',
  }),
  fromSpecs({
    number: 'T43',
    title: 'hostile TLS',
    procedure: 'junk SNI while the callback throws, renegotiation, old versions',
    pass: 'no crash; nothing under TLS 1.2',
  }),
  wrongClocks,
  reload,
  fromSpecs({
    number: 'T51',
    title: 'a poisoned configuration',
    procedure: 'blanks, far too many rules, hostile patterns, cycles, unknown versions, duplicates, nothing at all',
    pass: 'refused whole, naming the field; the last good one serves',
  }),
  fromSpecs({
    number: 'T58',
    title: 'requests to inner addresses',
    procedure: 'denied addresses in every notation, rebinding, odd URLs, redirects',
    pass: 'no connection to a denied address; connects to the address that was checked',
  }),
];
