import type { ChaosTest } from './chaos-test';
import { atLeast, atMost, holdingsOf, shareAtLeast } from './checkers';
import { percentile } from './ledger';
import { patiently } from './nemesis';
import { addressOf, RawClient } from './raw-client';
import { availability, oracles, underLoad } from './under-load';

const CONNECTIONS = 1_000;
/** Ten seconds for a head, and the look that is taken every second; the same for a body that does not come. */
const CLOSED_MS = 12_000;
/** A busy machine is late itself. */
const SLACK_MS = 6_000;
const MOST_GROWTH_MB = 100;

export const slowClients: ChaosTest = {
  number: 'T26',
  title: 'slow heads, slow bodies and slow readers',
  procedure:
    '1,000 connections to one ingress: a third sends its head byte by byte, a third its body, a third reads nothing',
  pass: 'healthy clients are served; slow heads and bodies are closed ≤ 12 s; resident memory grows by ≤ 100 MB',
  quick: false,
  run: async (context) => {
    const groups: Record<'heads' | 'bodies' | 'readers', RawClient[]> = { heads: [], bodies: [], readers: [] };
    let grown = 0;
    const loaded = await underLoad(
      context,
      async ({ world }) => {
        const [node] = world.stage.of('ingress');
        const memory = holdingsOf(node!.program.pid).residentMb;
        const fields = world.linesOf('allowed');
        const makes: Record<keyof typeof groups, (client: RawClient) => RawClient> = {
          heads: (client) => client.write(`GET /open/things HTTP/1.1\r\n${fields}x-slow: `).trickle('x', 1_000),
          bodies: (client) =>
            client.write(`POST /open/things HTTP/1.1\r\n${fields}content-length: 100000\r\n\r\n`).trickle('x', 1_000),
          readers: (client) => client.write(`GET /open/big?bytes=1000000 HTTP/1.1\r\n${fields}\r\n`).readSlowly(60_000),
        };
        const names = Object.keys(makes) as (keyof typeof groups)[];
        for (let index = 0; index < CONNECTIONS; index++) {
          const name = names[index % names.length]!;
          groups[name].push(makes[name](new RawClient(world.stage.doors[0]!, addressOf(index))));
        }
        const attackers = [...groups.heads, ...groups.bodies];
        await patiently(CLOSED_MS + SLACK_MS, () => {
          grown = Math.max(grown, holdingsOf(node!.program.pid).residentMb - memory);
          return attackers.every(({ closedAt }) => closedAt !== undefined);
        });
        for (const client of Object.values(groups).flat()) if (client.closedAt === undefined) client.destroy();
      },
      { requestsPerSecond: Math.min(50, context.requestsPerSecond) },
    );
    const inTime = (clients: readonly RawClient[]): number =>
      clients.filter(({ lifetime }) => lifetime !== undefined && lifetime <= CLOSED_MS + SLACK_MS).length /
      clients.length;
    for (const name of ['heads', 'bodies'] as const) {
      const lifetimes = groups[name].map(({ lifetime }) => (lifetime ?? Infinity) / 1000);
      context.say(
        `${name} closed after ${percentile(lifetimes, 0.5).toFixed(1)} s (median), ${percentile(lifetimes, 0.99).toFixed(1)} s (p99)`,
      );
    }
    return {
      checks: [
        atLeast('connections', Object.values(groups).flat().length, CONNECTIONS),
        shareAtLeast('slow heads closed in time', inTime(groups.heads), 1),
        shareAtLeast('slow bodies closed in time', inTime(groups.bodies), 1),
        atMost('the ingress grew by', grown, MOST_GROWTH_MB, ' MB'),
        ...availability('healthy', loaded.ledger.rows),
        ...(await oracles(loaded)),
      ],
    };
  },
};
