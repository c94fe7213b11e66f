import type { ChaosTest } from './chaos-test';
import { atLeast, atMost, holdingsOf } from './checkers';
import { patiently } from './nemesis';
import { addressOf, RawClient } from './raw-client';
import { availability, oracles, underLoad } from './under-load';

const CLIENTS = 200;
const ANSWER_BYTES = 10 * 1024 * 1024;
const MOST_GROWTH_MB = 200;
const READ_EVERY_MS = 500;
/** Until all answers have begun, on a machine that does much else. */
const PATIENCE_MS = 20_000;

export const slowReaders: ChaosTest = {
  number: 'T23',
  title: 'clients read large answers slowly',
  procedure: '200 clients ask for 10 MB each and take a little of it twice a second, beside a light mixed load',
  pass: 'resident memory of the ingress grows by ≤ 200 MB; nobody else notices',
  quick: false,
  run: async (context) => {
    let grown = 0;
    let started = 0;
    const loaded = await underLoad(
      context,
      async ({ world }) => {
        const [node] = world.stage.of('ingress');
        const memory = holdingsOf(node!.program.pid).residentMb;
        const head = Object.entries({ host: 'chaos', ...world.headersOf('allowed') }).map(
          ([name, value]) => `${name}: ${value}`,
        );
        const request = `GET /open/big?bytes=${ANSWER_BYTES} HTTP/1.1\r\n${head.join('\r\n')}\r\n\r\n`;
        const clients = Array.from({ length: CLIENTS }, (_, index) =>
          new RawClient(world.stage.doors[0]!, addressOf(index)).write(request).readSlowly(READ_EVERY_MS),
        );
        const look = (): number => {
          grown = Math.max(grown, holdingsOf(node!.program.pid).residentMb - memory);
          started = clients.filter(({ status }) => status === 200).length;
          return started;
        };
        await patiently(PATIENCE_MS, () => look() === CLIENTS);
        await patiently(Math.max(5_000, context.seconds * 500), () => look() < 0);
        clients.forEach((client) => client.destroy());
      },
      { requestsPerSecond: Math.min(50, context.requestsPerSecond) },
    );
    return {
      checks: [
        atLeast('answers under way', started, CLIENTS * 0.95),
        atMost('the ingress grew by', grown, MOST_GROWTH_MB, ' MB'),
        ...availability('others', loaded.ledger.rows),
        ...(await oracles(loaded)),
      ],
    };
  },
};
