import { logRead, type Trail } from '@sallyport/trail';
import type { Clock, RandomBytes } from '@sallyport/contracts';
import type { AdminActor } from '@sallyport/platform';
import type { Search, SearchPage, StoredEvent } from './search';
import type { SearchRequest } from './search-request';

/** Tenant of records about the cluster itself. */
const SYSTEM = 'system';

export interface ReaderOptions {
  readonly search: Search;
  readonly trail: Trail;
  readonly clock: Clock;
  readonly random: RandomBytes;
}

/** Reading the log is itself on the log. */
export class Reader {
  constructor(private readonly options: ReaderOptions) {}

  async search(request: SearchRequest, actor: AdminActor): Promise<SearchPage> {
    const page = await this.options.search.page(request);
    const { limit, ...filters } = request;
    this.#record('search', actor, { ...textOnly(filters), limit: String(limit) }, page.items.length);
    return page;
  }

  async get(uid: string, actor: AdminActor): Promise<StoredEvent> {
    const event = await this.options.search.get(uid);
    this.#record('get', actor, { uid }, 1);
    return event;
  }

  /** Somebody begins to watch records as they come. */
  watch(actor: AdminActor): void {
    this.#record('live', actor, {}, 0);
  }

  #record(
    operation: 'search' | 'get' | 'live',
    actor: AdminActor,
    query: { readonly [name: string]: string },
    count: number,
  ): void {
    const { trail, clock, random } = this.options;
    trail.append(logRead({ now: clock.now(), random, tenant: SYSTEM, actor, operation, query, count }));
  }
}

function textOnly(filters: { readonly [name: string]: string | undefined }): { [name: string]: string } {
  const present = Object.entries(filters).filter((filter): filter is [string, string] => filter[1] !== undefined);
  return Object.fromEntries(present);
}
