import { z } from 'zod';
import { definePolicy } from '../../policy';

export const waf = definePolicy({
  id: 'waf',
  summary: 'Says how requests of the route are inspected, and what happens when they cannot be.',
  phase: 'inspect',
  config: z.strictObject({
    /** `llm` takes the long texts that prompts are. */
    profile: z.enum(['structural', 'llm']).default('structural'),
    mode: z.enum(['block', 'detect', 'off']).default('block'),
    /** Without it: deny on public and regulated routes, allow_flagged on internal ones. */
    on_failure: z.enum(['deny', 'allow_flagged']).optional(),
  }),
  example: { profile: 'structural', mode: 'block', on_failure: 'deny' },
  compile: ({ profile, mode, on_failure }, route) =>
    mode === 'off'
      ? undefined
      : {
          plan: `${profile}:${mode}`,
          onFailure: on_failure ?? (route.class === 'internal' ? 'allow_flagged' : 'deny'),
        },
});
