import { compileRuleSet, RuleError } from '@sallyport/waf';
import { programOf } from './program-of';
import { sourceOf, type RuleSetText } from './rule-files';
import { selfTest } from './self-test';

/** What a rule set turned out to be when it was compiled and tried where nobody waits. */
export type Tried =
  | { readonly ok: true; readonly rules: number; readonly warnings: readonly string[]; readonly cpuMicros: number }
  | { readonly ok: false; readonly problem: Problem };

/** Why a rule set is refused. */
export interface Problem {
  /** `rules/x.conf:12`, where a place is to blame. */
  readonly place: string | undefined;
  readonly text: string;
}

/** Compiles a rule set and lets it judge some requests. */
export async function tryRuleSet(text: RuleSetText): Promise<Tried> {
  try {
    const ruleSet = compileRuleSet(sourceOf(text));
    const { faults, cpuMicros } = await selfTest({ name: text.name, program: programOf(ruleSet, text) });
    if (faults.length > 0) return { ok: false, problem: { place: undefined, text: `self-test: ${faults.join('; ')}` } };
    return { ok: true, rules: ruleSet.cards.length, warnings: ruleSet.warnings, cpuMicros };
  } catch (error) {
    return { ok: false, problem: problemOf(error) };
  }
}

export function problemOf(error: unknown): Problem {
  if (error instanceof RuleError) {
    const { place, directive, problem } = error;
    return { place: `${place.file}:${place.line}`, text: `${directive}: ${problem}` };
  }
  return { place: undefined, text: error instanceof Error ? error.message : String(error) };
}
