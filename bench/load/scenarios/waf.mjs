// `waf`: the same requests inspected by Sallyport, and by nginx with ModSecurity, both with the same Core Rule Set; and by our
// engine alone, in the same turns.
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { root } from '../../../tools/process.mjs';
import { standardRequests } from '../../waf-requests.mjs';
import { measure } from '../measure.mjs';
import { modSecurityLacks, nginxLacks, RULES, setupFile, startModSecurity, startNginx } from '../peers.mjs';
import { end } from '../programs.mjs';
import { nodeArguments, ordersService, startAllInOne } from '../sallyport.mjs';

export const title = 'Requests of four kinds, each inspected and not; every value is new in every request';

const INSPECTING = 'Sallyport, inspecting';
const NOT_INSPECTING = 'Sallyport, not inspecting';
const ENGINE = 'Sallyport, the engine alone';

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
    { lacks: modSecurityLacks(), start: startEngine },
  ];
}

/** The engine without a gateway: its time is that of whole inspections, and nothing else. */
async function startEngine() {
  const child = fork(join(root, 'bench/load/engine-alone.mjs'), [RULES, setupFile()], { execArgv: nodeArguments() });
  const answer = () =>
    new Promise((resolve, reject) => {
      const gone = (code) => reject(new Error(`the engine ended with ${code}`));
      child.once('exit', gone);
      child.once('message', (message) => {
        child.off('exit', gone);
        resolve(message);
      });
    });
  await answer();
  return {
    name: ENGINE,
    async window({ standard: kind }, seconds) {
      child.send({ kind, seconds });
      const { micros, done } = await answer();
      return { cpu_us: micros / done, aside_cpu_us: 0, rps: (done / micros) * 1e6, failed: 0 };
    },
    end: () => end(child),
  };
}

/** So few that ModSecurity, at 80 ms a request of 10 KB, answers each within a window, and little is under way when one ends. */
const MOST_CONNECTIONS = 8;

const LIVE = 'ModSecurity / what inspection adds to a gateway';
const ALONE = 'ModSecurity / the engine alone';

export async function run(systems, load) {
  const rows = [];
  const ratios = {};
  const connections = Math.min(load.connections, MOST_CONNECTIONS);
  for (const kind of Object.keys(standardRequests)) {
    const measured = await measure(systems, { ...load, connections }, ({ fields }) => ({ standard: kind, fields }));
    rows.push(...measured.map((row) => ({ ...row, system: `${row.system}: ${kind}` })));
    const of = (name) => measured.find(({ system }) => system.startsWith(name))?.cpu_us;
    const theirs = of('nginx + ModSecurity') - of('nginx, bare');
    // What inspection adds, here and there: proxies cost what they cost.
    const added = of(INSPECTING) - of(NOT_INSPECTING);
    for (const [what, ours] of Object.entries({ [LIVE]: added, [ALONE]: of(ENGINE) }))
      if (Number.isFinite(theirs / ours)) ratios[`${what}: ${kind}`] = Math.round((theirs / ours) * 10) / 10;
  }
  return { rows, ratios };
}
