import type { aiV1 } from '@sallyport/contracts';
import { renderModelList, type Timers, type Wires } from '@sallyport/ai';
import type { Exchange } from '../exchange';
import type { GatewayParts } from '../gateway-parts';

/** What model calls need beside the four decisions. */
export interface Models {
  readonly wires: Wires;
  readonly timers: Timers;
  /** Writes a settlement down for the ledger, whatever becomes of this process. */
  readonly ledger: (settlement: aiV1.Settlement) => void;
}

/** `GET /v1/models`: exactly what this caller may use. */
export function sendModelList(exchange: Exchange, parts: GatewayParts): void {
  const principal = exchange.principal!;
  const models = parts.consults.router.models(principal.tenant, principal);
  const body = renderModelList(models, Math.floor(parts.clock.now() / 1000));
  exchange.outcome = 'ok';
  exchange.answer.head(200, [
    'content-type',
    'application/json',
    'content-length',
    String(body.length),
    'cache-control',
    'no-store',
    ...exchange.commonFields(parts.showConfigVersion),
  ]);
  exchange.answer.data(body);
  exchange.answer.end();
}
