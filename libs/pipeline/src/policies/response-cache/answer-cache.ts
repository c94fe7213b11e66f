import type { Clock } from '@sallyport/contracts';
import { fieldValue, type RawFields } from '@sallyport/proxy';
import type { AnswerDraft } from '../../draft';
import { AnswerStore, fieldForMatch, type StoredAnswer } from './answer-store';
import { readCacheControl, seconds, type Directives } from './cache-control';
import { joined, reuseOf, varyNames, type CacheRules, type Reuse } from './freshness';
import { callerHasIt, notModifiedFields, sameTag } from './precondition';
import type { CacheQuestion } from './question';

/** An answer from the store, ready to be sent. */
export interface CachedAnswer {
  readonly status: number;
  /** Without a length: that follows from the body. */
  readonly fields: RawFields;
  /** Empty for 304. */
  readonly body: Buffer;
}

export type CacheDecision =
  | { readonly serve: CachedAnswer }
  /** The caller wants only what is kept, and nothing is (RFC 9111 §5.2.1.7). */
  | { readonly nothingKept: true }
  /** Goes upstream, with these fields in the place of the caller's conditions. */
  | { readonly flight: Flight };

/** Runs a function after so many milliseconds; the result calls it off. */
export type Later = (ms: number, run: () => void) => () => void;

const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);
/** Requests that ask for something else than the whole representation as it is. */
const PASSED_THROUGH = ['range', 'if-match', 'if-unmodified-since', 'if-range'] as const;
/** How often a caller waits for others whose call broke off before it calls itself. */
const WAITS = 3;

/**
 * A shared cache (RFC 9111) that gives an answer only to whom it was given, unless the answer is for everybody. It sits
 * before one process: what another process has, or is told to forget, it does not know.
 */
export class AnswerCache {
  readonly store: AnswerStore;
  /** Those that others may wait for. */
  private readonly joinable = new Map<string, Flight>();
  /** All whose answer may be kept, by what they ask for: there can be several where callers demand a newer answer. */
  private readonly keeping = new Map<string, Set<Flight>>();

  constructor(
    readonly clock: Clock,
    readonly later: Later,
    /** Of all answers together. */
    maxBytes: number,
  ) {
    this.store = new AnswerStore(maxBytes);
  }

  /**
   * Decides on one request. Calls back at once, or when the answer is there that another caller is fetching.
   * @returns a function that gives up waiting.
   */
  ask(question: CacheQuestion, rules: CacheRules, done: (decision: CacheDecision) => void): () => void {
    return new Asking(this, question, rules, done).begin();
  }

  /** Forgets what an unsafe request has changed, as far as its answer says so (RFC 9111 §4.4). */
  changed(question: CacheQuestion, status: number, fields: RawFields): void {
    if (SAFE.has(question.method) || status < 200 || status >= 400) return;
    const targets = [question.target];
    for (const name of ['location', 'content-location'] as const) {
      const target = sameSiteTarget(question, fieldValue(fields, name));
      if (target !== undefined) targets.push(target);
    }
    for (const target of targets) this.forget(resourceOf(question.site, target));
  }

  private forget(resource: string): void {
    this.store.forget(resource);
    // What was asked before the change must not be kept after it.
    for (const flight of [...(this.keeping.get(resource) ?? [])]) flight.doNotKeep();
  }

  /**
   * @internal for Asking and Flight
   * @returns what is kept for a question, of its owner or of everybody; the newest where there are both (RFC 9111 §4).
   */
  find({ question, resource, own, everybodys }: Sought): StoredAnswer | undefined {
    const mine = this.store.find(resource, own, question.forwarded);
    const shared = question.shared ? this.store.find(resource, everybodys, question.forwarded) : undefined;
    return mine && shared && shared.askedAt > mine.askedAt ? shared : (mine ?? shared);
  }

  /** @internal for Asking */
  flightFor(key: string): Flight | undefined {
    return this.joinable.get(key);
  }

