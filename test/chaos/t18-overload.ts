import { pause } from '../e2e/waiting';
import type { ChaosTest } from './chaos-test';
import { atLeast, atMost, none, recordedSpans, shareAtLeast } from './checkers';
import { durations, isServed, outcomes, percentile, ratio, type Row } from './ledger';
import { oracles, settledCapacityOf, underLoad, type Phase } from './under-load';

const TIMES = 3;
/** So many that no bound of one address is met before the gateway itself has enough. */
const ADDRESSES = 40;
const RECOVERY_MS = 5_000;
const MOST_REFUSAL_MS = 20;
/** A caller hears of both on the same sockets; more than this apart, refusals wait for something. */
const NOT_LATER = 1.25;
/** The gateway decides for so long how much it turns away. */
const SPELL_MS = 100;
/** A flood is noticed by what it has already let in. */
const ONSET_MS = 3_000;

export const overload: ChaosTest = {
  number: 'T18',
  title: 'three times the capacity',
  procedure:
    'open loop at three times what the gateway can take of requests that cost it milliseconds, then a fifth of it again',
  pass: 'goodput ≥ 80 % of capacity; everybody answered; refused in < 20 ms p99 on record, and not later than what is served beside it; recovers ≤ 5 s',
  quick: false,
  run: async (context) => {
    const world = await context.world();
    const shots = [world.costly(1)];
    const capacity = await settledCapacityOf(context, shots);
    const flooded = await underLoad(context, ({ phase }) => phase('flood', () => pause(context.seconds * 1000)), {
      shots,
      requestsPerSecond: TIMES * capacity,
      addresses: ADDRESSES,
      unmeasured: true,
    });
    await pause(RECOVERY_MS);
    const after = await underLoad(context, () => pause(3_000), { shots, requestsPerSecond: capacity / 5 });
    const [flood] = flooded.phases as [Phase];
    const seconds = (flood.to - flood.from) / 1000;
    const served = flooded.ledger.rows.filter((row) => isServed(row) && row.received <= flood.to);
    const refused = flooded.ledger.rows.filter(({ status }) => status === 503);
    const afterOnset = refused.filter(({ sent }) => sent >= flood.from + ONSET_MS);
    const tookMs = (rows: readonly Row[]): number =>
      percentile(
        rows.map(({ received, sent }) => received - sent),
        0.99,
      );
    const verdicts = await oracles(flooded);
    const recorded = (await recordedSpans(refused, world.stage.databaseUrl)).map(({ from, to }) => to - from);
    context.say(`${Math.round(capacity)}/s is the capacity; flood: ${outcomes(flooded.ledger.rows)}`);
    return {
      checks: [
        atLeast('goodput', served.length / seconds / capacity, 0.8, ' of capacity'),
        atLeast('refused', refused.length, 1),
        none('left without an answer', flooded.ledger.where(({ status }) => status === undefined).length),
        atMost('refused within, p99 on record', percentile(recorded, 0.99), MOST_REFUSAL_MS, ' ms'),
        // The caller shares the processors: its own delay shows in what is served just as much.
        atMost(
          'refused within, p99 as heard after the first seconds',
          tookMs(afterOnset),
          Math.max(MOST_REFUSAL_MS, NOT_LATER * tookMs(beside(afterOnset, served))),
          ' ms',
        ),
        shareAtLeast('served again afterwards', ratio(after.ledger.rows, isServed), 0.995),
        atMost('afterwards, p99', percentile(durations(after.ledger.rows), 0.99), 1_000, ' ms'),
        ...verdicts,
      ],
    };
  },
};

/** Those that went out in the same spells as some of the refused: whoever is refused came in the worst moments. */
function beside(refused: readonly Row[], served: readonly Row[]): Row[] {
  const spellOf = ({ sent }: Row): number => Math.floor(sent / SPELL_MS);
  const spells = new Set(refused.map(spellOf));
  return served.filter((row) => spells.has(spellOf(row)));
}
