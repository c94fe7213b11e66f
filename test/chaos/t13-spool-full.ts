import { join } from 'node:path';
import { Client } from 'pg';
import { pause, until } from '../e2e/waiting';
import type { ChaosTest } from './chaos-test';
import { atLeast, none, shareAtLeast, trail } from './checkers';
import { isServed, outcomes, ratio } from './ledger';
import { mountSmallDisk } from './nemesis';
import { underLoad, type Phase } from './under-load';

/** Room for the segments of a spool, and little more. */
const DISK_BYTES = 4 * 1024 ** 2;

export const spoolFull: ChaosTest = {
  number: 'T13',
  title: 'the disk of a spool is full',
  procedure: 'an ingress with its spool on a small tmpfs, which is filled under load and emptied again',
  pass: 'regulated: 503; public: served; what was not recorded is stated as a gap with its count; whole when there is room again',
  quick: false,
  run: async (context) => {
    const world = await context.world();
    const { stage } = world;
    const [, node] = stage.of('ingress');
    const disk = mountSmallDisk(join(stage.folder, 'small-disk'), DISK_BYTES);
    if (!disk) return { skipped: 'no tmpfs can be mounted here: root only' };
    try {
      await node!.program.end('SIGTERM');
      await stage.restart(node!, { SALLYPORT_AUDIT_SPOOL_DIR: disk.folder });
      const shots = [world.shot('open', 'allowed', 1), world.shot('regulated', 'allowed', 1)];
      const loaded = await underLoad(
        context,
        async ({ phase }) => {
          await phase('room', () => pause(1_000));
          await disk.fill();
          await phase('full', () => pause(context.seconds * 500));
          disk.empty();
          await pause(3_000);
          await phase('empty', () => pause(context.seconds * 200));
        },
        { shots, doors: [stage.doors[1]!] },
      );
      const [room, full, empty] = loaded.phases as [Phase, Phase, Phase];
      const rowsOf = ({ from, to }: Phase, route: string) =>
        loaded.ledger.between(from, to).filter((row) => row.route === route);
      context.say(`full: open ${outcomes(rowsOf(full, 'open'))}; regulated ${outcomes(rowsOf(full, 'regulated'))}`);
      context.say(`empty: open ${outcomes(rowsOf(empty, 'open'))}; regulated ${outcomes(rowsOf(empty, 'regulated'))}`);
      // What was answered while there was no room is in the gap: by a 503, or to somebody who had been let in before.
      const promised = loaded.ledger.where(
        (row) => row.route === 'regulated' && isServed(row) && (row.received < room.to || row.sent >= empty.from),
      );
      return {
        checks: [
          shareAtLeast(
            'full: regulated answered 503',
            ratio(rowsOf(full, 'regulated'), ({ status }) => status === 503),
            1,
          ),
          shareAtLeast('full: public served', ratio(rowsOf(full, 'open'), isServed), 0.995),
          shareAtLeast('empty again: public served', ratio(rowsOf(empty, 'open'), isServed), 0.995),
          none('empty again: regulated refused at the end', isServed(rowsOf(empty, 'regulated').at(-1)!) ? 0 : 1),
          atLeast('gaps stated', await gapsStated(stage.databaseUrl), 1),
          ...(await trail(promised, stage.databaseUrl)),
        ],
      };
    } finally {
      await node!.program.end('SIGTERM').catch(() => undefined);
      await stage.restart(node!, {});
      disk.unmount();
    }
  },
};

/** Records that say how many there are not. */
async function gapsStated(databaseUrl: string): Promise<number> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    return await until('a record of the gap', async () => {
      const { rows } = await client.query<{ count: string }>(
        `SELECT count(*) FROM audit.audit_event WHERE kind = 'control.reported'
           AND convert_from(body, 'UTF8')::jsonb #>> '{unmapped,sallyport,what}' = 'gap'`,
      );
      return Number(rows[0]!.count) || undefined;
    });
  } finally {
    await client.end();
  }
}
