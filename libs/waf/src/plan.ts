import {
  canonicalJson,
  parseByteSize,
  wafExclusion,
  wafSettings,
  type Json,
  type RouteLimits,
  type WafExclusion,
  type WafMode,
  type WafProfile,
  type WafSettings,
} from '@sallyport/contracts';
import type { InspectionHead, PlanId, Point, ResponseInspection } from './inspector';
import { profiles, type BodyOver, type FileKind, type ProfileLimits } from './profile';

/** Takes rules off a part of a request, ready to be applied to a rule set. */
export interface Exclusion {
  /** Ids from the first to the last; undefined where a tag says which rules are meant. */
  readonly rules: { readonly from: number; readonly to: number } | undefined;
  readonly tag: string | undefined;
  /** `ARGS:json.query`; undefined: the rule is off as a whole. */
  readonly target: string | undefined;
  /** Milliseconds since the epoch; undefined: it stays. */
  readonly expires: number | undefined;
  readonly reason: string;
}

/** How one route is inspected. */
export interface Plan {
  readonly id: PlanId;
  readonly mode: WafMode;
  readonly profile: WafProfile;
  readonly limits: ProfileLimits;
  /** Undefined: the rule set that is in force. */
  readonly ruleset: string | undefined;
  /** Undefined: what the setup of the rule set says. */
  readonly paranoia: { readonly detect: number; readonly block: number } | undefined;
  /** Undefined: what the setup of the rule set says. */
  readonly threshold: { readonly inbound: number; readonly outbound: number } | undefined;
  readonly body: {
    readonly inspectBytes: number;
    readonly over: BodyOver;
    /** What is a file where `over` lets files go on. */
    readonly files: FileKind;
    readonly strict: boolean;
  };
  /** Whether bodies are read for what they say to models and tools. */
  readonly prompts: boolean;
  readonly response: { readonly inspect: boolean; readonly holdBytes: number; readonly types: readonly string[] };
  /** Those of the profile, then those of the route. */
  readonly exclusions: readonly Exclusion[];
  /** What was switched off in a hurry, everywhere: rules as a whole. */
  readonly killed: readonly Exclusion[];
}

/** Limits of a route that an inspection keeps. */
const carried = [
  'jsonDepth',
  'jsonKeys',
  'jsonStringBytes',
  'multipartParts',
  'multipartHeaderBytes',
  'multipartFileNameBytes',
] as const satisfies readonly (keyof RouteLimits)[];

type CarriedLimits = Pick<RouteLimits, (typeof carried)[number]>;

/** What a plan says beside its profile and its mode. */
type Rest = Omit<WafSettings, 'profile' | 'mode' | 'on_failure'> & {
  readonly limits?: CarriedLimits;
  readonly killed?: readonly WafExclusion[];
};

const DEFAULT_THRESHOLD = { inbound: 5, outbound: 4 } as const;
/** What ModSecurity inspects of answers unless it is told otherwise. */
const TEXT_TYPES = ['text/plain', 'text/html', 'text/xml'] as const;
const DEFAULT_HOLD_BYTES = 16 * 1024;

/**
 * @param limits those of the route, of which an inspection keeps some
 * @returns the text that the plan goes by between processes; the same settings have the same text.
 */
export function planId(settings: WafSettings, limits?: RouteLimits): PlanId {
  const { profile = 'structural', mode = 'block', on_failure: _, body, ...rest } = settings;
  if (mode === 'off') return 'off';
  const inspected = ofInspection(body);
  const own = Object.fromEntries(
    carried.flatMap((name) => (limits?.[name] === undefined ? [] : [[name, limits[name]]])),
  );
  const text = canonicalJson({
    ...(rest as Record<string, Json>),
    ...(inspected && { body: inspected as Json }),
    ...(Object.keys(own).length > 0 && { limits: own as Json }),
  });
  return text === '{}' ? `${profile}:${mode}` : `${profile}:${mode}:${text}`;
}

/** What an inspector does with a body; what becomes of it afterwards is the business of whoever asks. */
function ofInspection(body: WafSettings['body']): WafSettings['body'] {
  if (body?.normalise === undefined) return body;
  const { normalise: _, ...rest } = body;
  return Object.keys(rest).length > 0 ? rest : undefined;
}

/** Plans are as many as routes differ, and no caller can make more; one that goes unused goes with the others. */
const plans = new Map<PlanId, Plan>();
const MAX_PLANS = 10_000;
const MAX_TEXT = 256 * 1024;

const OFF: Plan = planOf('off', 'structural', 'off', {});
/** The plan every other is measured by: one this process cannot read is inspected no less than this. */
const strictestPlan: Plan = planOf('structural:block', 'structural', 'block', {});

/**
 * @param kills rules that are switched off whatever a route says
 * @returns the plan without these rules. Off stays off.
 */
