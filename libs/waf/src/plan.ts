import type { RouteLimits } from '@sallyport/contracts';
import type { JsonLimits } from './bodies/json-scanner';
import type { MultipartLimits } from './bodies/multipart-scanner';
import type { PlanId } from './inspector';

const MIB = 1024 * 1024;

/** What a kind of request may be made of. */
export interface ProfileLimits {
  readonly fields: number;
  /** Bytes of one field value. */
  readonly fieldBytes: number;
  readonly queryArguments: number;
  /** Bytes of the name of one argument, decoded. */
  readonly argumentNameBytes: number;
  readonly formArguments: number;
  readonly json: JsonLimits;
  readonly multipart: MultipartLimits;
}

const structural: ProfileLimits = {
  fields: 100,
  fieldBytes: 8 * 1024,
  queryArguments: 1_000,
  argumentNameBytes: 256,
  formArguments: 1_000,
  json: { depth: 64, keys: 10_000, stringBytes: MIB },
  multipart: { parts: 128, headerBytes: 8 * 1024, fileNameBytes: 255 },
};

/** Kinds of requests, as data. */
export const profiles = {
  structural,
  /** Content of messages, pictures among it, is one string that may be as long as the body of a model route. */
  llm: { ...structural, json: { ...structural.json, stringBytes: 10 * MIB, uniqueNames: true } },
} as const satisfies Record<string, ProfileLimits>;

export type ProfileName = keyof typeof profiles;
/** `block` refuses what a rule finds, `detect` records it and lets it pass. */
export type Mode = 'off' | 'detect' | 'block';

/** How one route is inspected. */
export interface Plan {
  readonly id: PlanId;
  readonly mode: Mode;
  readonly limits: ProfileLimits;
}

const OFF: Plan = Object.freeze({ id: 'off', mode: 'off', limits: structural });

/** Limits of a route that an inspection keeps, with the short names they go by in the id of a plan. */
const carried = [
  ['depth', 'jsonDepth'],
  ['keys', 'jsonKeys'],
  ['string', 'jsonStringBytes'],
  ['parts', 'multipartParts'],
  ['head', 'multipartHeaderBytes'],
  ['file', 'multipartFileNameBytes'],
] as const satisfies readonly (readonly [string, keyof RouteLimits])[];

/** The id that the snapshot's routes carry: `off`, or profile and mode as in `structural:block`. */
export function planId(profile: ProfileName, mode: Mode): PlanId {
  return mode === 'off' ? OFF.id : `${profile}:${mode}`;
}

/** @returns the id of the same plan with the limits of a route, as in `structural:block:depth=8,keys=100`. */
export function planWithin(plan: PlanId, limits: RouteLimits | undefined): PlanId {
  if (!limits || plan === OFF.id) return plan;
  const own = carried.flatMap(([name, member]) => (limits[member] === undefined ? [] : [`${name}=${limits[member]}`]));
  return own.length === 0 ? plan : `${plan}:${own.join(',')}`;
}

const plans: ReadonlyMap<PlanId, Plan> = new Map([
  [OFF.id, OFF],
  ...(Object.keys(profiles) as ProfileName[]).flatMap((profile) =>
    (['detect', 'block'] as const).map((mode): [PlanId, Plan] => {
      const id = planId(profile, mode);
      return [id, Object.freeze({ id, mode, limits: profiles[profile] })];
    }),
  ),
]);

/** Ids of all plans there are. */
export const planIds: readonly PlanId[] = [...plans.keys()];

/** The plan every other is measured by: an id this process does not know yet is inspected no less than this. */
const strictestPlan: Plan = plans.get('structural:block')!;

/** @returns the plan of an id; an unknown one comes from a newer catalog and is never a reason to skip inspection. */
export function compilePlan(id: PlanId): Plan {
  return plans.get(id) ?? ownPlan(id);
}

/** Plans with limits of a route; there are as many as routes differ, and no caller can make more. */
const ownPlans = new Map<PlanId, Plan>();
const MAX_OWN_PLANS = 10_000;

function ownPlan(id: PlanId): Plan {
  const known = ownPlans.get(id);
  if (known) return known;
  const plan = readOwnPlan(id) ?? strictestPlan;
  if (ownPlans.size >= MAX_OWN_PLANS) ownPlans.clear();
  ownPlans.set(id, plan);
  return plan;
}

function readOwnPlan(id: PlanId): Plan | undefined {
  const at = id.lastIndexOf(':');
  const base = plans.get(id.slice(0, at));
  if (!base || base.mode === 'off') return undefined;
  const own: { [Member in (typeof carried)[number][1]]?: number } = {};
  for (const part of id.slice(at + 1).split(',')) {
    const [name, value = ''] = part.split('=');
    const member = carried.find(([short]) => short === name)?.[1];
    if (!member || !/^\d{1,10}$/.test(value)) return undefined;
    own[member] = Number(value);
  }
  const { json, multipart } = base.limits;
  const limits: ProfileLimits = {
    ...base.limits,
    json: {
      ...json,
      depth: own.jsonDepth ?? json.depth,
      keys: own.jsonKeys ?? json.keys,
      stringBytes: own.jsonStringBytes ?? json.stringBytes,
    },
    multipart: {
      parts: own.multipartParts ?? multipart.parts,
      headerBytes: own.multipartHeaderBytes ?? multipart.headerBytes,
      fileNameBytes: own.multipartFileNameBytes ?? multipart.fileNameBytes,
    },
  };
  return Object.freeze({ id, mode: base.mode, limits });
}
