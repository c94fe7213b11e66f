import { pause } from '../e2e/waiting';
import type { ChaosTest } from './chaos-test';
import { atMost, holdingsOf, shareAtLeast } from './checkers';
import { outcomes } from './ledger';
import { patiently } from './nemesis';
import { addressOf, RawClient } from './raw-client';
import { availability, oracles, underLoad } from './under-load';

const EACH = 20;
const GIGABYTE = 1024 ** 3;
const PIECE = Buffer.alloc(64 * 1024, 'x');
const CHUNK = Buffer.concat([Buffer.from('10000\r\n'), PIECE, Buffer.from('\r\n')]);
/** The limit of a body, what is read past a refusal, and what the two kernels may hold of a connection on loopback. */
const MOST_SENT = (1 + 1 / 16 + 12) * 1024 ** 2;
/** For all twenty at a time. */
const MOST_GROWTH_MB = 60;
const CLOSED_MS = 20_000;

export const hugeBodies: ChaosTest = {
  number: 'T28',
  title: 'bodies of a gigabyte',
  procedure: '20 clients each: with a length, in chunks, and with Expect: 100-continue, all of a body of 1 GB',
  pass: '413 each; no more is read than the limit and 64 KiB; closed, not drained; resident memory hardly grows',
  quick: true,
  run: async (context) => {
    const groups: Record<'length' | 'chunks' | 'expect', RawClient[]> = { length: [], chunks: [], expect: [] };
    let grown = 0;
    const loaded = await underLoad(
      context,
      async ({ world }) => {
        const [node] = world.stage.of('ingress');
        const memory = holdingsOf(node!.program.pid).residentMb;
        const fields = world.linesOf('allowed');
        const begin = (index: number, more: string): RawClient =>
          new RawClient(world.stage.doors[0]!, addressOf(index)).write(
            `POST /open/things HTTP/1.1\r\n${fields}${more}\r\n`,
          );
        for (let index = 0; index < EACH; index++) {
          groups.length.push(begin(index, `content-length: ${GIGABYTE}\r\n`));
          groups.chunks.push(begin(index, 'transfer-encoding: chunked\r\n'));
          groups.expect.push(begin(index, `content-length: ${GIGABYTE}\r\nexpect: 100-continue\r\n`));
        }
        groups.length.forEach((client) => client.pour(PIECE, GIGABYTE));
        groups.chunks.forEach((client) => client.pour(CHUNK, GIGABYTE));
        const all = Object.values(groups).flat();
        await patiently(CLOSED_MS, () => {
          grown = Math.max(grown, holdingsOf(node!.program.pid).residentMb - memory);
          return all.every(({ closedAt }) => closedAt !== undefined);
        });
        for (const client of all) if (client.closedAt === undefined) client.destroy();
        // Others must be served afterwards, too.
        await pause(context.seconds * 300);
      },
      { requestsPerSecond: Math.min(50, context.requestsPerSecond) },
    );
    const all = Object.values(groups).flat();
    const closed = all.filter(({ lifetime }) => lifetime !== undefined && lifetime < CLOSED_MS);
    // Whoever goes on sending may lose the answer to the reset of the connection (RFC 9112 §9.6); nobody may be told anything else.
    const told = all.filter(({ status }) => status !== undefined);
    const patient = groups.expect.filter(({ received }) => received.startsWith('HTTP/1.1 413'));
    context.say(
      `others: ${outcomes(loaded.ledger.rows.filter(({ error }) => error !== undefined)) || 'no failure'}; told: ${told.length} of ${all.length}`,
    );
    return {
      checks: [
        shareAtLeast(
          'told 413, of those told',
          told.filter(({ status }) => status === 413).length / Math.max(told.length, 1),
          1,
        ),
        shareAtLeast('told 413 without a 100 before', patient.length / EACH, 1),
        shareAtLeast('closed, not drained', closed.length / all.length, 1),
        atMost(
          'most that one could send',
          Math.max(...all.map(({ sent }) => sent)) / 1024 ** 2,
          MOST_SENT / 1024 ** 2,
          ' MiB',
        ),
        atMost('the ingress grew by', grown, MOST_GROWTH_MB, ' MB'),
        ...availability('others', loaded.ledger.rows),
        ...(await oracles(loaded)),
      ],
    };
  },
};
