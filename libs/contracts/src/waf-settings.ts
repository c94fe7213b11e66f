import { z } from 'zod';

/**
 * How the requests and answers of a route are inspected: what a configuration file says under `waf`, of a version or of a
 * route. What is left out has the default of the data plane or of the profile.
 */

const KIB = 1024;
const MIB = 1024 * KIB;

/** Bytes as a number, or as people write them. */
function byteSize(least: number, most: number) {
  return z.union([
    z.int().min(least).max(most),
    z
      .string()
      .regex(/^\d{1,9}(KiB|MiB)$/, 'write a size such as 131072, 128KiB or 1MiB')
      .refine((text) => parseByteSize(text) >= least && parseByteSize(text) <= most, {
        error: `a size here is ${least} to ${most} bytes`,
      }),
  ]);
}

/**
 * @param size `131072`, `128KiB` or `1MiB`
 * @returns bytes
 */
export function parseByteSize(size: number | string): number {
  if (typeof size === 'number') return size;
  return Number.parseInt(size, 10) * (size.endsWith('MiB') ? MIB : KIB);
}

export const wafMode = z.enum(['off', 'detect', 'block']);
export type WafMode = z.infer<typeof wafMode>;

/** Kinds of requests; `own` brings no exclusions of ours. */
export const wafProfiles = [
  'structural',
  'form',
  'json-api',
  'graphql',
  'llm',
  'mcp',
  'upload',
  'own',
] as const satisfies readonly string[];
export type WafProfile = (typeof wafProfiles)[number];

export const wafRuleSetName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'name a rule set such as built-in or crs-4.28.0');

const paranoiaLevel = z.int().min(1).max(4);
const threshold = z.int().min(1).max(10_000);

/** `942190`, or `942000-942999`. */
const ruleOrRange = z.union([
  z.int().min(1).max(99_999_999),
  z.string().regex(/^\d{1,8}-\d{1,8}$/, 'write a rule such as 942190, or a range such as 942000-942999'),
]);

const day = z.union([z.iso.date(), z.iso.datetime()], { error: 'write a day such as 2027-03-31' });

/** How many exclusions may hold on one route, by all that speaks of it: an inspector knows no plan of more. */
export const mostExclusions = 512;

/** Takes rules off a part of a request, or off all of it, and says why. */
export const wafExclusion = z
  .strictObject({
    rule: ruleOrRange.optional(),
    /** Every rule that bears it. */
    tag: z
      .string()
      .regex(/^[\x21-\x7e]{1,128}$/, 'a tag as rules have it, such as attack-sqli')
      .optional(),
    /** `ARGS:json.query`, `REQUEST_COOKIES:/^session/`, `REQUEST_BODY`; left out: the rule is off as a whole. */
    target: z
      .string()
      .regex(
        /^[A-Z_]{2,64}(:(\/[^\x00-\x1f]{1,256}\/|[^\s/][^\x00-\x1f]{0,255}))?$/,
        'a variable of rules such as ARGS:json.query, or ARGS:/^json\\.messages/',
      )
      .optional(),
    reason: z.string().min(3).max(512),
    owner: z.string().min(1).max(128).optional(),
    /** The exclusion ends with this day, or at this moment. */
    expires: day.optional(),
    /** Who let a whole rule be switched off; asked for on public routes. */
    approved: z.string().min(1).max(128).optional(),
  })
  .refine(({ rule, tag }) => rule !== undefined || tag !== undefined, { error: 'name a rule, a range or a tag' });
export type WafExclusion = z.infer<typeof wafExclusion>;

export const wafSettings = z.strictObject({
  /** Left out: the rule set that is in force. */
  ruleset: wafRuleSetName.optional(),
  profile: z.enum(wafProfiles).optional(),
  mode: wafMode.optional(),
  /** Rules above `block` are recorded and refuse nothing. */
  paranoia: z
    .strictObject({ detect: paranoiaLevel.optional(), block: paranoiaLevel.optional() })
    .refine(({ detect, block }) => detect === undefined || block === undefined || detect >= block, {
      error: 'detect is at least block: what refuses is also seen',
    })
    .optional(),
  /** Anomaly score at which a request or an answer is refused. */
  threshold: z.strictObject({ inbound: threshold.optional(), outbound: threshold.optional() }).optional(),
  /** Without it: deny on public and regulated routes, allow_flagged on internal ones. */
  on_failure: z.enum(['deny', 'allow_flagged']).optional(),
  body: z
    .strictObject({
      /** Bytes that are inspected. */
      inspect: byteSize(KIB, 16 * MIB).optional(),
      /**
       * What becomes of a larger one: refused; refused unless it is files that make it larger, whose first bytes are inspected; or
       * inspected in its first part.
       */
      over: z.enum(['reject', 'files', 'partial']).optional(),
      /** Whether a body that is not what its type says is refused; left out: in `block`. */
      strict: z.boolean().optional(),
      /** Whether a route that blocks sends the upstream the body written again from what was read of it. */
      normalise: z.boolean().optional(),
    })
    .optional(),
  response: z
    .strictObject({
      inspect: z.boolean().optional(),
      /** Where answers are blocked, bytes that are held back until they were seen. */
      hold: byteSize(KIB, MIB).optional(),
      /** Media types that are inspected beside text/plain, text/html and text/xml. */
      types: z
        .array(z.string().regex(/^[a-z0-9!#$&^_.+-]{1,64}\/[a-z0-9!#$&^_.+-]{1,64}$/, 'a media type in lower case'))
        .max(16)
        .optional(),
    })
    .optional(),
  exclude: z.array(wafExclusion).max(mostExclusions).optional(),
});
export type WafSettings = z.infer<typeof wafSettings>;

/** The nearest word holds, member by member; exclusions of both count. */
export function mergeWafSettings(
  outer: WafSettings | undefined,
  inner: WafSettings | undefined,
): WafSettings | undefined {
  if (!outer || !inner) return outer ?? inner;
  const merged: { -readonly [Name in keyof WafSettings]: WafSettings[Name] } = { ...outer, ...inner };
  if (outer.paranoia && inner.paranoia) merged.paranoia = { ...outer.paranoia, ...inner.paranoia };
  if (outer.threshold && inner.threshold) merged.threshold = { ...outer.threshold, ...inner.threshold };
  if (outer.body && inner.body) merged.body = { ...outer.body, ...inner.body };
  if (outer.response && inner.response) merged.response = { ...outer.response, ...inner.response };
  if (outer.exclude && inner.exclude) merged.exclude = [...outer.exclude, ...inner.exclude];
  return merged;
}
