// `waf`: the same requests inspected by Sallyport, and by nginx with ModSecurity, both with the same Core Rule Set.
import { standardRequests } from '../../waf-requests.mjs';
import { measure } from '../measure.mjs';
import { modSecurityLacks, nginxLacks, RULES, startModSecurity, startNginx } from '../peers.mjs';
import { ordersService, startAllInOne } from '../sallyport.mjs';

export const title = 'Requests of four kinds, each inspected and not; every value is new in every request';

const INSPECTING = 'Sallyport, inspecting';
const NOT_INSPECTING = 'Sallyport, not inspecting';

export async function systems(upstream) {
  const limit = { 'rate-limit': { limit: 1_000_000_000, window: '60s' } };
  // Saturated, it would turn requests away, and those cost next to nothing.
  const serving = (waf) => ordersService(upstream.port, { policies: [limit, { waf }], priority: 'high' });
  const rules = { SALLYPORT_CRS_DIR: RULES };
  return [
    { lacks: nginxLacks(), start: () => startNginx(upstream.port) },
    { lacks: modSecurityLacks(), start: () => startModSecurity(upstream.port) },
    { start: () => startAllInOne({ services: [serving({ mode: 'off' })] }, NOT_INSPECTING, rules) },
    { start: () => startAllInOne({ services: [serving({ mode: 'block' })] }, INSPECTING, rules) },
  ];
}

/** So few that ModSecurity, at 80 ms a request of 10 KB, answers each within a window, and little is under way when one ends. */
const MOST_CONNECTIONS = 8;

export async function run(systems, load) {
  const rows = [];
  const ratios = {};
  const connections = Math.min(load.connections, MOST_CONNECTIONS);
  for (const kind of Object.keys(standardRequests)) {
    const measured = await measure(systems, { ...load, connections }, ({ fields }) => ({ standard: kind, fields }));
    rows.push(...measured.map((row) => ({ ...row, system: `${row.system}: ${kind}` })));
    const of = (name) => measured.find(({ system }) => system.startsWith(name))?.cpu_us;
    const theirs = of('nginx + ModSecurity') - of('nginx, bare');
    const ours = of(INSPECTING) - of(NOT_INSPECTING);
    // What inspection adds, here and there: proxies cost what they cost.
    if (Number.isFinite(theirs / ours))
      ratios[`ModSecurity / Sallyport: ${kind}`] = Math.round((theirs / ours) * 10) / 10;
  }
  return { rows, ratios };
}
