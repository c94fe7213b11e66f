import { pause } from '../e2e/waiting';
import type { ChaosTest } from './chaos-test';
import { atLeast, atMost } from './checkers';
import { durations, isServed, percentile, type Row } from './ledger';
import { Load } from './load';
import { availability, bearable, oracles, unaffected, underLoad, type Phase } from './under-load';
import { LIMIT_BURST, NARROW_PER_SECOND } from './world';

const TIMES = 10;
/** What a machine that has too little to give must still ask for. */
const LEAST_TIMES = 5;
const MOST_SLOWER = 1.5;
/** Below that a ratio says nothing: it is the clock of a busy machine. */
const FLOOR_MS = 20;

export const greedyTenant: ChaosTest = {
  number: 'T19',
  title: 'one consumer takes ten times its limit',
  procedure: 'a light mixed load, first alone and then beside a consumer that asks for ten times what its limit allows',
  pass: 'it gets no more than its limit; p99 of the others ≤ 1.5 × what it was; not one more of them is refused',
  quick: false,
  run: async (context) => {
    const world = await context.world();
    const shots = [world.shot('narrow', 'limited', 1)];
    const flood = await bearable(context, TIMES * NARROW_PER_SECOND, shots);
    // Long enough that one slow answer is not the hundredth part of all.
    const hold = context.seconds * 2_000;
    let greedyRows: readonly Row[] = [];
    const loaded = await underLoad(
      context,
      async ({ phase }) => {
        await phase('alone', () => pause(hold));
        const greedy = new Load({
          doors: world.stage.doors,
          shots,
          requestsPerSecond: flood,
          seed: context.seed + 1,
          timeoutMs: 15_000,
        });
        try {
          await phase('beside', () => pause(hold));
          greedyRows = (await greedy.stop()).rows;
        } finally {
          greedy.kill();
        }
      },
      { requestsPerSecond: Math.min(50, context.requestsPerSecond) },
    );
    const [alone, beside] = loaded.phases as [Phase, Phase];
    const rowsOf = ({ from, to }: Phase): Row[] => loaded.ledger.between(from, to);
    const slowest = (phase: Phase): number =>
      percentile(durations(unaffected(rowsOf(phase)).filter(({ stream }) => !stream)), 0.99);
    return {
      checks: [
        atLeast('the greedy one asked for', flood / NARROW_PER_SECOND, LEAST_TIMES, ' × its limit'),
        atMost('and was served', admittedPerSecond(greedyRows) / NARROW_PER_SECOND, 1.1, ' × its limit'),
        atMost(
          'p99 of the others',
          slowest(beside),
          Math.max(MOST_SLOWER * slowest(alone), slowest(alone) + FLOOR_MS),
          ' ms',
        ),
        ...availability('others', rowsOf(beside)),
        ...(await oracles(loaded)),
      ],
    };
  },
};

/** The mean over the whole of it, without the burst that is allowed once. */
function admittedPerSecond(rows: readonly Row[]): number {
  const seconds = (rows.at(-1)!.received - rows[0]!.sent) / 1000;
  return (rows.filter(isServed).length - LIMIT_BURST) / seconds;
}