  /** @internal for Asking */
  register(flight: Flight): Flight {
    const { resource, key, keeps } = flight;
    if (key !== undefined) this.joinable.set(key, flight);
    if (!keeps) return flight;
    const together = this.keeping.get(resource);
    if (together) together.add(flight);
    else this.keeping.set(resource, new Set([flight]));
    return flight;
  }

  /** @internal for Flight */
  unregister(flight: Flight): void {
    const { resource, key } = flight;
    if (key !== undefined && this.joinable.get(key) === flight) this.joinable.delete(key);
    const together = this.keeping.get(resource);
    if (together?.delete(flight) && together.size === 0) this.keeping.delete(resource);
  }
}

/** A question, and where its answers are. */
interface Sought {
  readonly question: CacheQuestion;
  readonly resource: string;
  /** The owner's space. */
  readonly own: string;
  readonly everybodys: string;
}

/** What becomes of the answer to a request that goes upstream: nothing, or it may be kept, and others may wait for it. */
type Role = 'apart' | 'keeping' | 'joinable';

function resourceOf(site: string, target: string): string {
  return `${site} ${target}`;
}

function sameSiteTarget({ site, target }: CacheQuestion, reference: string | undefined): string | undefined {
  if (reference === undefined) return undefined;
  // Only scheme and authority of the site count here, and they are its last two words.
  const [scheme = '', authority = ''] = site.split(' ').slice(-2);
  const url = URL.canParse(reference, `${scheme}://${authority}${target}`)
    ? new URL(reference, `${scheme}://${authority}${target}`)
    : undefined;
  return url?.host === authority && url.protocol === `${scheme}:` ? url.pathname + url.search : undefined;
}

/** One request while it is decided. */
class Asking implements Sought {
  readonly resource: string;
  readonly own: string;
  readonly everybodys: string;
  private readonly directives: Directives;
  private over = false;
  private waits = 0;
  private leave: () => void = () => undefined;

  constructor(
    private readonly cache: AnswerCache,
    readonly question: CacheQuestion,
    private readonly rules: CacheRules,
    private readonly done: (decision: CacheDecision) => void,
  ) {
    this.resource = resourceOf(question.site, question.target);
    this.own = `${question.route} ${question.owner}`;
    this.everybodys = `${question.route} *`;
    this.directives = question.callerDecides ? requestDirectives(question.field) : new Map();
  }

  begin(): () => void {
    const { method, field, hasBody } = this.question;
    if (method !== 'GET' && method !== 'HEAD') this.forward(undefined, 'method');
    else if (hasBody || PASSED_THROUGH.some((name) => field.has(name))) this.forward(undefined, 'bypass');
    else this.decide();
    return () => {
      this.over = true;
      this.leave();
    };
  }

  private decide(collapsed = false): void {
    const now = this.cache.clock.now();
    const stored = this.cache.find(this);
    if (stored && this.mayServe(stored, now)) return this.serve(stored, now, collapsed);
    if (this.directives.has('only-if-cached')) return this.finish({ nothingKept: true });
    const why = stored ? (this.demandsNewer(stored, now) ? 'request' : 'stale') : this.missReason();
    // An answer to HEAD has no body to keep (RFC 9111 §4: it could only refresh one).
    if (this.question.method === 'HEAD' || this.directives.has('no-store')) return this.forward(stored, why);

    const flight = this.cache.flightFor(this.key());
    if (!flight || this.directives.has('no-cache')) return this.forward(stored, why, 'joinable');
    if (stored && this.mayServeMeanwhile(stored, now)) return this.serve(stored, now, false);
    // Others were waited for already, and what they fetched must be asked about all the same: so must what comes next.
    if (stored && collapsed) return this.forward(stored, why, 'keeping');
    if (this.waits >= WAITS) return this.forward(stored, why);
    this.wait(flight, why);
  }

