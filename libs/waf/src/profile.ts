import type { WafExclusion, WafProfile } from '@sallyport/contracts';
import type { JsonLimits } from './body/json-scanner';
import type { MultipartLimits } from './body/multipart-scanner';

const KIB = 1024;
const MIB = 1024 * KIB;

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

/** A kind of request, as data: what it may be made of, what of it is inspected, and which rules do not fit it. */
export interface Profile {
  readonly limits: ProfileLimits;
  /** Bytes of a body that rules look at. */
  readonly inspectBytes: number;
  /** What becomes of a larger one where the route blocks and does not say. */
  readonly over: 'reject' | 'partial';
  readonly exclusions: readonly WafExclusion[];
}

const limits: ProfileLimits = {
  fields: 100,
  fieldBytes: 8 * KIB,
  queryArguments: 1_000,
  argumentNameBytes: 256,
  formArguments: 1_000,
  json: { depth: 64, keys: 10_000, stringBytes: MIB },
  multipart: { parts: 128, headerBytes: 8 * KIB, fileNameBytes: 255 },
};

const inspectBytes = 128 * KIB;

/** Content of messages, pictures among it, is one string that may be as long as the body of a model route. */
const llmLimits: ProfileLimits = {
  ...limits,
  json: { ...limits.json, stringBytes: 10 * MIB, uniqueNames: true },
};

/** Nobody has said what is sent here: what is larger than rules look at goes on, and the record says so. */
const unspecified: Profile = { limits, inspectBytes, over: 'partial', exclusions: [] };

const plain: Profile = { ...unspecified, over: 'reject' };

export const profiles: Readonly<Record<WafProfile, Profile>> = {
  structural: unspecified,
  form: plain,
  'json-api': plain,
  graphql: {
    ...plain,
    exclusions: [
      { rule: 942190, target: 'ARGS:json.query', reason: 'a GraphQL document names fields as SQL names columns' },
    ],
  },
  llm: { limits: llmLimits, inspectBytes: MIB, over: 'partial', exclusions: [] },
  mcp: { limits: llmLimits, inspectBytes: MIB, over: 'partial', exclusions: [] },
  upload: { ...plain, over: 'partial' },
  own: plain,
};
