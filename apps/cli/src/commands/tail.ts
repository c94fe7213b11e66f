import { setTimeout as wait } from 'node:timers/promises';
import { adminClient, type AdminClient } from '../admin-client';
import type { Command, Invocation } from '../command-line';
import { exitCodes, Failure, usageFailure } from '../failure';
import { plain, type Output } from '../output';
import { serverSentEvents } from '../server-sent-events';
import type { KeyView } from './key';

const EVENTS = '/api/audit/v1/events';
const COMPLETED = 'request.completed';
/** How many pages of 200 are read in search of requests that match. */
const MAX_PAGES = 25;
const RECONNECT_MS = [250, 1_000, 3_000, 5_000];

/** The members of a request's record (OCSF, docs of the audit API) that a line shows. */
export interface RequestRecord {
  readonly position: number;
  readonly at: string;
  readonly actor?: { readonly app_name?: string };
  readonly http_request?: { readonly http_method?: string; readonly url?: { readonly path?: string } };
  readonly http_response?: { readonly code?: number; readonly latency?: number };
  readonly message_context?: { readonly total_tokens?: number };
  readonly unmapped?: { readonly sallyport?: RequestDetail };
}

/** What OCSF has no place for. */
interface RequestDetail {
  readonly request_id?: string;
  readonly route?: string;
  readonly service?: string;
  readonly model?: string;
  readonly code?: string;
  readonly outcome?: string;
  readonly cost_usd?: string | null;
  readonly unpriced?: boolean;
  readonly credential?: { readonly id?: string };
  readonly waf?: { readonly verdict?: string };
  readonly limit?: { readonly remaining?: number };
  readonly count?: number;
}

export interface Filter {
  /** Name or kid of a key, or a consumer. */
  readonly key?: string;
  /** Id of a route, or a service. */
  readonly route?: string;
  /** `404` or `4xx`. */
  readonly status?: string;
  readonly model?: string;
}

export const tail: Command = {
  name: 'tail',
  summary: 'Show requests as they are recorded: the last ones, then each new one until Ctrl-C.',
  operands: [],
  options: [
    { name: 'lines', short: 'n', value: 'COUNT', summary: 'How many past requests to begin with; default: 10.' },
    { name: 'no-follow', summary: 'End after the past ones.' },
    { name: 'key', value: 'NAME', summary: 'Only this key, by name or kid, or this consumer.' },
    { name: 'route', value: 'ID', summary: 'Only this route, or the routes of this service.' },
    { name: 'status', value: 'STATUS', summary: 'Only this status, such as 404, or class, such as 5xx.' },
    { name: 'model', value: 'NAME', summary: 'Only requests for this model.' },
  ],
  examples: ['tail -n 20 --no-follow', 'tail --key demo --status 4xx'],
  async run(invocation, world, output) {
    const filter = filterOf(invocation);
    const lines = invocation.whole('lines', { from: 0, to: 5_000 }) ?? 10;
    const connect = () => adminClient(invocation.text('server'), world);
    const follower = new Follower(connect, filter, output);
    try {
      if (invocation.has('no-follow')) await follower.showPast(lines);
      else await follower.follow(lines, world.interrupted);
    } catch (error) {
      // Ctrl-C is how a tail ends.
      if (!world.interrupted.aborted) throw error;
    }
    return exitCodes.done;
  },
};

function filterOf(invocation: Invocation): Filter {
  const status = invocation.text('status');
  if (status !== undefined && !/^[1-5](\d\d|xx)$/.test(status)) {
    throw usageFailure(`--status takes a status such as 404, or a class such as 5xx, not “${status}”.`);
  }
  return { key: invocation.text('key'), route: invocation.text('route'), status, model: invocation.text('model') };
}

/** Shows past records, then new ones; none twice, and none left out when the stream breaks. */
class Follower {
  /** Position of the newest record that was seen, shown or not. */
  private seen = 0;
  private readonly names = new Map<string, Promise<string>>();
  private admin: AdminClient;

  /** @param connect called again for each new connection: the socket of this host has another path after a restart */
  constructor(
    private readonly connect: () => AdminClient,
    private readonly filter: Filter,
    private readonly output: Output,
  ) {
    this.admin = connect();
  }

  async showPast(count: number): Promise<void> {
    const past: { record: RequestRecord; key: string | undefined }[] = [];
    if (count === 0) {
      for await (const record of this.newestFirst(1)) {
        this.seen = record.position;
        break;
      }
      return;
    }
    // With a filter nobody knows how many must be read; without one, as many as are shown.
    const filtered = Object.values(this.filter).some((wanted) => wanted !== undefined);
    for await (const record of this.newestFirst(filtered ? 200 : Math.min(200, count))) {
      this.seen = Math.max(this.seen, record.position);
      const key = await this.keyOf(record);
      if (matches(record, key, this.filter)) past.push({ record, key });
      if (past.length === count) break;
    }
    for (const { record, key } of past.reverse()) this.show(record, key);
  }

