import { mergeWafSettings, wafSettings, type Snapshot, type SnapshotRoute } from '@sallyport/contracts';
import { planId, type PlanId } from '@sallyport/waf';

/** The plans by which the routes of a configuration are inspected, each once. */
export function plansOf({ routes }: Pick<Snapshot, 'routes'>): PlanId[] {
  return [...new Set(routes.map(planOf))];
}

/** How requests of a route are inspected: what it says, and the last policy on it that says more. */
export function planOf({ waf, policies, limits }: Pick<SnapshotRoute, 'waf' | 'policies' | 'limits'>): PlanId {
  const said = policies.findLast(({ policy }) => policy === 'waf');
  // One that cannot be read is refused by those who run the route.
  const more = said && wafSettings.safeParse(said.config).data;
  return planId(mergeWafSettings(waf, more) ?? {}, limits);
}
