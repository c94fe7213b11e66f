import type { Refusal, RouteMirror } from '@sallyport/contracts';
import {
  REPLAY_BYTES,
  type CallOwner,
  type Forwarding,
  type UpstreamRequest,
  type UpstreamTarget,
  type UpstreamTimeouts,
} from '@sallyport/proxy';
import type { Exchange } from '../exchange';
import type { GatewayParts } from '../gateway-parts';

/** Copies under way in this process, at most: an upstream that is only watched must cost next to nothing. */
const MOST_UNDER_WAY = 64;
let underWay = 0;

/** Makes the request of a copy as its target shall see it. */
export type CopyFor = (target: UpstreamTarget, timeouts: UpstreamTimeouts) => UpstreamRequest | Refusal;

/**
 * Sends a copy of a request to another upstream and forgets it: whatever becomes of the copy, the exchange does not
 * notice.
 * @param body undefined: none. A body that is still coming is never copied.
 */
export function mirror(
  exchange: Exchange,
  parts: GatewayParts,
  { upstream, percent }: RouteMirror,
  body: unknown,
  copyFor: CopyFor,
): void {
  if (parts.upstreams.random() * 100 >= percent) return;
  const { metrics } = parts.upstreams;
  const group = parts.upstreams.groupOf(exchange.configuration!.upstreams.get(upstream));
  if (!group?.available()) return metrics.mirrored(upstream, 'dropped_upstream');
  if (underWay >= MOST_UNDER_WAY) return metrics.mirrored(upstream, 'dropped_busy');
  const small = body === undefined || (body instanceof Uint8Array && body.length <= REPLAY_BYTES);
  if (!small) return metrics.mirrored(upstream, 'dropped_body');
  metrics.mirrored(upstream, 'sent');
  const copy = new Copy(copyFor, group.settings.timeouts);
  copy.forwarding = group.call(copy);
}

/** Takes an answer and throws it away; what is longer than a little is not even read. */
class Copy implements CallOwner {
  readonly repeatable = false;
  readonly replayable = false;
  forwarding: Forwarding | undefined;
  private bytes = 0;
  private over = false;

  constructor(
    private readonly copyFor: CopyFor,
    private readonly timeouts: UpstreamTimeouts,
  ) {
    underWay++;
  }

  requestFor(target: UpstreamTarget): UpstreamRequest | Refusal {
    return this.copyFor(target, this.timeouts);
  }

  attemptFailed(): void {}

  onHead(): void {}

  onData(chunk: Buffer): boolean {
    this.bytes += chunk.length;
    if (this.bytes <= REPLAY_BYTES) return true;
    this.end();
    this.forwarding?.abort();
    return false;
  }

  onEnd(): void {
    this.end();
  }

  onFailure(): void {
    this.end();
  }

  private end(): void {
    if (this.over) return;
    this.over = true;
    underWay--;
  }
}