  async follow(count: number, interrupted: AbortSignal): Promise<void> {
    let attempt = 0;
    let begun = false;
    while (!interrupted.aborted) {
      try {
        if (begun) this.admin = this.connect();
        // The stream is opened first: what is recorded while the past is read waits in it.
        const stream = await this.admin.stream(`${EVENTS}/live`);
        if (begun) await this.catchUp();
        else await this.showPast(count);
        begun = true;
        attempt = 0;
        for await (const { event, data } of serverSentEvents(stream)) {
          if (event === COMPLETED) await this.take(JSON.parse(data) as RequestRecord);
        }
      } catch (error) {
        // Before the first success it is the user's affair; afterwards a restart of the server, which is waited for.
        if (!begun || isRefused(error)) throw error;
      }
      if (interrupted.aborted) return;
      if (attempt === 0) this.output.note('the stream ended; connecting again …');
      await wait(RECONNECT_MS[Math.min(attempt++, RECONNECT_MS.length - 1)], undefined, { signal: interrupted });
    }
  }

  private async catchUp(): Promise<void> {
    const missed: RequestRecord[] = [];
    for await (const record of this.newestFirst(200)) {
      if (record.position <= this.seen) break;
      missed.push(record);
    }
    for (const record of missed.reverse()) await this.take(record);
  }

  private async take(record: RequestRecord): Promise<void> {
    if (record.position <= this.seen) return;
    this.seen = record.position;
    const key = await this.keyOf(record);
    if (matches(record, key, this.filter)) this.show(record, key);
  }

  private async *newestFirst(limit: number): AsyncGenerator<RequestRecord> {
    let cursor: string | undefined;
    for (let page = 0; page < MAX_PAGES; page++) {
      const query = { what: COMPLETED, status: this.filter.status, limit, cursor };
      const { items, next } = await this.admin.get<{ items: RequestRecord[]; next: string | null }>(EVENTS, query);
      yield* items;
      if (next === null) return;
      cursor = next;
    }
  }

  /** Records name a key by its kid, which people do not remember. */
  private keyOf({ unmapped }: RequestRecord): Promise<string> | undefined {
    const kid = unmapped?.sallyport?.credential?.id;
    // Tokens have ids of another form, and no name.
    if (kid === undefined || !/^[0-9A-Za-z]{11}$/.test(kid)) return undefined;
    const known = this.names.get(kid);
    if (known) return known;
    const name = this.admin.get<KeyView>(`/api/auth/v1/keys/${kid}`).then(
      (key) => key.name,
      // Auth may be away, or the key unknown by now: the line is still worth showing.
      () => kid,
    );
    this.names.set(kid, name);
    return name;
  }

  private show(record: RequestRecord, key: string | undefined): void {
    if (this.output.json) this.output.document(record);
    else this.output.line(lineOf(record, key, this.output));
  }
}

/** A server said no, and will say so again; where none was asked, it may be starting. */
function isRefused(error: unknown): boolean {
  return error instanceof Failure && error.facts.exitCode === exitCodes.notAllowed && error.facts.code !== undefined;
}

/** @param key name of the key, where one was presented */
export function matches(record: RequestRecord, key: string | undefined, filter: Filter): boolean {
  const detail = detailOf(record);
  const status = String(record.http_response?.code ?? '');
  const wanted: readonly (readonly [string | undefined, readonly (string | undefined)[]])[] = [
    [filter.key, [key, detail.credential?.id, record.actor?.app_name]],
    [filter.route, [detail.route, detail.service]],
    [filter.model, [detail.model]],
    [filter.status, [status, `${status[0]}xx`]],
  ];
  return wanted.every(([want, have]) => want === undefined || have.includes(want));
}

/** `12:04:11 200 POST /v1/chat/completions key=demo model=echo 9 ms 12 tok $0 waf=pass limit=59 req_8sQ2…` */
export function lineOf(record: RequestRecord, key: string | undefined, output: Pick<Output, 'paint'>): string {
  const { http_request: request, http_response: response, message_context: context } = record;
  const detail = detailOf(record);
  const parts = [
    clockOf(record.at),
    statusOf(response?.code, output),
    plain(request?.http_method ?? '?'),
    plain(request?.url?.path ?? '?'),
    named('key', key ?? record.actor?.app_name),
    named('model', detail.model),
    counted(response?.latency, 'ms'),
    counted(context?.total_tokens, 'tok'),
    costOf(detail),
    named('waf', detail.waf?.verdict),
    named('limit', detail.limit?.remaining),
    detail.code ?? (detail.outcome === 'ok' ? undefined : detail.outcome),
    // Refusals of one kind in one second are folded into one record.
    named('count', detail.count),
    detail.request_id,
  ];
  return parts.filter((part) => part !== undefined).join(' ');
}

function detailOf({ unmapped }: RequestRecord): RequestDetail {
  return unmapped?.sallyport ?? {};
}

/** A client that left before it was answered got no status. */
function statusOf(status: number | undefined, { paint }: Pick<Output, 'paint'>): string {
  if (status === undefined) return '---';
  return paint(status < 400 ? 'green' : status < 500 ? 'yellow' : 'red', String(status));
}

function named(name: string, value: string | number | undefined): string | undefined {
  return value === undefined ? undefined : plain(`${name}=${value}`);
}

function counted(value: number | undefined, unit: string): string | undefined {
  return value === undefined ? undefined : `${Math.round(value)} ${unit}`;
}

function costOf({ code, cost_usd: cost, unpriced }: RequestDetail): string | undefined {
  // What was refused has cost nothing, priced or not.
  if (unpriced === true && code === undefined) return 'unpriced';
  return typeof cost === 'string' ? `$${cost}` : undefined;
}

/** Time of day here: who tails looks at the clock on the wall. */
function clockOf(at: string): string {
  const moment = new Date(at);
  return [moment.getHours(), moment.getMinutes(), moment.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
}