export function planWithout(id: PlanId, kills: readonly WafExclusion[]): PlanId {
  const [, base, text = '{}'] = /^([a-z-]+:(?:detect|block))(?::(\{.*\}))?$/s.exec(compilePlan(id).id) ?? [];
  if (base === undefined || kills.length === 0) return id;
  const rest = JSON.parse(text) as Rest;
  return `${base}:${canonicalJson({ ...rest, killed: [...(rest.killed ?? []), ...kills] })}`;
}

/** @returns the plan of an id; one that cannot be read comes from a newer catalog and is never a reason to skip inspection. */
export function compilePlan(id: PlanId): Plan {
  const known = plans.get(id);
  if (known) return known;
  const plan = id === strictestPlan.id ? strictestPlan : (readPlan(id) ?? strictestPlan);
  if (plans.size >= MAX_PLANS) plans.clear();
  plans.set(id, plan);
  return plan;
}

/** Ids of the plans that say nothing of their own. */
export const planIds: readonly PlanId[] = [
  OFF.id,
  ...(Object.keys(profiles) as WafProfile[]).flatMap((profile) => [`${profile}:detect`, `${profile}:block`]),
];

/** @returns how answers are inspected by a plan; undefined: not at all. */
export function responseInspection(id: PlanId): ResponseInspection | undefined {
  const { mode, response } = compilePlan(id);
  if (mode === 'off' || !response.inspect) return undefined;
  return { blocks: mode === 'block', holdBytes: response.holdBytes };
}

/** @returns where an exchange is answered for the last time, unless it is refused before */
export function lastPointOf({ head, plan }: Pick<InspectionHead, 'head' | 'plan'>): Point {
  if (responseInspection(plan)) return 'response-body';
  return head.hasBody ? 'request-body' : 'request-head';
}

/** Whether an exclusion means a rule as a whole, whatever it looks at. */
export function excludesRule({ rules, tag, target }: Exclusion, id: number, tags: readonly string[]): boolean {
  if (target !== undefined) return false;
  if (rules) return rules.from <= id && id <= rules.to;
  return tag !== undefined && tags.includes(tag);
}

function readPlan(id: PlanId): Plan | undefined {
  if (id === OFF.id) return OFF;
  if (id.length > MAX_TEXT) return undefined;
  const [, profile = '', mode = '', text = '{}'] = /^([a-z-]+):(detect|block)(?::(\{.*\}))?$/s.exec(id) ?? [];
  if (!Object.hasOwn(profiles, profile)) return undefined;
  try {
    const { limits, killed, ...rest } = JSON.parse(text) as Rest;
    const settings = wafSettings.safeParse(rest);
    const kills = wafExclusion.array().safeParse(killed ?? []);
    if (!settings.success || !kills.success) return undefined;
    const carriedOn = { ...(limits && { limits }), killed: kills.data };
    return planOf(id, profile as WafProfile, mode as WafMode, { ...settings.data, ...carriedOn });
  } catch {
    return undefined;
  }
}

function planOf(id: PlanId, profile: WafProfile, mode: WafMode, rest: Rest): Plan {
  const { limits, inspectBytes, over, files, exclusions, prompts = false } = profiles[profile];
  const { paranoia, threshold, body = {}, response = {}, exclude = [], killed = [] } = rest;
  return Object.freeze({
    id,
    mode,
    profile,
    limits: withinLimits(limits, rest.limits),
    ruleset: rest.ruleset,
    paranoia: paranoia && levelsOf(paranoia),
    threshold: threshold && { ...DEFAULT_THRESHOLD, ...threshold },
    body: {
      inspectBytes: parseByteSize(body.inspect ?? inspectBytes),
      over: body.over ?? over,
      files,
      strict: body.strict ?? mode === 'block',
    },
    prompts,
    response: {
      inspect: response.inspect ?? false,
      holdBytes: parseByteSize(response.hold ?? DEFAULT_HOLD_BYTES),
      types: [...TEXT_TYPES, ...(response.types ?? [])],
    },
    exclusions: [...exclusions, ...exclude].map(exclusionOf),
    killed: killed.map(exclusionOf),
  });
}

/** What refuses is also seen. */
function levelsOf({ block = 1, detect = block }: { block?: number | undefined; detect?: number | undefined }): {
  block: number;
  detect: number;
} {
  return { block, detect: Math.max(block, detect) };
}

function exclusionOf({ rule, tag, target, expires, reason }: WafExclusion): Exclusion {
  return { rules: rule === undefined ? undefined : rangeOf(rule), tag, target, expires: endOf(expires), reason };
}

function rangeOf(rule: number | string): { from: number; to: number } {
  const [from, to = from] = String(rule).split('-').map(Number);
  return { from: from!, to: to! };
}

const DAY_MS = 86_400_000;

/** An exclusion that ends with a day holds until that day is over, everywhere the same: UTC. */
function endOf(expires: string | undefined): number | undefined {
  if (expires === undefined) return undefined;
  return expires.length === 10 ? Date.parse(expires) + DAY_MS : Date.parse(expires);
}

function withinLimits(limits: ProfileLimits, own: CarriedLimits | undefined): ProfileLimits {
  if (!own) return limits;
  const { json, multipart } = limits;
  return {
    ...limits,
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
}
