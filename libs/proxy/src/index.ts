export { countedNetwork } from './address';
export { canonicalRequest, type CanonicalRequest, type RawRequest } from './canonical-request';
export { canonicalPath } from './canonical-path';
export { limits, type HeadLimits, type UpstreamTimeouts } from './limits';
export { parseMediaType, type MediaType } from './media-type';
