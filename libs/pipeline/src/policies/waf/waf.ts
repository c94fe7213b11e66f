import { z } from 'zod';
import type { RouteClass } from '@sallyport/contracts';
import { definePolicy, type InspectStep } from '../../policy';

const config = z.strictObject({
  /** `llm` takes the long texts that prompts are. */
  profile: z.enum(['structural', 'llm']).default('structural'),
  mode: z.enum(['block', 'detect', 'off']).default('block'),
  /** Without it: deny on public and regulated routes, allow_flagged on internal ones. */
  on_failure: z.enum(['deny', 'allow_flagged']).optional(),
});

/** How a route of the class is inspected; null: not at all. */
export function inspectionOf(given: z.input<typeof config>, routeClass: RouteClass): InspectStep | null {
  const { profile, mode, on_failure } = config.parse(given);
  if (mode === 'off') return null;
  return {
    plan: `${profile}:${mode}`,
    onFailure: on_failure ?? (routeClass === 'internal' ? 'allow_flagged' : 'deny'),
  };
}

export const waf = definePolicy({
  id: 'waf',
  summary: 'Says how requests of the route are inspected, and what happens when they cannot be.',
  config,
  example: { profile: 'structural', mode: 'block', on_failure: 'deny' },
  compile: (given, route) => ({ inspection: inspectionOf(given, route.class) }),
});
