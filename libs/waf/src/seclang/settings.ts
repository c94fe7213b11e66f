import type { EngineMode } from '../actions/effect';

/** What a rule set says about how it wants to be run; a route's own plan may narrow it. */
export interface RuleSettings {
  /** Undefined where the rules do not say. */
  engine: EngineMode | undefined;
  requestBodyAccess: boolean | undefined;
  responseBodyAccess: boolean | undefined;
  /** Bytes. */
  requestBodyLimit: number | undefined;
  /** Bytes of a body without its files. */
  requestBodyNoFilesLimit: number | undefined;
  responseBodyLimit: number | undefined;
  /** Whether a body beyond the limit is refused, or inspected as far as the limit goes. */
  requestBodyLimitAction: 'reject' | 'process-partial' | undefined;
  responseBodyLimitAction: 'reject' | 'process-partial' | undefined;
  argumentsLimit: number | undefined;
  jsonDepthLimit: number | undefined;
  /** Media types whose answers are inspected. */
  responseMediaTypes: string[];
  /** Names the publisher of the rules. */
  componentSignatures: string[];
}

export function defaultSettings(): RuleSettings {
  return {
    engine: undefined,
    requestBodyAccess: undefined,
    responseBodyAccess: undefined,
    requestBodyLimit: undefined,
    requestBodyNoFilesLimit: undefined,
    responseBodyLimit: undefined,
    requestBodyLimitAction: undefined,
    responseBodyLimitAction: undefined,
    argumentsLimit: undefined,
    jsonDepthLimit: undefined,
    responseMediaTypes: ['text/plain', 'text/html', 'text/xml'],
    componentSignatures: [],
  };
}
