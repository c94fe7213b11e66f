import { pause, until } from '../e2e/waiting';
import type { ChaosTest } from './chaos-test';
import { atLeast, atMost } from './checkers';
import { durations, isServed, percentile, type Row } from './ledger';
import { Load } from './load';
import { availability, bearable, oracles, unaffected, underLoad } from './under-load';
import { LIMIT_BURST, NARROW_PER_SECOND } from './world';

const TIMES = 10;
/** What a machine that has too little to give must still ask for. */
const LEAST_TIMES = 5;
const MOST_SLOWER = 1.5;
/** Below that a ratio says nothing: it is the clock of a busy machine. */
const FLOOR_MS = 20;
/** In turns, so that one pause of the machine is in one of them and the median does not see it. */
const TURNS = 5;

export const greedyTenant: ChaosTest = {
  number: 'T19',
  title: 'one consumer takes ten times its limit',
  procedure:
    'a light mixed load, five times alone and five times beside a consumer that asks for ten times what its limit allows, in turns',
  pass: 'it gets no more than its limit; p99 of the others ≤ 1.5 × what it was, in the median of the turns; not one more of them is refused',
  quick: false,
  run: async (context) => {
    const world = await context.world();
    const shots = [world.shot('narrow', 'limited', 1)];
    const flood = await bearable(context, TIMES * NARROW_PER_SECOND, shots);
    const hold = (context.seconds * 2_000) / TURNS;
    const floods: (readonly Row[])[] = [];
    const loaded = await underLoad(
      context,
      async ({ phase }) => {
        for (let turn = 1; turn <= TURNS; turn++) {
          await phase('alone', () => pause(hold));
          const greedy = new Load({
            doors: world.stage.doors,
            shots,
            requestsPerSecond: flood,
            seed: context.seed + turn,
            timeoutMs: 15_000,
          });
          try {
            // To start its process takes a processor of the others, which the product does not.
            await until('the greedy one is answered', () => greedy.ledger.rows.length > 0);
            await phase('beside', () => pause(hold));
            floods.push((await greedy.stop()).rows);
          } finally {
            greedy.kill();
          }
        }
      },
      { requestsPerSecond: Math.min(50, context.requestsPerSecond) },
    );
    const rowsOf = (name: string): Row[][] =>
      loaded.phases.filter((phase) => phase.name === name).map(({ from, to }) => loaded.ledger.between(from, to));
    const slowest = (name: string): number =>
      percentile(
        rowsOf(name).map((rows) => percentile(durations(unaffected(rows).filter(({ stream }) => !stream)), 0.99)),
        0.5,
      );
    const alone = slowest('alone');
    return {
      checks: [
        atLeast('the greedy one asked for', flood / NARROW_PER_SECOND, LEAST_TIMES, ' × its limit'),
        atMost('and was served', admittedPerSecond(floods) / NARROW_PER_SECOND, 1.1, ' × its limit'),
        atMost('p99 of the others', slowest('beside'), Math.max(MOST_SLOWER * alone, alone + FLOOR_MS), ' ms'),
        ...availability('others', rowsOf('beside').flat()),
        ...(await oracles(loaded)),
      ],
    };
  },
};

/** The mean over all turns, without the burst that is allowed at the beginning of each. */
function admittedPerSecond(floods: readonly (readonly Row[])[]): number {
  const seconds = sum(floods.map((rows) => (rows.at(-1)!.received - rows[0]!.sent) / 1000));
  return sum(floods.map((rows) => rows.filter(isServed).length - LIMIT_BURST)) / seconds;
}

const sum = (figures: readonly number[]): number => figures.reduce((total, figure) => total + figure, 0);
