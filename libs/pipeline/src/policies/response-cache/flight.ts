import { fieldValue, type RawFields } from '@sallyport/proxy';
import type { AnswerDraft } from '../../draft';
import type { AnswerCache, Sought } from './answer-cache';
import { fieldForMatch, type StoredAnswer } from './answer-store';
import { joined, reuseOf, varyNames, type CacheRules, type Reuse } from './freshness';
import { callerHasIt, sameTag } from './precondition';
import { appended, mayStandIn, render, ttl, type CachedAnswer } from './served';

export type HeadDecision =
  /** The stored answer, in the place of what has come. */
  | { readonly serve: CachedAnswer }
  /** What has come, with this value of Cache-Status. */
  | { readonly cacheStatus: string }
  /** Neither: a 304 that is not about what it was asked to confirm (RFC 9111 §4.3.4). The next request asks anew. */
  | { readonly contradicts: true };

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
   * @returns what to send
   */
  head(status: number, fields: RawFields): HeadDecision {
    const { cache, question, stored, why } = this.plan;
    this.answeredAt = cache.clock.now();
    this.statusBefore = joined(fields, 'cache-status');
    this.told = `Sallyport; fwd=${why}; fwd-status=${status}`;
    cache.changed(question, status, fields);
    if (stored && status === 304 && this.conditions.length > 0) return this.confirmed(stored, fields);
    if (status >= 500) {
      const standIn = this.failed();
      if (standIn) return { serve: standIn };
    }
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
  private confirmed(stored: StoredAnswer, fields: RawFields): HeadDecision {
    const { cache, question, rules, why } = this.plan;
    const [asked, told] = [fieldValue(stored.fields, 'etag'), fieldValue(fields, 'etag')];
    if (asked !== undefined && told !== undefined && !sameTag(asked, told)) return this.contradicted(stored, fields);
    const merged = mergedFields(stored.fields, dated(fields, this.answeredAt));
    const reuse = reuseOf(stored.status, merged, rules, this.askedAt, this.answeredAt);
    cache.store.remove(stored);
    const confirmed: StoredAnswer = {
      ...stored,
      fields: merged,
      reuse: reuse ?? stored.reuse,
      askedAt: this.askedAt,
      answeredAt: this.answeredAt,
    };
    if (reuse && this.mayKeep) {
      cache.store.put(confirmed, question.forwarded);
      this.settle('kept');
    } else this.settle('notKept');
    return { serve: render(confirmed, question, this.answeredAt, `hit; fwd=${why}; fwd-status=304`) };
  }

  /** The upstream has another answer by now, and did not send it. */
  private contradicted(stored: StoredAnswer, fields: RawFields): HeadDecision {
    const { cache, question } = this.plan;
    const callerHas = callerHasIt(200, fields, question.field, this.answeredAt);
    const standIn = callerHas ? undefined : this.failed();
    cache.store.remove(stored);
    this.settle('notKept');
    if (callerHas) return { cacheStatus: appended(this.statusBefore, this.told) };
    return standIn ? { serve: standIn } : { contradicts: true };
  }

  private keep({ status, received, reuse, chunks }: Keeping): void {
    const { cache, question, own, everybodys } = this.plan;
    const fields = dated(keptFields(received, this.statusBefore), this.answeredAt);
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

/** A time of receipt is the date of an answer that says none (RFC 9110 §6.6.1). @param at milliseconds since the epoch */
function dated(fields: RawFields, at: number): RawFields {
  return fieldValue(fields, 'date') === undefined ? [...fields, 'date', new Date(at).toUTCString()] : fields;
}

/**
 * What describes the bytes that are kept stays; the rest is as the 304 says (RFC 9111 §3.2). A policy may have made other
 * bytes of those that the upstream speaks of, and a Content-Digest is of the 304 itself (RFC 9530 §2).
 */
const OF_THE_BODY: ReadonlySet<string> = new Set([
  'content-digest',
  'content-encoding',
  'content-md5',
  'content-range',
  'content-type',
  'digest',
  'etag',
  'repr-digest',
  ...NOT_KEPT,
]);

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