  private wait(flight: Flight, why: string): void {
    this.waits += 1;
    let waiting = true;
    const goOn = (next: () => void) => () => {
      if (!waiting || this.over) return;
      waiting = false;
      this.leave();
      next();
    };
    const alone = goOn(() => this.forward(this.cache.find(this), why));
    const tooLong = this.cache.later(this.rules.waitMs, alone);
    const gone = flight.join({
      kept: goOn(() => this.decide(true)),
      notKept: alone,
      failed: goOn(() => this.goOnAfterFailure(why)),
      brokeOff: goOn(() => this.decide()),
    });
    this.leave = () => {
      waiting = false;
      tooLong();
      gone();
    };
  }

  private key(): string {
    return `${this.resource}\n${this.own}`;
  }

  /** RFC 5861 §4: whoever waited for an upstream that fails has not to find that out by a call of its own. */
  private goOnAfterFailure(why: string): void {
    const now = this.cache.clock.now();
    const stored = this.cache.find(this);
    if (stored && mayStandIn(stored, now)) this.serve(stored, now, false);
    else this.forward(stored, why);
  }

  private missReason(): string {
    const { store } = this.cache;
    const known =
      store.has(this.resource, this.own) || (this.question.shared && store.has(this.resource, this.everybodys));
    return known ? 'vary-miss' : 'uri-miss';
  }

  /** RFC 9111 §4.2 and §5.2.1. */
  private mayServe(stored: StoredAnswer, now: number): boolean {
    const { reuse } = stored;
    if (reuse.alwaysRevalidate || this.demandsNewer(stored, now)) return false;
    const left = reuse.freshMs - ageMs(stored, now);
    if (left > 0) return left >= (seconds(this.directives, 'min-fresh') ?? 0) * 1000;
    if (reuse.mustRevalidate || !this.directives.has('max-stale')) return false;
    // Without a number the caller takes an answer of any age.
    return this.directives.get('max-stale') === '' || -left <= seconds(this.directives, 'max-stale')! * 1000;
  }

  /** RFC 5861 §3, for a caller who has not asked for a newer answer. */
  private mayServeMeanwhile(stored: StoredAnswer, now: number): boolean {
    return withinMs(stored, now, stored.reuse.staleWhileRevalidateMs) && !this.demandsNewer(stored, now);
  }

  private demandsNewer(stored: StoredAnswer, now: number): boolean {
    const maxAge = seconds(this.directives, 'max-age');
    return this.directives.has('no-cache') || (maxAge !== undefined && ageMs(stored, now) > maxAge * 1000);
  }

  private serve(stored: StoredAnswer, now: number, collapsed: boolean): void {
    const how = collapsed ? 'fwd=uri-miss; collapsed' : hit(stored, now);
    this.finish({ serve: render(stored, this.question, now, how) });
  }

  /** @param stored what may stand in for a failing upstream; it is asked to confirm that where its answer may be kept */
  private forward(stored: StoredAnswer | undefined, why: string, role: Role = 'apart'): void {
    const { cache, question, rules, resource, own, everybodys } = this;
    const key = role === 'joinable' ? this.key() : undefined;
    const keeps = role !== 'apart';
    const flight = new Flight({ cache, question, rules, resource, own, everybodys, why, key, keeps, stored });
    this.finish({ flight: cache.register(flight) });
  }

  private finish(decision: CacheDecision): void {
    if (this.over) return;
    this.over = true;
    this.done(decision);
  }
}

/** Pragma counts only where there is no Cache-Control (RFC 9111 §5.4). */
function requestDirectives(field: ReadonlyMap<string, string>): Directives {
  const control = field.get('cache-control');
  if (control !== undefined) return readCacheControl(control);
  return field.get('pragma')?.toLowerCase().includes('no-cache') ? new Map([['no-cache', '']]) : new Map();
}

