export { isAddressAllowed, type Lookup } from './address-guard';
export { addressGroup, AddressList } from './address';
export { BodyCap } from './body-cap';
export { BoundedDecoder, codingsOf, knownCodings, type DecoderLimits, type DecoderListener } from './bounded-decoder';
export { canonicalPath, type CanonicalPath } from './canonical-path';
export { RequestParser, type ParsedHead, type RequestFault } from './http1/request-parser';
export { canonicalRequest, type CanonicalRequest, type RawRequest } from './canonical-request';
export { EventMeter } from './event-meter';
export { fetchDocument, type DocumentRequest } from './fetch-document';
export type { Forwarding, ForwardPhase, ForwardSink, UpstreamBody, UpstreamClient, UpstreamRequest } from './forward';
export {
  callerFields,
  fieldsToClient,
  fieldsToUpstream,
  isKeptInside,
  isMadeEachTime,
  isSendable,
  type ForwardedFacts,
} from './headers-out';
export { HeldBytes } from './held-bytes';
export { endsHere, isImpersonating } from './inbound-fields';
export { ofTheConnection, readHttp2Head, type Http2Head } from './http2-head';
export { IncomingBody, type BodyListener } from './incoming-body';
export {
  boundsOf,
  defaultBounds,
  defaultListenerLimits,
  limits,
  listenerLimits,
  type Bounds,
  type HeadLimits,
  type ListenerLimits,
  type UpstreamTimeouts,
} from './limits';
export { parseMediaType, type MediaType } from './media-type';
export { judgeOddPath, refusedWithoutRoute, type OddQuestion, type TakesOddPaths } from './odd-path';
export { UpstreamPools, type UpstreamOrigin } from './pool';
export { readProxyHeader, type ProxyHeader } from './proxy-protocol';
export { fieldValue, type RawFields } from './raw-fields';
export {
  RouteConflictError,
  RouteTable,
  withoutPrefix,
  type RouteConflict,
  type RouteMatch,
  type RoutePattern,
  type RouteQuestion,
} from './route-table';
export { isRepeatable, REPLAY_BYTES } from './upstream/retry-rules';
export { hashText } from './upstream/rendezvous';
export type { Timers } from './upstream/timers';
export type { CallOwner } from './upstream/upstream-call';
export { UpstreamGroup, type GroupParts, type TargetChange, type TargetStatus } from './upstream/upstream-group';
export type { UpstreamTarget } from './upstream/upstream-target';
export {
  closeCodes,
  closeFrame,
  controlFrame,
  FrameGate,
  handshakeRefusal,
  type ControlFrame,
  type WebSocketFault,
} from './websocket';
