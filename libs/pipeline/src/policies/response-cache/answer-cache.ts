import type { Clock } from '@sallyport/contracts';
import { canonicalPath, fieldValue, type RawFields } from '@sallyport/proxy';
import { AnswerStore, type StoredAnswer } from './answer-store';
import { readCacheControl, seconds, type Directives } from './cache-control';
import { Flight } from './flight';
import type { CacheRules } from './freshness';
import type { CacheQuestion } from './question';
import { ageMs, hit, mayStandIn, render, withinMs, type CachedAnswer } from './served';

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
      if (target === undefined) continue;
      targets.push(target);
      // An upstream that does not know of the prefix names its own paths, unless it was told of it otherwise.
      if (question.prefix !== '') targets.push(question.prefix + target);
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
export interface Sought {
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
  if (url?.host !== authority || url.protocol !== `${scheme}:`) return undefined;
  const canonical = canonicalPath(url.pathname);
  return ('fault' in canonical ? url.pathname : canonical.path) + url.search;
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
