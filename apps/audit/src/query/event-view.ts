import type { StoredEvent } from './search';

/** A record as the API shows it: its body, and where it stands. */
export type EventView = { readonly [name: string]: unknown } & {
  readonly uid: string;
  readonly position: number;
  /** RFC 3339 */
  readonly at: string;
};

export function eventView({ uid, at, position, body }: StoredEvent): EventView {
  const document = JSON.parse(body.toString()) as { readonly [name: string]: unknown };
  return { ...document, uid, position, at: new Date(at).toISOString() };
}
