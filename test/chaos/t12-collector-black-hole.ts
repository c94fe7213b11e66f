import { pause } from '../e2e/waiting';
import type { ChaosTest } from './chaos-test';
import { atLeast, atMost, holdingsOf } from './checkers';
import type { Stage } from './stage';
import { availability, oracles, underLoad } from './under-load';

/** An export is given up after 5 s, and its spans with it. */
const SHORTEST_MS = 20_000;
const MOST_GROWTH_MB = 40;

export const collectorBlackHole: ChaosTest = {
  number: 'T12',
  title: 'the collector of traces is a black hole',
  procedure: 'the collector takes connections and never answers, for much longer than an export may take, under load',
  pass: '0 unserved; resident memory of the ingresses does not grow; spans that were dropped are counted',
  quick: false,
  run: async (context) => {
    let grown = 0;
    let dropped = 0;
    const loaded = await underLoad(context, async ({ world: { stage } }) => {
      await pause(5_000);
      stage.network('collector').set({ mode: 'black-hole' });
      const before = await droppedBy(stage);
      const memory = memoryOf(stage);
      await pause(Math.max(SHORTEST_MS, context.seconds * 1000));
      grown = memoryOf(stage) - memory;
      dropped = (await droppedBy(stage)) - before;
      stage.network('collector').heal();
    });
    const { rows } = loaded.ledger;
    return {
      checks: [
        ...availability('allowed', rows, 1),
        atMost('the ingresses grew by', grown, MOST_GROWTH_MB, ' MB'),
        atLeast('spans dropped and counted', dropped, 1),
        ...(await oracles(loaded)),
      ],
    };
  },
};

async function droppedBy(stage: Stage): Promise<number> {
  const pages = await Promise.all(stage.of('ingress').map((node) => stage.metrics(node)));
  return pages.reduce((sum, page) => sum + page.sum('sallyport_trace_dropped_total'), 0);
}

function memoryOf(stage: Stage): number {
  return stage.of('ingress').reduce((sum, { program }) => sum + holdingsOf(program.pid).residentMb, 0);
}
