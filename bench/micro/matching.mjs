// What finding the route of a request costs: `node bench/micro/matching.mjs [--seconds 0.5] [--json]`
// Prints nanoseconds of processor time for one look-up, in tables of one route and of thousands, the median of several windows.
import { createRequire } from 'node:module';
import { nanosecondsOf, smallBenchmark } from '../processor-time.mjs';

const require = createRequire(new URL('../../dist/', import.meta.url));

/** Looked for in turn, so that no single path stays where it was found. */
const PATHS = 64;

smallBenchmark(import.meta, 'look-up', measure);

/** @returns processor nanoseconds for one look-up of each kind. */
export function measure(seconds) {
  const figures = {};
  for (const count of [1, 1_000, 10_000]) {
    const table = tableOf(count);
    const some = questions((at) => `/team-${spread(at, count) % 10}/service-${spread(at, count)}/orders/17`);
    figures[`${count} routes, found`] = nanosecondsOf(lookUp(table, some), seconds);
  }
  const table = tableOf(1_000);
  const nowhere = questions((at) => `/team-${at % 10}/nothing-${at}/orders/17`);
  figures['1000 routes, none'] = nanosecondsOf(lookUp(table, nowhere, 'ROUTE_NOT_FOUND'), seconds);
  const wrong = questions((at) => `/team-${at % 10}/service-${at}`, 'PURGE');
  figures['1000 routes, another method'] = nanosecondsOf(lookUp(table, wrong, 'METHOD_NOT_ALLOWED'), seconds);
  const deep = questions((at) => `/team-${at % 10}/service-${at}${'/segment'.repeat(100)}`);
  figures['1000 routes, a hundred segments behind'] = nanosecondsOf(lookUp(table, deep), seconds);
  return figures;
}

function spread(at, count) {
  return Math.floor((at * count) / PATHS);
}

function questions(pathOf, method = 'GET') {
  return Array.from({ length: PATHS }, (_, at) => ({ host: 'shop.example', method, path: pathOf(at) }));
}

/** A tenth of the routes are for one host, the others for any. */
function tableOf(count) {
  const { RouteTable } = require('./libs/proxy/src/index.js');
  const routes = Array.from({ length: count }, (_, number) => ({
    host: number % 10 === 1 ? 'shop.example' : null,
    pathPrefix: `/team-${number % 10}/service-${number}`,
    methods: ['GET', 'POST'],
  }));
  return RouteTable.compile(routes, (route) => route);
}

/** @param code of the refusal that each is to meet; none for a route */
function lookUp(table, some, code) {
  const { isRefusal } = require('./libs/contracts/src/index.js');
  for (const question of some) {
    const found = table.match(question);
    const met = isRefusal(found) ? found.code : undefined;
    if (met !== code) throw new Error(`${question.path}: ${met ?? 'a route'} instead of ${code ?? 'a route'}`);
  }
  let at = 0;
  return () => table.match(some[at++ % PATHS]);
}
