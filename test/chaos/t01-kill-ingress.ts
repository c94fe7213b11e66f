import { pause } from '../e2e/waiting';
import type { ChaosTest } from './chaos-test';
import { atMost, descendantsOf, none } from './checkers';
import { outcomes, type Row } from './ledger';
import type { Stage } from './stage';
import { noneTold5xx, oracles, underLoad } from './under-load';

const MOST_KILLS = 5;
/** A client notices a dead peer, and everything new goes elsewhere, within this. */
const NOTICED_MS = 1_000;
/** Per cent of all: what was on its way to a victim that no longer read. */
const MOST_BEYOND = 0.5;

export const killIngress: ChaosTest = {
  number: 'T01',
  title: 'an ingress dies',
  procedure:
    'keep-alive load on two ingresses; kill -9 a worker of the first, which its supervisor replaces, then the whole second ' +
    'one, which is started again, in turn, up to five times',
  pass: 'failed ≤ requests in flight on the victim; none later than 1 s after; nobody mis-authorised; no record missing',
  quick: true,
  run: async (context) => {
    const kills: { at: number; door: number }[] = [];
    const count = Math.max(2, Math.min(MOST_KILLS, Math.floor(context.seconds / 4)));
    const loaded = await underLoad(context, async ({ world: { stage } }) => {
      await pause(1_000);
      for (let round = 0; round < count; round++) {
        const door = round % 2;
        kills.push({ at: Date.now(), door });
        await Promise.all([
          door === 0 ? killWorker(stage) : killAndRestart(stage),
          pause((context.seconds * 1000) / count),
        ]);
      }
    });
    const { rows } = loaded.ledger;
    const failed = rows.filter(({ error }) => error !== undefined);
    const struck = rows.filter((row) => kills.some(({ at, door }) => row.door === door && wasInFlight(row, at)));
    const late = failed.filter((row) => !kills.some((kill) => mayBeStruck(row, kill)));
    context.say(`${count} kills, ${struck.length} in flight on the victims, failed: ${outcomes(failed) || 'none'}`);
    return {
      checks: [
        atMost('failed beyond those in flight', share(failed.length - struck.length, rows.length), MOST_BEYOND, ' %'),
        none('failed later than 1 s after a kill', late.length),
        noneTold5xx(rows),
        ...(await oracles(loaded)),
      ],
    };
  },
};

/** Its supervisor puts another in its place. */
async function killWorker(stage: Stage): Promise<void> {
  const [worker] = descendantsOf(stage.of('ingress')[0]!.program.pid);
  process.kill(worker!, 'SIGKILL');
}

async function killAndRestart(stage: Stage): Promise<void> {
  const node = stage.of('ingress')[1]!;
  await stage.kill(node);
  await stage.restart(node);
}

/** The kill is seen by the wall clock of this process, the row by that of another: a few milliseconds apart. */
function wasInFlight({ sent, received }: Row, at: number): boolean {
  return sent <= at + 50 && received >= at - 50;
}

/** Whoever is not told at all until its patience ends was not struck but forgotten. */
function mayBeStruck(row: Row, { at, door }: { at: number; door: number }): boolean {
  if (row.error === 'TIMEOUT') return false;
  return row.door === door && row.sent <= at + NOTICED_MS && row.received >= at - 50;
}

/** In per cent. */
function share(count: number, all: number): number {
  return (Math.max(0, count) / all) * 100;
}
