import { call } from '../e2e/calls';
import { pause } from '../e2e/waiting';
import type { ChaosTest } from './chaos-test';
import { atMost, holdingsOf } from './checkers';
import { percentile, type Row } from './ledger';
import type { Node, Stage } from './stage';
import { addedTime, RECOVERY_MS, TURNS } from './t03-stop-services';
import { availability, complaints, oracles, underLoad, type Phase } from './under-load';

const victims = ['auth', 'rate-limit', 'redis', 'nats', 'postgres'] as const;
const LATENCY_MS = 25_000;
const MOST_MEMORY_MB = 50;
const MOST_LAG_MS = 50;

export const slowNetwork: ChaosTest = {
  number: 'T04',
  title: 'the network to a dependency is slow',
  procedure:
    '25 s more on every piece of data to and from auth, rate-limit, Redis, NATS and Postgres in turn, three times round, under mixed load',
  pass: 'as T03; the loop of an ingress is late by ≤ 50 ms more than before; resident memory grows by ≤ 50 MB',
  quick: false,
  run: async (context) => {
    const hold = Math.max(2_000, (context.seconds * 1000) / victims.length);
    /** Of each turn, the 99th percentile. */
    const lags = new Map<string, number[]>();
    let grown = 0;
    const loaded = await underLoad(context, async ({ world: { stage }, phase }) => {
      const watched = (name: string): Promise<void> =>
        phase(name, async () => {
          const slowest = percentile(await lagsDuring(stage, hold), 0.99);
          lags.set(name, [...(lags.get(name) ?? []), slowest]);
        });
      let memory: number | undefined;
      for (let turn = 0; turn < TURNS; turn++) {
        await watched('before');
        memory ??= memoryOf(stage.of('ingress'));
        for (const victim of victims) {
          const network = stage.network(victim);
          network.set({ latencyMs: LATENCY_MS });
          await watched(victim);
          grown = Math.max(grown, memoryOf(stage.of('ingress')) - memory);
          network.heal();
          await stage.consulting();
          await pause(RECOVERY_MS);
        }
      }
    });
    const { ledger, phases } = loaded;
    const rowsOf = ({ from, to }: Phase): Row[] => ledger.between(from, to);
    const allOf = (name: string): Row[] => phases.filter((phase) => phase.name === name).flatMap(rowsOf);
    for (const name of ['before', ...victims]) context.say(`${name}: ${complaints(allOf(name))}`);
    const usual = percentile(lags.get('before')!, 0.5);
    const worst = Math.max(...victims.map((victim) => percentile(lags.get(victim)!, 0.5)));
    return {
      checks: [
        ...phases.filter(({ name }) => name !== 'before').flatMap((phase) => availability(phase.name, rowsOf(phase))),
        ...addedTime(phases, rowsOf),
        atMost('loop of an ingress, p99', worst, usual + MOST_LAG_MS, ' ms'),
        atMost('an ingress grew by', grown, MOST_MEMORY_MB, ' MB'),
        ...(await oracles(loaded)),
      ],
    };
  },
};

/** How long the loops of the ingresses take to say that they turn. */
async function lagsDuring(stage: Stage, milliseconds: number): Promise<number[]> {
  const lags: number[] = [];
  for (const end = performance.now() + milliseconds; performance.now() < end;) {
    for (const node of stage.of('ingress')) {
      const begun = performance.now();
      await call(`${stage.healthUrl(node)}/livez`);
      lags.push(performance.now() - begun);
    }
    await pause(25);
  }
  return lags;
}

/** Of the largest. */
function memoryOf(nodes: readonly Node[]): number {
  return Math.max(...nodes.map(({ program }) => holdingsOf(program.pid).residentMb));
}
