import { refuse, type DeclaredLifecycle, type Refusal, type VersionState, type Violation } from '@sallyport/contracts';

/** Where one version stands. Moments are milliseconds since the epoch. */
export interface Life {
  readonly state: VersionState;
  readonly publishedAt: number | null;
  readonly deprecatedAt: number | null;
  readonly sunsetAt: number | null;
  readonly decommissionedAt: number | null;
  readonly successor: string | null;
  /** Why it took the last step that had a reason. */
  readonly reason: string | null;
}

export const newborn: Life = Object.freeze({
  state: 'draft',
  publishedAt: null,
  deprecatedAt: null,
  sunsetAt: null,
  decommissionedAt: null,
  successor: null,
  reason: null,
});

/** What can happen to a version, with what the one who wants it says. */
interface LifecycleInputs {
  /** The spec changes, the state does not. */
  edit: object;
  publish: object;
  deprecate: {
    /** When the deprecation began; now, unless a document that records the past says otherwise. */
    at?: number;
    /** When the version ends; the end of the notice unless given. */
    sunset?: number;
    successor?: string;
    reason?: string;
  };
  reinstate: { reason?: string };
  sunset: { by: 'date' } | { by: 'admin'; reason?: string };
  decommission: { reason?: string };
  /** The version disappears as if it had never been. */
  remove: object;
}
export type LifecycleEvent = keyof LifecycleInputs;
export type LifecycleStep = {
  [E in LifecycleEvent]: { readonly event: E } & Readonly<LifecycleInputs[E]>;
}[LifecycleEvent];

export const lifecycleEvents = [
  'edit',
  'publish',
  'deprecate',
  'reinstate',
  'sunset',
  'decommission',
  'remove',
] as const satisfies readonly LifecycleEvent[];

export interface LifecycleRules {
  /** Milliseconds between the day a version is deprecated and its sunset, unless somebody gives a reason. */
  readonly noticeMs: number;
}

export const defaultRules: LifecycleRules = { noticeMs: 90 * 86_400_000 };

/** A step that is not taken: the refusal, and the places in the request that would have to change. */
export interface StepRefused {
  readonly refusal: Refusal;
  readonly violations: readonly Violation[];
}

export function isStepRefused(value: Life | readonly LifecycleStep[] | StepRefused): value is StepRefused {
  return 'refusal' in value;
}

interface Transition<E extends LifecycleEvent> {
  /** What speaks against it; undefined: nothing. */
  readonly guard?: (life: Life, input: LifecycleInputs[E], now: number, rules: LifecycleRules) => Violation | undefined;
  readonly effect: (life: Life, input: LifecycleInputs[E], now: number, rules: LifecycleRules) => Life;
}

type LifecycleTable = { readonly [S in VersionState]: { readonly [E in LifecycleEvent]?: Transition<E> } };

const unchanged = { effect: (life: Life) => life };

const publish: Transition<'publish'> = {
  effect: (life, _, now) => ({ ...life, state: 'published', publishedAt: now }),
};

const deprecate: Transition<'deprecate'> = {
  guard: (life, { at, sunset, successor, reason }, now, { noticeMs }) => {
    const why = reason ?? life.reason ?? undefined;
    if (why === undefined && (successor ?? life.successor ?? undefined) === undefined) {
      return violation('/successor', 'name a successor, or give a reason why there is none');
    }
    const since = at ?? life.deprecatedAt ?? now;
    if (since > now) return violation('/deprecated', 'a deprecation cannot begin in the future');
    // RFC 9745 §4: the sunset must not lie before the deprecation.
    if (sunset !== undefined && sunset < since) {
      return violation('/sunset', 'the sunset lies before the deprecation');
    }
    if (sunset !== undefined && sunset < promisedEnd(life, since, now, noticeMs) && why === undefined) {
      const days = Math.ceil(noticeMs / 86_400_000);
      return violation('/reason', `a sunset in less than ${days} days needs a reason`);
    }
    return undefined;
  },
  effect: (life, { at, sunset, successor, reason }, now, { noticeMs }) => ({
    ...life,
    state: 'deprecated',
    deprecatedAt: at ?? life.deprecatedAt ?? now,
    sunsetAt: sunset ?? life.sunsetAt ?? now + noticeMs,
    successor: successor ?? life.successor,
    reason: reason ?? life.reason,
  }),
};

/**
 * The earliest end that surprises nobody: the notice counts from the deprecation, so that a document which records one of
 * the past can be applied on any later day; what has been announced already may stay, and move back.
 */
function promisedEnd({ sunsetAt }: Life, since: number, now: number, noticeMs: number): number {
  return sunsetAt === null ? since + noticeMs : Math.min(sunsetAt, now + noticeMs);
}

const reinstate: Transition<'reinstate'> = {
  effect: (life) => ({
    ...life,
    state: 'published',
    deprecatedAt: null,
    sunsetAt: null,
    successor: null,
    reason: null,
  }),
};

