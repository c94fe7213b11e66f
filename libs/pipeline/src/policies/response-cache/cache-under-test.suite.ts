import { AnswerCache, type CacheDecision } from './answer-cache';
import type { Flight } from './flight';
import type { CacheRules } from './freshness';
import type { CacheQuestion } from './question';
import type { CachedAnswer } from './served';

const rules: CacheRules = {
  unstatedMs: 0,
  stripSetCookie: false,
  staleIfErrorMs: 0,
  staleWhileRevalidateMs: 0,
  maxAnswerBytes: 2500,
  waitMs: 500,
};
export const T0 = Date.UTC(2026, 0, 1);
export const DATE = new Date(T0).toUTCString();

export class Harness {
  now = T0;
  readonly alarms: { at: number; ring: () => void }[] = [];
  readonly cache: AnswerCache;

  constructor(maxBytes = 1_000_000) {
    this.cache = new AnswerCache(
      { now: () => this.now, monotonic: () => this.now },
      (ms, ring) => {
        const alarm = { at: this.now + ms, ring };
        this.alarms.push(alarm);
        return () => void this.alarms.splice(this.alarms.indexOf(alarm), 1);
      },
      maxBytes,
    );
  }

  ask(
    question: Partial<CacheQuestion> & { fields?: Record<string, string> } = {},
    more: Partial<CacheRules> = {},
  ): CacheDecision | 'waits' {
    return this.asking(question, more).decision ?? 'waits';
  }

  asking(question: Partial<CacheQuestion> & { fields?: Record<string, string> } = {}, more: Partial<CacheRules> = {}) {
    const { fields, ...rest } = question;
    const field = new Map(Object.entries(fields ?? {}));
    const asking: { decision?: CacheDecision; leave: () => void } = { leave: () => undefined };
    asking.leave = this.cache.ask(
      {
        method: 'GET',
        site: 'default http api.example',
        target: '/a',
        prefix: '',
        route: 'r',
        owner: 'billing',
        anonymous: false,
        shared: false,
        callerDecides: true,
        hasBody: false,
        field,
        forwarded: field,
        ...rest,
      },
      { ...rules, ...more },
      (decision) => (asking.decision = decision),
    );
    return asking;
  }

  /** Asks, and answers from the upstream when it gets there. */
  fetch(
    question: Parameters<Harness['ask']>[0],
    answer: { status?: number; fields?: Record<string, string>; body?: string },
    more: Partial<CacheRules> = {},
  ): {
    from: 'cache' | 'upstream' | 'waits' | 'nothing';
    served?: CachedAnswer;
    told?: string;
    conditions?: readonly string[];
  } {
    const decision = this.ask(question, more);
    if (decision === 'waits') return { from: 'waits' };
    if ('nothingKept' in decision) return { from: 'nothing' };
    if ('serve' in decision)
      return { from: 'cache', served: decision.serve, told: value(decision.serve, 'cache-status')! };
    return { ...answerWith(decision.flight, answer), conditions: decision.flight.conditions };
  }
}

export function answerWith(
  flight: Flight,
  { status = 200, fields = {}, body = 'hello' }: Parameters<Harness['fetch']>[1],
) {
  const head = flight.head(status, [...(fields['date'] ? [] : ['date', DATE]), ...Object.entries(fields).flat()]);
  if ('contradicts' in head) return { from: 'nothing' as const };
  if ('serve' in head) return { from: 'cache' as const, served: head.serve, told: value(head.serve, 'cache-status')! };
  flight.data(Buffer.from(body));
  flight.end();
  return { from: 'upstream' as const, told: head.cacheStatus };
}

export function value({ fields }: CachedAnswer, name: string): string | undefined {
  const at = fields.findIndex((field, index) => index % 2 === 0 && field === name);
  return at < 0 ? undefined : fields[at + 1];
}

export function flightOf(decision: CacheDecision | 'waits' | undefined): Flight {
  return (decision as { flight: Flight }).flight;
}

export const byForce = { fields: { 'cache-control': 'no-cache' } };
