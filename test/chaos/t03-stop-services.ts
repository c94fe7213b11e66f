import { decisionServices, type Service } from '../e2e/product';
import { pause } from '../e2e/waiting';
import type { ChaosTest } from './chaos-test';
import { atMost, type Check } from './checkers';
import { durations, percentile, type Row } from './ledger';
import { standingStill } from './nemesis';
import { availability, complaints, oracles, unaffected, underLoad, type Phase } from './under-load';

const victims: readonly Exclude<Service, 'ingress'>[] = ['auth', 'rate-limit', 'waf', 'ai-router', 'audit', 'catalog'];
/** How long the contract lets a request wait for each. */
const budgetMs: Partial<Record<Service, number>> = { auth: 50, 'rate-limit': 5, waf: 34, 'ai-router': 50 };
const SLACK_MS = 10;
/** One pause of the machine is in one of them: of some two hundred answers the 99th percentile is the second slowest. */
export const TURNS = 3;
/** What waited for one, such as the records of audit, is done before the next stands still, and not in its time. */
export const RECOVERY_MS = 1_000;

export const stopServices: ChaosTest = {
  number: 'T03',
  title: 'services stand still in turn',
  procedure:
    'SIGSTOP both replicas of auth, rate-limit, waf, ai-router, audit and catalog in turn, three times round, under mixed load',
  pass: 'as T02; p99 while one stands still ≤ p99 before + its budget + 10 ms, or twice p99 before where that is more, in the median of the turns',
  quick: false,
  run: async (context) => {
    const hold = Math.max(2_000, (context.seconds * 1000) / victims.length);
    const loaded = await underLoad(context, async ({ world: { stage }, phase }) => {
      for (let turn = 0; turn < TURNS; turn++) {
        await phase('before', () => pause(hold));
        for (const victim of victims) {
          await standingStill(stage.of(victim), () => phase(victim, () => pause(hold)));
          await stage.consulting(decisionServices.filter((service) => service === victim));
          await pause(RECOVERY_MS);
        }
      }
    });
    const { ledger, phases } = loaded;
    const rowsOf = ({ from, to }: Phase): Row[] => ledger.between(from, to);
    const allOf = (name: string): Row[] => phases.filter((phase) => phase.name === name).flatMap(rowsOf);
    for (const name of ['before', ...victims]) context.say(`${name}: ${complaints(allOf(name))}`);
    return {
      checks: [
        ...phases.filter(({ name }) => name !== 'before').flatMap((phase) => availability(phase.name, rowsOf(phase))),
        ...addedTime(phases, rowsOf),
        ...(await oracles(loaded)),
      ],
    };
  },
};

/** @param phases those of the first name are what the others are compared with; of those that come more than once the median counts. */
export function addedTime(phases: readonly Phase[], rowsOf: (phase: Phase) => Row[]): Check[] {
  const slowestOf = (phase: Phase): number =>
    percentile(durations(unaffected(rowsOf(phase)).filter(({ stream }) => !stream)), 0.99);
  const slowest = (name: string): number =>
    percentile(phases.filter((phase) => phase.name === name).map(slowestOf), 0.5);
  const [before, ...others] = new Set(phases.map(({ name }) => name));
  const usual = slowest(before!);
  return others.map((name) => {
    const budget = (budgetMs[name as Service] ?? 0) + SLACK_MS;
    return atMost(`${name}: p99`, slowest(name), Math.max(usual + budget, 2 * usual), ' ms');
  });
}
