import type { RawFields } from '@sallyport/proxy';
import type { StoredAnswer } from './answer-store';
import { joined } from './freshness';
import { callerHasIt, notModifiedFields } from './precondition';
import type { CacheQuestion } from './question';

/** An answer from the store, ready to be sent. */
export interface CachedAnswer {
  readonly status: number;
  /** Without a length: that follows from the body. */
  readonly fields: RawFields;
  /** Empty for 304. */
  readonly body: Buffer;
}

export function ageMs({ reuse, answeredAt }: StoredAnswer, now: number): number {
  return reuse.initialAgeMs + Math.max(0, now - answeredAt);
}

export function withinMs(stored: StoredAnswer, now: number, ms: number): boolean {
  return ms > 0 && ageMs(stored, now) - stored.reuse.freshMs <= ms;
}

/** RFC 5861 §4. */
export function mayStandIn(stored: StoredAnswer, now: number): boolean {
  return withinMs(stored, now, stored.reuse.staleIfErrorMs);
}

export function ttl(stored: StoredAnswer, now: number): number {
  return Math.floor((stored.reuse.freshMs - ageMs(stored, now)) / 1000);
}

export function hit(stored: StoredAnswer, now: number): string {
  return `hit; ttl=${ttl(stored, now)}`;
}

/** RFC 9211 §2: nearer caches stand further right. */
export function appended(before: string | undefined, member: string): string {
  return before === undefined ? member : `${before}, ${member}`;
}

export function render(stored: StoredAnswer, question: CacheQuestion, now: number, how: string): CachedAnswer {
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
