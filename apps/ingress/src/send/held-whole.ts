import { isRepeatable, REPLAY_BYTES } from '@sallyport/proxy';
import type { Exchange } from '../exchange';
import type { GatewayParts } from '../gateway-parts';

/** Whether a small body is waited for to its end, because it may have to be sent more than once. */
export function isHeldWhole(exchange: Exchange, parts: GatewayParts): boolean {
  const { contentLength, method, field } = exchange.request!;
  if (contentLength === undefined || contentLength > REPLAY_BYTES) return false;
  const { route, configuration } = exchange;
  if (route.mirror !== undefined) return true;
  const group = parts.upstreams.groupOf(configuration!.upstreams.get(route.upstream));
  return (group?.repeats ?? false) && isRepeatable(method, field.has('idempotency-key'));
}
