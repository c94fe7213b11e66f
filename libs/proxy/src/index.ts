export { countedNetwork } from './address';
export { canonicalRequest, type CanonicalRequest, type RawRequest } from './canonical-request';
export { canonicalPath } from './canonical-path';
export { limits, type HeadLimits, type UpstreamTimeouts } from './limits';
export { parseMediaType, type MediaType } from './media-type';
export {
  RouteConflictError,
  RouteTable,
  withoutPrefix,
  type RouteConflict,
  type RouteMatch,
  type RoutePattern,
  type RouteQuestion,
} from './route-table';