/** What others hear who wait for the answer of a flight. */
interface Waiter {
  kept(): void;
  notKept(): void;
  /** The upstream cannot answer. */
  failed(): void;
  brokeOff(): void;
}

interface FlightPlan extends Sought {
  readonly cache: AnswerCache;
  readonly rules: CacheRules;
  /** Why it goes upstream, as RFC 9211 §2.2 names it. */
  readonly why: string;
  /** Others may wait for it under this key. */
  readonly key: string | undefined;
  readonly keeps: boolean;
  /** What was kept when it left: the upstream may confirm it, or fail and have it stand in. */
  readonly stored: StoredAnswer | undefined;
}

/** An answer that will be kept, as far as it has come. */
interface Keeping {
  readonly status: number;
  readonly received: RawFields;
  readonly reuse: Reuse;
  readonly chunks: Buffer[];
  /** Bytes of the body as the head states them; below zero: it does not. */
  readonly announced: number;
}

/**
 * One request on its way upstream. Is shown the answer as it passes, and keeps it if it may; tells those who wait for it
 * as soon as it is known that they wait in vain.
 */
export class Flight {
  readonly resource: string;
  readonly key: string | undefined;
  /** Fields that take the place of the caller's own conditions; empty: those go as they came. */
  readonly conditions: RawFields;
  private readonly askedAt: number;
  private readonly waiters = new Set<Waiter>();
  private answeredAt = 0;
  private keeping: Keeping | undefined;
  private weight = 0;
  /** Cache-Status as it came, and what we say of a forwarded request beside it. */
  private statusBefore: string | undefined;
  private told = '';
  private opened = false;
  private mayKeep: boolean;
  private settled = false;

  constructor(private readonly plan: FlightPlan) {
    this.resource = plan.resource;
    this.key = plan.key;
    this.mayKeep = plan.keeps;
    this.askedAt = plan.cache.clock.now();
    this.conditions = plan.stored && plan.keeps ? validators(plan.stored.fields) : [];
  }

  get keeps(): boolean {
    return this.mayKeep;
  }

  /** @returns a function that leaves. */
  join(waiter: Waiter): () => void {
    this.waiters.add(waiter);
    return () => this.waiters.delete(waiter);
  }

  /**
   * The head of the answer has come.
   * @returns the stored answer to send in its place, or the value of Cache-Status to send with it.
   */
  head(status: number, fields: RawFields): { serve: CachedAnswer } | { cacheStatus: string } {
    const { cache, question, stored, why } = this.plan;
    this.answeredAt = cache.clock.now();
    cache.changed(question, status, fields);
    if (stored && status === 304 && this.conditions.length > 0) return this.confirmed(stored, fields);
    if (status >= 500) {
      const standIn = this.failed();
      if (standIn) return { serve: standIn };
    }
    this.statusBefore = joined(fields, 'cache-status');
    this.told = `Sallyport; fwd=${why}; fwd-status=${status}`;
    const kept = this.consider(status, [...fields]) ? '; stored' : '';
    return { cacheStatus: appended(this.statusBefore, `${this.told}${kept}`) };
  }

  /**
   * The body follows. Those who see it before this cache may have edited the head for it, and that head is kept.
   * @param draft of the answer
   * @returns the value of Cache-Status in the place of the one that `head` gave, where the answer is not kept any more.
   */
  bodyFollows(draft: Pick<AnswerDraft, 'editedForBody'>): string | undefined {
    this.opened = true;
    const edited = draft.editedForBody(this.keeping!.status, this.keeping!.received);
    return this.consider(edited.status, edited.fields) ? undefined : appended(this.statusBefore, this.told);
  }

  private consider(status: number, fields: RawFields): boolean {
    const { rules } = this.plan;
    const reuse = this.mayKeep ? reuseOf(status, fields, rules, this.askedAt, this.answeredAt) : undefined;
    const announced = Number(fieldValue(fields, 'content-length') ?? -1);
    const keep = reuse !== undefined && announced <= rules.maxAnswerBytes;
    if (keep) this.keeping = { status, received: fields, reuse, chunks: [], announced };
    else this.doNotKeep(status >= 500 ? 'failed' : 'notKept');
    return keep;
  }

