// `waf`: the same requests inspected by Sallyport, and by nginx with ModSecurity and the Core Rule Set.
import { measure } from '../measure.mjs';
import { modSecurityLacks, nginxLacks, startModSecurity, startNginx } from '../peers.mjs';
import { ordersService, startAllInOne } from '../sallyport.mjs';

export const title = 'Requests of four kinds, each inspected; every value is new in every request';

const MANY = 512;
const word = (at) => ((at * 2_654_435_761) >>> 0).toString(36);
const leaves = (count, seed) =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`f${at}`, word(seed + at)]));
const each = (make) => Array.from({ length: MANY }, (_, at) => make(at * 1_000));
const browser = {
  'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0',
  accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
  'accept-language': 'en-US,en;q=0.5',
};

const kinds = {
  'GET, 10 parameters': (fields) =>
    each((seed) => ({ path: `/orders?${new URLSearchParams(leaves(10, seed))}`, fields: { ...fields, ...browser } })),
  'JSON 1 KB': (fields) => each((seed) => json(fields, leaves(57, seed))),
  'JSON 10 KB': (fields) => each((seed) => json(fields, leaves(549, seed))),
  'form, 20 fields': (fields) =>
    each((seed) => ({
      method: 'POST',
      path: '/orders',
      fields: { ...fields, ...browser, 'content-type': 'application/x-www-form-urlencoded' },
      body: String(new URLSearchParams(leaves(20, seed))),
    })),
};

function json(fields, value) {
  return {
    method: 'POST',
    path: '/orders',
    fields: { ...fields, ...browser, 'content-type': 'application/json' },
    body: JSON.stringify(value),
  };
}

export async function systems(upstream) {
  const inspected = ordersService(upstream.port, {
    policies: [{ 'rate-limit': { limit: 1_000_000_000, window: '60s' } }, { waf: { mode: 'block' } }],
  });
  return [
    { lacks: nginxLacks(), start: () => startNginx(upstream.port) },
    { lacks: modSecurityLacks(), start: () => startModSecurity(upstream.port) },
    { start: () => startAllInOne({ services: [inspected] }) },
  ];
}

export async function run(systems, load) {
  const rows = [];
  const ratios = {};
  for (const [kind, requestsOf] of Object.entries(kinds)) {
    const measured = await measure(systems, load, ({ fields }) => requestsOf(fields));
    rows.push(...measured.map((row) => ({ ...row, system: `${row.system}: ${kind}` })));
    const of = (name) => measured.find(({ system }) => system.startsWith(name));
    const peer = of('nginx + ModSecurity');
    if (peer) ratios[`ModSecurity / Sallyport: ${kind}`] = Math.round((peer.cpu_us / of('Sallyport').cpu_us) * 10) / 10;
  }
  return { rows, ratios };
}
