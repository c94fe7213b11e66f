import { Client } from 'pg';
import { pause, until } from '../e2e/waiting';
import type { ChaosTest } from './chaos-test';
import { none, shareAtLeast } from './checkers';
import { isServed, outcomes, ratio, type Row } from './ledger';
import type { OriginCounts } from './load';
import { oracles, underLoad } from './under-load';

/** Verdicts that were under way when the last replica died. */
const SETTLING_MS = 500;

export const noWaf: ChaosTest = {
  number: 'T10',
  title: 'no inspection',
  procedure:
    'kill -9 both replicas of waf, and call a public, a regulated and an internal route, and one that is told to go on',
  pass: 'public and regulated: 100 % 503 and none reaches the origin; internal: served, each with the skipped control on record',
  quick: true,
  run: async (context) => {
    let reached: { before: OriginCounts; after: OriginCounts } | undefined;
    const world = await context.world();
    const shots = (['guarded', 'regulated', 'inner', 'flagged'] as const).flatMap((route) => [
      world.shot(route, 'allowed', 3),
      world.shot(route, 'revoked', 1),
    ]);
    const loaded = await underLoad(
      context,
      async ({ world: { stage, origin }, phase }) => {
        await pause(1_000);
        await Promise.all(stage.of('waf').map((node) => stage.kill(node)));
        await pause(SETTLING_MS);
        const before = await origin.counts();
        await phase('away', () => pause(context.seconds * 600));
        reached = { before, after: await origin.counts() };
        await Promise.all(stage.of('waf').map((node) => stage.restart(node)));
        await stage.consulting(['waf']);
      },
      { shots },
    );
    const [{ from, to } = { from: 0, to: 0 }] = loaded.phases;
    const rows = loaded.ledger.between(from, to).filter(({ kind }) => kind === 'allowed');
    const of = (...names: string[]): Row[] => rows.filter(({ route }) => names.includes(route));
    // Who was not answered at all was not let through either: a busy machine is not what is judged here.
    const closed = of('guarded', 'regulated').filter(({ status }) => status !== undefined);
    const open = of('inner', 'flagged');
    const arrived = (route: string): number => (reached!.after.hits[route] ?? 0) - (reached!.before.hits[route] ?? 0);
    context.say(`closed: ${outcomes(closed)}; open: ${outcomes(open)}`);
    const checks = await oracles(loaded);
    return {
      checks: [
        shareAtLeast(
          `public and regulated: 503 of ${closed.length}`,
          ratio(closed, ({ status }) => status === 503),
          1,
        ),
        none('public and regulated: reached the origin', arrived('guarded') + arrived('regulated')),
        shareAtLeast(`internal and flagged: served of ${open.length}`, ratio(open, isServed), 0.995),
        none(
          'served without the skipped control on record',
          await unrecorded(open.filter(isServed), world.stage.databaseUrl),
        ),
        ...checks,
      ],
    };
  },
};

/** Of answers whose records are stored: how many say nothing of the inspection that was left out. */
async function unrecorded(rows: readonly Row[], databaseUrl: string): Promise<number> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    return await until('the records of what was served', async () => {
      const found = await client.query<{ skipped: boolean }>(
        `SELECT convert_from(body, 'UTF8')::jsonb #> '{unmapped,sallyport,skipped}' @> '[{"control":"waf"}]' AS skipped
         FROM audit.audit_event WHERE kind = 'request.completed' AND request_id = ANY($1)`,
        [rows.map(({ requestId }) => requestId)],
      );
      return found.rows.length >= rows.length && found.rows.filter(({ skipped }) => !skipped).length;
    });
  } finally {
    await client.end();
  }
}