  /** Whether the answer, as far as it has come, will be kept. */
  get isKeeping(): boolean {
    return this.keeping !== undefined;
  }

  data(chunk: Uint8Array): void {
    if (!this.keeping) return;
    this.weight += chunk.length;
    if (this.weight > this.plan.rules.maxAnswerBytes) return this.doNotKeep();
    this.keeping.chunks.push(Buffer.from(chunk));
  }

  end(): void {
    const { keeping } = this;
    if (!keeping || this.settled) return this.settle('notKept');
    if (keeping.announced >= 0 && keeping.announced !== this.weight) return this.settle('notKept');
    this.keep(keeping);
    this.settle('kept');
  }

  /** The exchange is over. An answer without a body is complete with its head, any other one only with its last byte. */
  over(): void {
    if (this.keeping?.status === 204 && !this.opened) this.end();
    else this.abort();
  }

  /** The caller left, or the answer broke off: whoever waits asks again. */
  abort(): void {
    this.settle('brokeOff');
  }

  /**
   * The upstream gave no answer, or one that says it cannot.
   * @returns the stored answer that may stand in (RFC 5861 §4).
   */
  failed(): CachedAnswer | undefined {
    const { cache, question, why } = this.plan;
    const now = cache.clock.now();
    // Looked up once more: a change may have made it forgotten meanwhile.
    const stored = this.plan.stored && cache.find(this.plan);
    if (!stored || !mayStandIn(stored, now)) return undefined;
    this.settle('failed');
    return render(stored, question, now, `hit; fwd=${why}; ttl=${ttl(stored, now)}`);
  }

  /** What this flight fetches is out of date already, too large, or not for keeping. */
  doNotKeep(how: 'notKept' | 'failed' = 'notKept'): void {
    this.mayKeep = false;
    this.keeping = undefined;
    this.settle(how);
  }

  /** RFC 9111 §4.3.4. */
  private confirmed(stored: StoredAnswer, fields: RawFields): { serve: CachedAnswer } | { cacheStatus: string } {
    const { cache, question, rules, why } = this.plan;
    const [asked, told] = [fieldValue(stored.fields, 'etag'), fieldValue(fields, 'etag')];
    const merged = mergedFields(stored.fields, fields);
    const reuse = reuseOf(stored.status, merged, rules, this.askedAt, this.answeredAt);
    const sameOne = asked === undefined || told === undefined || sameTag(asked, told);
    cache.store.remove(stored);
    const confirmed: StoredAnswer = {
      ...stored,
      fields: merged,
      reuse: reuse ?? stored.reuse,
      askedAt: this.askedAt,
      answeredAt: this.answeredAt,
    };
    if (reuse && sameOne && this.mayKeep) {
      cache.store.put(confirmed, question.forwarded);
      this.settle('kept');
    } else this.settle('notKept');
    return { serve: render(confirmed, question, this.answeredAt, `hit; fwd=${why}; fwd-status=304`) };
  }

  private keep({ status, received, reuse, chunks }: Keeping): void {
    const { cache, question, own, everybodys } = this.plan;
    const fields = keptFields(received, this.statusBefore);
    const names = varyNames(fields)!;
    cache.store.put(
      {
        resource: this.resource,
        // RFC 9111 §3.5, and stricter: what a credential was asked for goes to others only where the answer says `public`.
        space: question.shared && (question.anonymous || reuse.isPublic) ? everybodys : own,
        chosenBy: names.map((name) => [name, fieldForMatch(question.forwarded, name)] as const),
        status,
        fields,
        body: Buffer.concat(chunks),
        reuse,
        askedAt: this.askedAt,
        answeredAt: this.answeredAt,
      },
      question.forwarded,
    );
  }

