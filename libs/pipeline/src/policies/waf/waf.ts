import { wafSettings, type SnapshotRoute, type WafSettings } from '@sallyport/contracts';
import { planId, responseInspection } from '@sallyport/waf';
import { definePolicy, type InspectStep } from '../../policy';

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

export const waf = definePolicy({
  id: 'waf',
  summary: 'Says how requests of the route are inspected, and what happens when they cannot be.',
  config: wafSettings,
  example: { profile: 'json-api', mode: 'block', on_failure: 'deny' },
  compile: (inspection) => ({ inspection }),
});
