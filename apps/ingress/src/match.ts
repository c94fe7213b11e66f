import { isRefusal, refuse, type Refusal } from '@sallyport/contracts';
import { BodyCap, limits } from '@sallyport/proxy';
import type { Exchange } from './exchange';
import type { GatewayParts } from './gateway-parts';
import { problemIndex, problemPage } from './render/problem-page';
import type { Configuration } from './runtime/configuration';
import { modelRoutes } from './runtime/model-routes';
import { sendChat } from './send/chat-completions';
import { sendModelList } from './send/models';
import { sendUpstream } from './send/proxied-api';

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

/** Finds what answers a request: the gateway's own pages, a model endpoint, or the route of a published API. */
export function matchDestination(exchange: Exchange, configuration: Configuration): Destination | Refusal {
  const request = exchange.request!;
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

  const match = configuration.routes.match(request);
  if (isRefusal(match)) return match;
  exchange.compiled = match.route;
  exchange.matched = match.matched;
  if (match.route.limitsBody) exchange.body = new BodyCap(limits.body.ceilingBytes);
  return proxiedApi;
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