  private settle(how: keyof Waiter): void {
    if (this.settled) return;
    this.settled = true;
    this.plan.cache.unregister(this);
    for (const waiter of [...this.waiters]) waiter[how]();
    this.waiters.clear();
  }
}

function ageMs({ reuse, answeredAt }: StoredAnswer, now: number): number {
  return reuse.initialAgeMs + Math.max(0, now - answeredAt);
}

function withinMs(stored: StoredAnswer, now: number, ms: number): boolean {
  return ms > 0 && ageMs(stored, now) - stored.reuse.freshMs <= ms;
}

/** RFC 5861 §4. */
function mayStandIn(stored: StoredAnswer, now: number): boolean {
  return withinMs(stored, now, stored.reuse.staleIfErrorMs);
}

function ttl(stored: StoredAnswer, now: number): number {
  return Math.floor((stored.reuse.freshMs - ageMs(stored, now)) / 1000);
}

function hit(stored: StoredAnswer, now: number): string {
  return `hit; ttl=${ttl(stored, now)}`;
}

/** RFC 9211 §2: nearer caches stand further right. */
function appended(before: string | undefined, member: string): string {
  return before === undefined ? member : `${before}, ${member}`;
}

function render(stored: StoredAnswer, question: CacheQuestion, now: number, how: string): CachedAnswer {
  const has = callerHasIt(stored.status, stored.fields, question.field, now);
  const fields: string[] = [];
  const kept = has ? notModifiedFields(stored.fields) : stored.fields;
  for (let at = 0; at < kept.length; at += 2) {
    if (kept[at] !== 'cache-status') fields.push(kept[at]!, kept[at + 1]!);
  }
  fields.push('age', String(Math.floor(ageMs(stored, now) / 1000)));
  fields.push('cache-status', appended(joined(stored.fields, 'cache-status'), `Sallyport; ${how}`));
  return { status: has ? 304 : stored.status, fields, body: has ? Buffer.alloc(0) : stored.body };
}

/** Of one connection, of one caller, or made anew whenever the answer is given (RFC 9111 §3.1). */
const NOT_KEPT: ReadonlySet<string> = new Set([
  'age',
  'connection',
  'content-length',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-connection',
  'set-cookie',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** @param statusBefore Cache-Status without what this cache has said of the one caller who is answered now */
function keptFields(fields: RawFields, statusBefore: string | undefined): RawFields {
  const kept: string[] = [];
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at]!;
    if (name !== 'cache-status' && !NOT_KEPT.has(name)) kept.push(name, fields[at + 1]!);
  }
  if (statusBefore !== undefined) kept.push('cache-status', statusBefore);
  return kept;
}

/** What describes the body that is kept stays; the rest is as the 304 says (RFC 9111 §3.2). */
const OF_THE_BODY: ReadonlySet<string> = new Set(['content-encoding', 'content-type', 'content-range', ...NOT_KEPT]);

function mergedFields(stored: RawFields, newer: RawFields): RawFields {
  const fresh: string[] = [];
  const names = new Set<string>();
  for (let at = 0; at < newer.length; at += 2) {
    const name = newer[at]!;
    if (OF_THE_BODY.has(name)) continue;
    names.add(name);
    fresh.push(name, newer[at + 1]!);
  }
  const merged: string[] = [];
  for (let at = 0; at < stored.length; at += 2) {
    if (!names.has(stored[at]!)) merged.push(stored[at]!, stored[at + 1]!);
  }
  return [...merged, ...fresh];
}

function validators(fields: RawFields): RawFields {
  const conditions: string[] = [];
  const etag = fieldValue(fields, 'etag');
  const modified = fieldValue(fields, 'last-modified');
  if (etag !== undefined) conditions.push('if-none-match', etag);
  if (modified !== undefined) conditions.push('if-modified-since', modified);
  return conditions;
}
