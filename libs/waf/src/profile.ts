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

/**
 * What becomes of a body of which more counts than is inspected. `files`: refused as well, but the content of files does not
 * count and goes on behind its first bytes.
 */
export type BodyOver = 'reject' | 'files' | 'partial';

/** What is a file beside those of a form of several parts: nothing, a body that no parser reads, or base64 in JSON. */
export type FileKind = 'parts' | 'bodies' | 'base64';

/** A kind of request, as data: what it may be made of, what of it is inspected, and which rules do not fit it. */
export interface Profile {
  readonly limits: ProfileLimits;
  /** Bytes of a body that rules look at. */
  readonly inspectBytes: number;
  /** What becomes of a larger one where the route does not say; in `detect` it is flagged. */
  readonly over: BodyOver;
  readonly files: FileKind;
  readonly exclusions: readonly WafExclusion[];
  /** Whether bodies are read for what they say to models and tools; left out: no. */
  readonly prompts?: boolean;
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

const plain: Profile = { limits, inspectBytes, over: 'reject', files: 'parts', exclusions: [] };

/** Rules that look for attacks in texts, of the OWASP CRS and of our own. */
const attackRules = ['921000-921999', '930000-944999', '7700101-7700699'];

/** @returns what keeps rules off parts of a request */
function keepOff(rules: readonly (number | string)[], targets: readonly string[], reason: string): WafExclusion[] {
  return rules.flatMap((rule) => targets.map((target) => ({ rule, target, reason })));
}

const callbacks = keepOff(
  [934110, 7700604],
  ['ARGS:redirect_uri', 'ARGS:json.redirect_uris'],
  'RFC 8252 §7.3: an application on a device is called back at localhost',
);

const queryOptions = keepOff(
  [942290],
  ['ARGS_NAMES:/^\\$(?:apply|compute|count|expand|filter|format|orderby|search|select|skip|top)$/'],
  'options of an OData query begin with the sign that operators of document databases begin with',
);

/** Where a document of GraphQL stands: alone, in a batch, in a query. */
const documents = ['ARGS:/^json\\.(?:\\d+\\.)?query$/', 'ARGS:query'];

/** Prompts, and what models and tools say, in the wires of OpenAI, Anthropic and Google. */
const prompts = [
  'ARGS:/^json\\.(?:contents|input|instructions|messages|prompt|suffix|system|systemInstruction)(?:\\.|$)/',
  'ARGS:/^json\\.tools\\..*description$/',
  'REQUEST_BODY',
];

export const profiles: Readonly<Record<WafProfile, Profile>> = {
  /** Nobody has said what is sent here: a form may bring files. */
  structural: { ...plain, over: 'files' },
  form: { ...plain, exclusions: callbacks },
  'json-api': { ...plain, exclusions: [...callbacks, ...queryOptions] },
  graphql: {
    ...plain,
    exclusions: [
      ...keepOff([942190], documents, 'a GraphQL document names fields as SQL names columns'),
      ...keepOff([942100, 7700201], documents, 'the detector takes what follows a quoted text for a statement of SQL'),
      ...keepOff([942290, 7700210], documents, 'variables of GraphQL begin as operators of document databases do'),
      ...keepOff([932235], documents, 'fields stand in braces, as commands of shells do'),
    ],
  },
  llm: {
    limits: llmLimits,
    inspectBytes: MIB,
    over: 'files',
    files: 'base64',
    prompts: true,
    exclusions: keepOff(attackRules, prompts, 'prompts are prose and code, and nobody runs them'),
  },
  mcp: {
    limits: llmLimits,
    inspectBytes: MIB,
    over: 'files',
    files: 'base64',
    prompts: true,
    exclusions: [
      ...keepOff(
        attackRules,
        ['ARGS:/^json\\.(?:\\d+\\.)?result\\./', 'REQUEST_BODY'],
        'what a model of the client says is prose and code',
      ),
    ],
  },
  upload: { ...plain, over: 'files', files: 'bodies' },
  own: plain,
};
