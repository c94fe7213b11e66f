import { isRefusal, refuse, type Refusal } from '@sallyport/contracts';
import { askedInPreflight, type CompiledRoute } from '@sallyport/pipeline';
import {
  BodyCap,
  boundsOf,
  judgeOddPath,
  limits,
  refusedWithoutRoute,
  type CanonicalRequest,
  type RouteMatch,
} from '@sallyport/proxy';
import type { Exchange } from './exchange';
import type { GatewayParts } from './gateway-parts';
import { problemIndex, problemPage } from './render/problem-page';
import type { Configuration } from './runtime/configuration';
import { modelRoutes } from './runtime/model-routes';
import { sendChat } from './send/chat-completions';
import { expectStreams, isGrpc, sendGrpc } from './send/grpc';
import { sendModelList } from './send/models';
import { sendUpstream } from './send/proxied-api';
import { sendWebSocket } from './send/websocket';

/** A page of the gateway itself, in plain text. */
export interface Page {
  readonly page: string;
}

/** What answers an admitted request. */
export interface Sender {
  send(exchange: Exchange, parts: GatewayParts): void;
}

export type Destination = Sender | Page;

const chat: Sender = { send: sendChat };
const modelList: Sender = { send: sendModelList };
const proxiedApi: Sender = { send: sendUpstream };
const grpcApi: Sender = { send: sendGrpc };
const webSocket: Sender = { send: sendWebSocket };

/** Finds what answers a request: the gateway's own pages, a model endpoint, or the route of a published API. */
export function matchDestination(exchange: Exchange, configuration: Configuration): Destination | Refusal {
  const request = exchange.request!;
  if (exchange.connection.http2 && isGrpc(request)) exchange.dialect = 'grpc';
  const destination = matchRequest(exchange, configuration);
  if (isRefusal(destination)) return destination;
  if (exchange.dialect === 'grpc' && destination === proxiedApi) {
    expectStreams(exchange);
    return grpcApi;
  }
  if (request.upgrade === undefined) return destination;
  return destination === proxiedApi && exchange.route.websocket ? webSocket : NO_WEBSOCKET;
}

const NO_WEBSOCKET = refuse('REQUEST_MALFORMED', { reason: 'no WebSocket is served here' });

function matchRequest(exchange: Exchange, configuration: Configuration): Destination | Refusal {
  const request = exchange.request!;
  if (request.oddities !== 0) return matchOddPath(exchange, configuration);
  const own = ownPage(request.path);
  if (own !== undefined)
    return request.method === 'GET' || request.method === 'HEAD'
      ? { page: own }
      : wrongMethod(request.method, 'GET, HEAD');

  const modelRoute = modelRoutes.get(request.path);
  if (modelRoute) {
    exchange.dialect = 'openai';
    exchange.compiled = modelRoute.compiled;
    if (request.method !== modelRoute.method) return wrongMethod(request.method, modelRoute.method);
    if (modelRoute.endpoint === 'models') return modelList;
    exchange.body = new BodyCap(limits.body.modelBytes);
    return chat;
  }
  if (isReservedForModels(request.path)) exchange.dialect = 'openai';

  return matchRoute(exchange, configuration);
}

/** The route of a published API, with what it lets a request cost. */
function matchRoute(exchange: Exchange, configuration: Configuration): Destination | Refusal {
  const match = routeOf(exchange.request!, configuration);
  if (isRefusal(match)) return match;
  const { route } = match.route;
  exchange.compiled = match.route;
  exchange.matched = match.matched;
  if (route.limits) exchange.answer.bounds = exchange.bounds = boundsOf(route.limits);
  if (route.limits?.bodyBytes !== undefined) exchange.body = new BodyCap(exchange.bounds.bodyBytes);
  else if (match.route.limitsBody) exchange.body = new BodyCap(limits.body.ceilingBytes);
  return proxiedApi;
}

/** A browser's question about a method goes to the route of that method, where a policy answers it; nothing else does. */
function routeOf(request: CanonicalRequest, { routes }: Configuration): RouteMatch<CompiledRoute> | Refusal {
  const match = routes.match(request);
  const method = isRefusal(match) && match.code === 'METHOD_NOT_ALLOWED' ? askedInPreflight(request) : undefined;
  if (method === undefined) return match;
  const { host, path } = request;
  const asked = routes.match({ host, path, method });
  return !isRefusal(asked) && asked.route.answersPreflight ? asked : match;
}

/** A path that origins read in different ways leads to nothing but a route that takes it, whichever way it is read. */
function matchOddPath(exchange: Exchange, configuration: Configuration): Destination | Refusal {
  const request = exchange.request!;
  const refused = refusedWithoutRoute(request);
  if (refused && isOurs(request.path)) return refused;
  const destination = matchRoute(exchange, configuration);
  if (isRefusal(destination)) return refused ?? destination;
  const { compiled, bounds } = exchange;
  const takesParameters = compiled!.route.policies.length === 0;
  return judgeOddPath(request, configuration.routes, compiled!, { ...bounds, takesParameters }) ?? destination;
}

function isOurs(path: string): boolean {
  return ownPage(path) !== undefined || isReservedForModels(path);
}

function wrongMethod(method: string, allow: string): Refusal {
  return refuse('METHOD_NOT_ALLOWED', { method, allow });
}

function isReservedForModels(path: string): boolean {
  return path === '/v1' || path.startsWith('/v1/');
}

const PAGES = '/problems/';

function ownPage(path: string): string | undefined {
  if (path === '/problems') return problemIndex();
  return path.startsWith(PAGES) ? problemPage(path.slice(PAGES.length)) : undefined;
}
