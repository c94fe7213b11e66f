import { pause } from '../e2e/waiting';
import type { ChaosTest } from './chaos-test';
import { atLeast, atMost, recordedSpans } from './checkers';
import { isServed, outcomes } from './ledger';
import { oracles, underLoad, type Phase } from './under-load';
import { LIMIT_BURST, LIMIT_PER_SECOND } from './world';

const OFFERED_PER_SECOND = 4 * LIMIT_PER_SECOND;
/** Below that nothing is limited, and nothing shown. */
const LEAST_OFFERED = 1.5 * LIMIT_PER_SECOND;
const RECOVERY_MS = 2_000;
/** Enough for a mean to mean something. */
const SHORTEST_MS = 4_000;

export const noRateLimit: ChaosTest = {
  number: 'T11',
  title: 'no rate limiting service',
  procedure:
    'four times as much as a limit allows, at two ingresses; kill -9 both replicas of rate-limit, start them again',
  pass: 'admitted ≤ 1.1 × the limit while they are away, and ≤ the limit (and the burst once) from 2 s after they are back',
  quick: true,
  run: async (context) => {
    const world = await context.world();
    const hold = Math.max(SHORTEST_MS, context.seconds * 500);
    const loaded = await underLoad(
      context,
      async ({ world: { stage }, phase }) => {
        await pause(1_000);
        await Promise.all(stage.of('rate-limit').map((node) => stage.kill(node)));
        await phase('away', () => pause(hold));
        await Promise.all(stage.of('rate-limit').map((node) => stage.restart(node)));
        await stage.consulting(['rate-limit']);
        await pause(RECOVERY_MS);
        await phase('back', () => pause(hold));
      },
      { shots: [world.shot('limited', 'limited', 1)], requestsPerSecond: OFFERED_PER_SECOND },
    );
    if (loaded.requestsPerSecond < LEAST_OFFERED)
      return { skipped: `only ${loaded.requestsPerSecond}/s can be offered here` };
    const [away, back] = loaded.phases as [Phase, Phase];
    // The trail first: the spans below are of what is on record.
    const verdicts = await oracles(loaded);
    // Decided somewhere between its beginning and its end: only what has both in the phase was certainly admitted in it. By the
    // caller's clock, a machine that becomes faster answers in four seconds what it has decided in more.
    const spans = await recordedSpans(loaded.ledger.where(isServed), world.stage.databaseUrl);
    const rate = (phase: Phase, burst = 0): number =>
      (spans.filter(({ from, to }) => from >= phase.from && to < phase.to).length - burst) / secondsOf(phase);
    for (const phase of [away, back]) {
      context.say(`${phase.name}: ${outcomes(loaded.ledger.between(phase.from, phase.to))}`);
    }
    return {
      checks: [
        atMost('admitted while it is away', rate(away), 1.1 * LIMIT_PER_SECOND, '/s'),
        atMost('admitted when it is back', rate(back, LIMIT_BURST), 1.02 * LIMIT_PER_SECOND, '/s'),
        atLeast('and never nothing', Math.min(rate(away), rate(back)), 1, '/s'),
        ...verdicts,
      ],
    };
  },
};

function secondsOf({ from, to }: Phase): number {
  return (to - from) / 1000;
}