const sunset: Transition<'sunset'> = {
  guard: (life, input, now) => {
    if (input.by === 'date') {
      return life.sunsetAt !== null && life.sunsetAt <= now ? undefined : violation('/sunset', 'the date has not come');
    }
    return input.reason === undefined
      ? violation('/reason', 'ending a version before its date needs a reason')
      : undefined;
  },
  effect: (life, input, now) => ({
    ...life,
    state: 'sunset',
    sunsetAt: Math.min(life.sunsetAt ?? now, now),
    reason: input.by === 'admin' ? (input.reason ?? null) : life.reason,
  }),
};

const decommission: Transition<'decommission'> = {
  // Until usage is counted per version, nobody can show that it is no longer used: a person answers for it.
  guard: (_, { reason }) =>
    reason === undefined ? violation('/reason', 'decommissioning a version needs a reason') : undefined,
  effect: (life, { reason }, now) => ({
    ...life,
    state: 'decommissioned',
    decommissionedAt: now,
    reason: reason ?? null,
  }),
};

/** The life of a version: what can happen in which state. Every state and event that is not here is refused. */
const lifecycle: LifecycleTable = {
  draft: { edit: unchanged, publish, remove: unchanged },
  published: { edit: unchanged, deprecate },
  deprecated: { edit: unchanged, deprecate, reinstate, sunset },
  sunset: { decommission },
  decommissioned: {},
};

/**
 * Takes one step.
 *
 * @param now milliseconds since the epoch
 * @returns where the version stands afterwards, or why it does not move
 */
export function step(life: Life, taken: LifecycleStep, now: number, rules: LifecycleRules): Life | StepRefused {
  const transition = lifecycle[life.state][taken.event] as Transition<LifecycleEvent> | undefined;
  if (!transition) return impossible(life.state, taken.event);
  const fault = transition.guard?.(life, taken, now, rules);
  if (fault) {
    return { refusal: refuse('SCHEMA_VIOLATION', { reason: fault.detail }), violations: [fault] };
  }
  return transition.effect(life, taken, now, rules);
}

const order: readonly VersionState[] = ['draft', 'published', 'deprecated', 'sunset', 'decommissioned'];

/**
 * Plans the steps from where a version stands to what a document declares.
 *
 * @param declared undefined: a draft is published, anything else stays as it is
 * @returns the steps in order, none when nothing differs, or why there is no way
 */
export function stepsTo(
  life: Life,
  declared: DeclaredLifecycle | undefined,
  now: number,
): readonly LifecycleStep[] | StepRefused {
  if (!declared) return life.state === 'draft' ? [{ event: 'publish' }] : [];
  const ending = deprecationOf(declared);
  const target = order.indexOf(declared.state);
  const present = order.indexOf(life.state);
  if (target <= 1 && (ending.at ?? ending.sunset ?? ending.successor) !== undefined) {
    const fault = violation('/state', `a version that is ${declared.state} has no deprecation, sunset or successor`);
    return { refusal: refuse('SCHEMA_VIOLATION', { reason: fault.detail }), violations: [fault] };
  }
  if (target === present) return target > 1 && differs(life, ending) ? [{ event: 'deprecate', ...ending }] : [];
  if (target < present) {
    return declared.state === 'published' && life.state === 'deprecated'
      ? [{ event: 'reinstate', ...(declared.reason !== undefined && { reason: declared.reason }) }]
      : impossible(life.state, `return to ${declared.state}`);
  }
  const due = ending.sunset !== undefined && ending.sunset <= now;
  const upwards: readonly LifecycleStep[] = [
    { event: 'publish' },
    { event: 'deprecate', ...ending },
    { event: 'sunset', ...(due ? { by: 'date' } : { by: 'admin', reason: declared.reason }) },
    { event: 'decommission', reason: declared.reason },
  ];
  return upwards.slice(present, target);
}

function deprecationOf({
  deprecated,
  sunset: ends,
  successor,
  reason,
}: DeclaredLifecycle): LifecycleInputs['deprecate'] {
  return {
    ...(deprecated !== undefined && { at: Date.parse(deprecated) }),
    ...(ends !== undefined && { sunset: Date.parse(ends) }),
    ...(successor !== undefined && { successor }),
    ...(reason !== undefined && { reason }),
  };
}

/** Whether a document says anything about the end of a version that is not so yet. */
function differs(life: Life, { at, sunset: ends, successor, reason }: LifecycleInputs['deprecate']): boolean {
  return (
    (at !== undefined && at !== life.deprecatedAt) ||
    (ends !== undefined && ends !== life.sunsetAt) ||
    (successor !== undefined && successor !== life.successor) ||
    (reason !== undefined && reason !== life.reason)
  );
}

function impossible(state: VersionState, event: string): StepRefused {
  return { refusal: refuse('CATALOG_STATE_CONFLICT', { state, event }), violations: [] };
}

function violation(pointer: string, detail: string): Violation {
  return { pointer, code: 'lifecycle', detail };
}
