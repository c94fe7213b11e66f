import { mostExclusions, wafSettings, type PolicyAttachment, type WafExclusion } from '@sallyport/contracts';
import { targetFault } from '@sallyport/waf';
import { versionAddress, type Configuration, type VersionEntry } from './configuration';
import type { Finding, View } from './preflight';

/** Checks of the exclusions of a WAF: who has agreed to them, how many they are, and whether a rule set can follow them. */

/** To switch a rule off for everything a stranger may send is no decision of one person. */
export function* wholeRulesOff({ versions }: View): Iterable<Finding> {
  for (const entry of versions.filter(({ spec }) => spec.class === 'public')) {
    for (const { pointer, exclude } of placesOf(entry)) yield* unapproved(exclude, versionAddress(entry), pointer);
  }
}

/** A target that no rule set understands is refused by every inspector, and with it the whole configuration. */
export function* targetsOfExclusions({ versions }: View): Iterable<Finding> {
  for (const entry of versions) {
    for (const { pointer, exclude } of placesOf(entry)) yield* unknownTargets(exclude, versionAddress(entry), pointer);
  }
}

export function* targetsByDefault({ configuration }: View): Iterable<Finding> {
  for (const { declared } of configuration.defaults)
    yield* unknownTargets(declared.waf.exclude, 'defaults/waf', '/waf');
}

/** @param config of a policy `waf` */
export function* faultsOfTargets(config: unknown, object: string, pointer: string): Iterable<Finding> {
  yield* unknownTargets(wafSettings.safeParse(config).data?.exclude, object, pointer);
}

/** Where a version and its routes may exclude something. */
function placesOf({ spec }: VersionEntry): { pointer: string; exclude: readonly WafExclusion[] | undefined }[] {
  const ofRoutes = spec.routes.map(({ waf }, index) => ({ pointer: `/routes/${index}/waf`, exclude: waf?.exclude }));
  return [{ pointer: '/waf', exclude: spec.waf?.exclude }, ...ofRoutes];
}

/** What holds for all holds for public APIs. */
export function* rulesOffByDefault({ configuration }: View): Iterable<Finding> {
  for (const { declared } of configuration.defaults) yield* unapproved(declared.waf.exclude, 'defaults/waf', '/waf');
}

/** Exclusions of all that speaks of a route count; each place by itself is bounded by its schema. */
export function* exclusionsOfRoutes({ routes, configuration }: View): Iterable<Finding> {
  for (const { entry, waf, policies, pointer } of routes) {
    const outer = configuration.defaults.find(({ tenant }) => tenant === entry.tenant)?.declared.waf;
    const lists = [outer?.exclude, waf?.exclude, excludedByPolicy(policies, entry.tenant, configuration)];
    const count = lists.reduce((sum, list) => sum + (list?.length ?? 0), 0);
    if (count <= mostExclusions) continue;
    yield {
      code: 'WAF_EXCLUSIONS',
      severity: 'error',
      object: versionAddress(entry),
      pointer: `${pointer}/waf/exclude`,
      message: `${count} exclusions hold here, with those of the version, of its policies and of all: at most ${mostExclusions} may`,
      fix: 'join them by ranges or tags, or say those of one route at that route',
    };
  }
}

/** Of the policy `waf` that comes last, which is the one that holds. */
function excludedByPolicy(
  attachments: readonly PolicyAttachment[],
  tenant: string,
  { policies }: Configuration,
): readonly WafExclusion[] | undefined {
  const configs = attachments.flatMap((attachment): unknown[] => {
    if (typeof attachment !== 'string') return 'waf' in attachment ? [attachment['waf']] : [];
    const named = policies.find((entry) => entry.tenant === tenant && entry.declared.name === attachment)?.declared;
    return named?.policy === 'waf' ? [named.config] : [];
  });
  return wafSettings.safeParse(configs.at(-1)).data?.exclude;
}

function* unapproved(exclude: readonly WafExclusion[] = [], object: string, waf: string): Iterable<Finding> {
  for (const [index, { rule, tag, target, approved }] of exclude.entries()) {
    if (target !== undefined || approved !== undefined) continue;
    yield {
      code: 'WAF_RULE_OFF',
      severity: 'error',
      object,
      pointer: `${waf}/exclude/${index}`,
      message: `${rule ?? `every rule with ${tag}`} is switched off as a whole on a public API`,
      fix: 'name a target such as ARGS:q, or in “approved” who has agreed',
    };
  }
}

function* unknownTargets(exclude: readonly WafExclusion[] = [], object: string, waf: string): Iterable<Finding> {
  for (const [index, { target }] of exclude.entries()) {
    const fault = target === undefined ? undefined : faultOf(target);
    if (fault === undefined) continue;
    yield {
      code: 'WAF_TARGET',
      severity: 'error',
      object,
      pointer: `${waf}/exclude/${index}/target`,
      message: fault,
      fix: 'name a variable of rules, with a member or a pattern of members where it has some',
    };
  }
}

/** Every edit judges the whole configuration, and a pattern takes its time to be compiled. */
const judged = new Map<string, string | undefined>();
const MOST_JUDGED = 10_000;

function faultOf(target: string): string | undefined {
  if (judged.size > MOST_JUDGED) judged.clear();
  if (!judged.has(target)) judged.set(target, targetFault(target));
  return judged.get(target);
}
