import { isUuidv7, refuse, RefusalError, uuidv7Time, type Clock } from '@sallyport/contracts';
import type { DataSource } from 'typeorm';
import { retentions } from '../store/retention';
import type { Cursors, Place } from './cursor';
import { dispositions, type SearchRequest } from './search-request';

const DAY_MS = 24 * 3_600_000;

/** A record as it is stored. */
export interface StoredEvent {
  readonly uid: string;
  readonly kind: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly position: number;
  /** The bytes the producer wrote: canonical JSON. */
  readonly body: Buffer;
}

export interface SearchPage {
  readonly items: readonly StoredEvent[];
  /** Cursor of the next page; null at the end. */
  readonly next: string | null;
}

interface EventColumns {
  readonly uid: string;
  readonly kind: string;
  readonly at: Date;
  readonly position: string;
  readonly body: Buffer;
}

const COLUMNS = 'uid, kind, at, position, body';

/** Answers questions about the records, newest first. */
export class Search {
  constructor(
    private readonly dataSource: DataSource,
    private readonly cursors: Cursors,
    private readonly clock: Clock,
  ) {}

  /**
   * One page. A walk by cursor meets every record of its range exactly once: it goes down the positions, and what is
   * committed meanwhile has a higher one.
   * @throws RefusalError SCHEMA_VIOLATION for a range that is none, or a cursor of another search.
   */
  async page(request: SearchRequest): Promise<SearchPage> {
    const filters = filtersOf(request);
    const place = this.#place(request, filters);
    const { where, values } = conditions(request, place, request.cursor !== undefined);
    const rows = await this.dataSource.query<EventColumns[]>(
      `SELECT ${COLUMNS} FROM audit_event WHERE ${where} ORDER BY position DESC LIMIT ${request.limit + 1}`,
      values,
    );
    const items = rows.slice(0, request.limit).map(eventOf);
    const more = rows.length > request.limit;
    const next = more ? this.cursors.write({ ...place, position: items.at(-1)!.position }, filters) : null;
    return { items, next };
  }

  /**
   * By its primary key: a record's moment is that of its uid.
   * @throws RefusalError AUDIT_EVENT_NOT_FOUND
   */
  async get(uid: string): Promise<StoredEvent> {
    const [row] = isUuidv7(uid)
      ? await this.dataSource.query<EventColumns[]>(
          `SELECT ${COLUMNS} FROM audit_event WHERE retention = ANY($1) AND at = $2 AND uid = $3 LIMIT 1`,
          [retentions, new Date(uuidv7Time(uid)), uid],
        )
      : [];
    if (!row) throw new RefusalError(refuse('AUDIT_EVENT_NOT_FOUND', { uid: uid.slice(0, 64) }));
    return eventOf(row);
  }

  /** How far a chain is committed; 0 for one that is not known. */
  async committed(chain: string): Promise<number> {
    const [row] = await this.dataSource.query<{ next_seq: string }[]>(
      'SELECT next_seq FROM audit_chain WHERE chain = $1',
      [chain],
    );
    return row ? Number(row.next_seq) - 1 : 0;
  }

  #place(request: SearchRequest, filters: string): Place {
    if (request.cursor !== undefined) {
      const place = this.cursors.read(request.cursor, filters);
      if (!place) throw violation('/cursor', 'the cursor belongs to another search');
      return place;
    }
    const to = request.to === undefined ? this.clock.now() + 1 : Date.parse(request.to);
    const from = request.from === undefined ? to - DAY_MS : Date.parse(request.from);
    if (from >= to) throw violation('/from', 'the range ends before it begins');
    return { position: Number.MAX_SAFE_INTEGER, from, to };
  }
}

function violation(pointer: string, detail: string): RefusalError {
  const reason = `${pointer}: ${detail}`;
  return new RefusalError(refuse('SCHEMA_VIOLATION', { reason }), [{ pointer, code: 'invalid_value', detail }]);
}

/** What a cursor is bound to: everything but the page itself. */
function filtersOf(request: SearchRequest): string {
  const { cursor: _cursor, limit: _limit, ...filters } = request;
  return JSON.stringify(Object.entries(filters).sort(([left], [right]) => (left < right ? -1 : 1)));
}

function conditions(
  request: SearchRequest,
  { from, to, position }: Place,
  walking: boolean,
): { readonly where: string; readonly values: unknown[] } {
  const values: unknown[] = [new Date(from), new Date(to)];
  const parts = ['at >= $1', 'at < $2'];
  const add = (condition: (parameter: string) => string, value: unknown) => {
    values.push(value);
    parts.push(condition(`$${values.length}`));
  };
  const { who, what, resource, disposition, status, route, trace, request: requestId } = request;
  if (walking) add((parameter) => `position < ${parameter}`, position);
  if (who !== undefined) add((parameter) => `(actor_ref = ${parameter} OR app = ${parameter})`, who);
  if (what?.includes('.')) add((parameter) => `kind = ${parameter}`, what);
  else if (what !== undefined) add((parameter) => `starts_with(kind, ${parameter})`, `${what}.`);
  if (resource !== undefined) add((parameter) => `resource = ${parameter}`, resource);
  if (disposition !== undefined) add((parameter) => `disposition = ${parameter}`, dispositions[disposition]);
  if (status?.endsWith('xx')) {
    add((parameter) => `status / 100 = ${parameter}`, Number(status[0]));
  } else if (status !== undefined) {
    add((parameter) => `status = ${parameter}`, Number(status));
  }
  if (route !== undefined) add((parameter) => `route = ${parameter}`, route);
  if (trace !== undefined) add((parameter) => `trace_id = ${parameter}`, trace);
  if (requestId !== undefined) add((parameter) => `request_id = ${parameter}`, requestId);
  return { where: parts.join(' AND '), values };
}

function eventOf({ uid, kind, at, position, body }: EventColumns): StoredEvent {
  return { uid, kind, at: at.getTime(), position: Number(position), body };
}
