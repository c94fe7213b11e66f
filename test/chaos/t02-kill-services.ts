import { decisionServices, type Service } from '../e2e/product';
import { pause } from '../e2e/waiting';
import type { ChaosTest } from './chaos-test';
import { availability, complaints, oracles, underLoad } from './under-load';

/** Everything the ingress talks to. */
const victims: readonly Exclude<Service, 'ingress'>[] = ['auth', 'rate-limit', 'waf', 'ai-router', 'audit', 'catalog'];

export const killServices: ChaosTest = {
  number: 'T02',
  title: 'services die in turn',
  procedure:
    'kill -9 first one replica and then the other of auth, rate-limit, waf, ai-router, audit and catalog, and start both ' +
    'again, under mixed load of allowed and denied credentials, with streams and model calls under way',
  pass: 'allowed ≥ 99.5 % on the routes that stay open; denied answered 2xx: 0; each answer has one record',
  quick: true,
  run: async (context) => {
    const hold = (context.seconds * 1000) / (2 * victims.length);
    const loaded = await underLoad(context, async ({ world: { stage }, phase }) => {
      for (const victim of victims) {
        const nodes = stage.of(victim);
        for (const [index, node] of nodes.entries()) {
          await phase(index < nodes.length - 1 ? `one ${victim} dead` : `no ${victim}`, async () => {
            await stage.kill(node);
            await pause(hold);
          });
        }
        await phase(`${victim} back`, async () => {
          await Promise.all(nodes.map((node) => stage.restart(node)));
          await stage.consulting(decisionServices.filter((service) => service === victim));
        });
      }
    });
    const { ledger, phases } = loaded;
    context.say(`unserved: ${complaints(ledger.rows)}`);
    const worst = phases
      .map(({ name, from, to }) => ({ name, rows: ledger.between(from, to) }))
      .map(({ name, rows }) => ({ name, complaint: complaints(rows) }))
      .filter(({ complaint }) => complaint !== 'none');
    for (const { name, complaint } of worst) context.say(`  ${name}: ${complaint}`);
    return { checks: [...availability('allowed', ledger.rows), ...(await oracles(loaded))] };
  },
};
