import type { Exchange } from '../exchange';
import type { Page } from '../match';
import { connectionFields } from '../unread';

/** Serves a page of the gateway itself as plain text. */
export function showPage(exchange: Exchange, { page }: Page, showConfigVersion: boolean): void {
  const body = Buffer.from(page);
  exchange.outcome = 'ok';
  exchange.answer.head(200, [
    'content-type',
    'text/plain; charset=utf-8',
    'content-length',
    String(body.length),
    'cache-control',
    'public, max-age=300',
    'x-content-type-options',
    'nosniff',
    ...exchange.commonFields(showConfigVersion),
    ...connectionFields(exchange),
  ]);
  if (exchange.request!.method !== 'HEAD') exchange.answer.data(body);
  exchange.answer.end();
}
