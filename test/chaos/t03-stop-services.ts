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

export const stopServices: ChaosTest = {
  number: 'T03',
  title: 'services stand still in turn',
  procedure: 'SIGSTOP both replicas of auth, rate-limit, waf, ai-router, audit and catalog in turn, under mixed load',
  pass: 'as T02; p99 while one stands still ≤ p99 before + its budget + 10 ms, or twice p99 before where that is more',
  quick: false,
  run: async (context) => {
    const hold = Math.max(2_000, (context.seconds * 1000) / victims.length);
    const loaded = await underLoad(context, async ({ world: { stage }, phase }) => {
      await phase('before', () => pause(hold));
      for (const victim of victims) {
        await standingStill(stage.of(victim), () => phase(victim, () => pause(hold)));
        await stage.consulting(decisionServices.filter((service) => service === victim));
      }
    });
    const { ledger, phases } = loaded;
    const rowsOf = ({ from, to }: Phase): Row[] => ledger.between(from, to);
    for (const phase of phases) context.say(`${phase.name}: ${complaints(rowsOf(phase))}`);
    return {
      checks: [
        ...phases.slice(1).flatMap((phase) => availability(phase.name, rowsOf(phase))),
        ...addedTime(phases, rowsOf),
        ...(await oracles(loaded)),
      ],
    };
  },
};

/** @param phases the first is the one that the others are compared with. */
export function addedTime([before, ...others]: readonly Phase[], rowsOf: (phase: Phase) => Row[]): Check[] {
  const slowest = (phase: Phase): number =>
    percentile(durations(unaffected(rowsOf(phase)).filter(({ stream }) => !stream)), 0.99);
  const usual = slowest(before!);
  return others.map((phase) => {
    const budget = (budgetMs[phase.name as Service] ?? 0) + SLACK_MS;
    return atMost(`${phase.name}: p99`, slowest(phase), Math.max(usual + budget, 2 * usual), ' ms');
  });
}
