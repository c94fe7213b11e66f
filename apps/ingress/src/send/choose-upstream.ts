import { hashText, type UpstreamGroup } from '@sallyport/proxy';
import type { Exchange } from '../exchange';
import type { GatewayParts } from '../gateway-parts';
import type { Upstreams } from './upstreams';

/** The upstream that answers this request: the route's, or its canary's for those who are meant. */
export function chooseUpstream(exchange: Exchange, parts: GatewayParts): UpstreamGroup | undefined {
  const { route } = exchange;
  const { upstreams } = exchange.configuration!;
  if (route.canary !== undefined && exchange.meantForCanary) {
    const canary = parts.upstreams.groupOf(upstreams.get(route.canary.upstream));
    // A canary that cannot be called is no reason to fail anybody.
    if (canary?.available()) {
      exchange.canary = true;
      return canary;
    }
  }
  return parts.upstreams.groupOf(upstreams.get(route.upstream));
}

/**
 * Decides whether the canary of the route is meant. Whoever wants to know asks the exchange, for which it is decided once.
 * @param upstreams whose `random` gives a number from 0 to below 1, another one each time
 */
export function isMeantForCanary(exchange: Exchange, upstreams: Pick<Upstreams, 'random'>): boolean {
  if (exchange.route.canary === undefined) return false;
  const { header, percent, sticky } = exchange.route.canary;
  if (header && exchange.request!.field.get(header.name) === header.value) return true;
  if (percent === 0) return false;
  const drawn = sticky ? hashText(`${exchange.route.id} ${callerKey(exchange)}`) / 2 ** 32 : upstreams.random();
  return drawn * 100 < percent;
}

/** What the same target is wanted for. @param on as `hash.on` of an upstream says it */
export function balanceKey(exchange: Exchange, on: string): string {
  const request = exchange.request!;
  if (on === 'address') return request.clientAddress;
  if (on === 'consumer') return callerKey(exchange);
  const name = on.slice(on.indexOf(':') + 1);
  const value = on.startsWith('header:') ? request.field.get(name) : cookie(request.field.get('cookie'), name);
  // Callers without it are spread like all others instead of falling on one target together.
  return value ?? request.clientAddress;
}

/** The consumer, or the address of a caller that nobody knows. */
function callerKey({ principal, request }: Exchange): string {
  return principal ? `${principal.tenant}/${principal.consumer}/${principal.subject}` : request!.clientAddress;
}

/** RFC 6265 §5.4: pairs are separated by a semicolon and a space; the first of a name counts. */
function cookie(field: string | undefined, name: string): string | undefined {
  for (const pair of field?.split(';') ?? []) {
    const at = pair.indexOf('=');
    if (at > 0 && pair.slice(0, at).trim().toLowerCase() === name) return pair.slice(at + 1).trim();
  }
  return undefined;
}
