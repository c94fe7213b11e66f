import type { Loaded, Refused, RuleSets } from '../rulesets/rule-sets';
import { describeProblem } from '../rulesets/rule-sets';

const iso = (moment: number): string => new Date(moment).toISOString();

/** A rule set as the admin API shows it. */
export interface RuleSetView {
  readonly name: string;
  readonly origin: string;
  readonly state: 'active' | 'canary' | 'shadow' | 'loaded' | 'available' | 'refused';
  readonly percent: number | null;
  /** Routes on which a canary decides; null: on all. */
  readonly routes: readonly string[] | null;
  readonly rules: number | null;
  readonly sha256: string | null;
  readonly cpuMicros: number | null;
  readonly loadedAt: string | null;
  readonly warnings: readonly string[];
  /** Why it was not taken, with the place. */
  readonly problem: string | null;
  readonly refusedAt: string | null;
}

/** Every rule set of this host: what is loaded, what could be, and what was refused. */
export async function ruleSetViews(sets: RuleSets): Promise<RuleSetView[]> {
  const places = await sets.places();
  const loaded = new Map(sets.sets.map((set) => [set.text.name, set]));
  const refused = new Map(sets.refused.map((one) => [one.name, one]));
  const { canary } = sets.current;
  const names = [...new Set([...places.map(({ name }) => name), ...loaded.keys(), ...refused.keys()])];
  return names.map((name) => {
    const set = loaded.get(name);
    const refusal = refused.get(name);
    const place = places.find((candidate) => candidate.name === name);
    return {
      name,
      origin: (set?.text ?? refusal ?? place!).origin,
      state: stateOf(sets, name, set !== undefined, refusal),
      percent: canary?.name === name ? canary.percent : null,
      routes: (canary?.name === name ? canary.routes : undefined) ?? null,
      ...(set ? loadedView(set) : NOT_LOADED),
      problem: refusal ? describeProblem(refusal.problem) : null,
      refusedAt: refusal ? iso(refusal.at) : null,
    };
  });
}

type LoadedView = Pick<RuleSetView, 'rules' | 'sha256' | 'cpuMicros' | 'loadedAt' | 'warnings'>;

const NOT_LOADED: LoadedView = { rules: null, sha256: null, cpuMicros: null, loadedAt: null, warnings: [] };

function loadedView({ ruleSet, text, cpuMicros, loadedAt }: Loaded): LoadedView {
  const { rules, warnings } = ruleSet;
  return { rules: rules.length, sha256: text.sha256, cpuMicros, loadedAt: iso(loadedAt), warnings };
}

function stateOf(
  { current }: RuleSets,
  name: string,
  isLoaded: boolean,
  refused: Refused | undefined,
): RuleSetView['state'] {
  if (name === current.active) return 'active';
  if (isLoaded && name === current.canary?.name) return 'canary';
  if (isLoaded && name === current.shadow) return 'shadow';
  if (refused) return 'refused';
  return isLoaded ? 'loaded' : 'available';
}
