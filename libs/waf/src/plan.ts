import type { JsonLimits } from './bodies/json-scanner';
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
}

const structural: ProfileLimits = {
  fields: 100,
  fieldBytes: 8 * 1024,
  queryArguments: 1_000,
  argumentNameBytes: 256,
  formArguments: 1_000,
  json: { depth: 64, keys: 10_000, stringBytes: MIB },
};

/** Kinds of requests, as data. */
export const profiles = {
  structural,
  /** Content of messages, pictures among it, is one string that may be as long as the body of a model route. */
  llm: { ...structural, json: { ...structural.json, stringBytes: 10 * MIB } },
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

/** The id that the snapshot's routes carry: `off`, or profile and mode as in `structural:block`. */
export function planId(profile: ProfileName, mode: Mode): PlanId {
  return mode === 'off' ? 'off' : `${profile}:${mode}`;
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
  return plans.get(id) ?? strictestPlan;
}
