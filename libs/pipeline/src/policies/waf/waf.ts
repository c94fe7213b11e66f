import { wafSettings, type SnapshotRoute, type WafSettings } from '@sallyport/contracts';
import { compilePlan, planId, responseInspection } from '@sallyport/waf';
import { definePolicy, type InspectStep, type WholeRequestBody } from '../../policy';
import { normalisedBody } from './normalised-body';

/** How a route is inspected; undefined: not at all. */
export function inspectionOf(
  settings: WafSettings,
  { class: routeClass, limits }: Pick<SnapshotRoute, 'class' | 'limits'>,
): InspectStep | undefined {
  if (settings.mode === 'off') return undefined;
  const plan = planId(settings, limits);
  return {
    plan,
    onFailure: settings.on_failure ?? (routeClass === 'internal' ? 'allow_flagged' : 'deny'),
    blocks: settings.mode !== 'detect',
    response: responseInspection(plan),
  };
}

/** What is done to bodies of a route behind their inspection; undefined: they go on as they came. */
export function normaliserOf(
  settings: WafSettings,
  route: Pick<SnapshotRoute, 'limits'>,
): WholeRequestBody | undefined {
  const { mode = 'block', body } = settings;
  // A route that only watches changes nothing and refuses nothing.
  if (mode !== 'block' || !body?.normalise) return undefined;
  const { body: inspected, limits } = compilePlan(planId(settings, route.limits));
  return normalisedBody(route, { maxBytes: inspected.inspectBytes, formArguments: limits.formArguments });
}

export const waf = definePolicy({
  id: 'waf',
  summary: 'Says how requests of the route are inspected, and what happens when they cannot be.',
  config: wafSettings,
  example: { profile: 'json-api', mode: 'block', on_failure: 'deny' },
  compile: (inspection) => ({ inspection }),
});
