import { z } from 'zod';
import { refuse, type Refusal } from '@sallyport/contracts';
import { durationUpTo } from '../../config-values';
import type { RawFields } from '@sallyport/proxy';
import type { AnswerDraft, RequestDraft } from '../../draft';
import {
  definePolicy,
  pass,
  reply,
  type BodyTransform,
  type PolicyExchange,
  type PolicyServices,
  type Reply,
} from '../../policy';
import { AnswerCache } from './answer-cache';
import type { Flight } from './flight';
import { questionOf } from './question';
import type { CachedAnswer } from './served';

const MIB = 1024 * 1024;
/** What one process keeps of the answers of all its routes. */
const CACHE_BYTES = 64 * MIB;

export const responseCache = definePolicy({
  id: 'response-cache',
  summary: 'Keeps answers that say they may be kept (RFC 9111), each caller’s for itself.',
  config: z.strictObject({
    /** Give answers that say `public`, and answers to callers without a credential of any kind, to everybody. */
    shared: z.boolean().default(false),
    /** A larger answer is passed on and not kept. */
    maxBodyBytes: z
      .int()
      .min(1)
      .max(8 * MIB)
      .default(MIB),
    /** How long an answer is fresh that does not say so itself. */
    unstated: durationUpTo('365d').prefault('0s'),
    setCookie: z.enum(['refuse', 'strip']).default('refuse'),
    staleIfError: durationUpTo('30d').prefault('0s'),
    staleWhileRevalidate: durationUpTo('30d').prefault('0s'),
    /** Whether a caller may demand a newer answer than the kept one. */
    callerDecides: z.boolean().default(true),
    /** How long a caller waits for the answer that another one is fetching. */
    wait: durationUpTo('60s').prefault('5s'),
  }),
  example: { shared: true, staleIfError: '1h' },
  compile: (config, _route, services) => {
    const rules = {
      unstatedMs: config.unstated,
      stripSetCookie: config.setCookie === 'strip',
      staleIfErrorMs: config.staleIfError,
      staleWhileRevalidateMs: config.staleWhileRevalidate,
      maxAnswerBytes: config.maxBodyBytes,
      waitMs: config.wait,
    };
    const owner = {};
    const flightOf = (exchange: PolicyExchange) => exchange.kept(owner) as Flight | undefined;
    return {
      intercept: (input, done, draft) => {
        const leave = cacheOf(services).ask(
          questionOf(input, draft, config),
          rules,
          input.exchange.guarded((decision) => {
            if ('serve' in decision) return done(replyOf(decision.serve));
            if ('nothingKept' in decision) return done(refuse('CACHE_NOTHING_KEPT'));
            const { flight } = decision;
            input.exchange.keep(owner, flight);
            setConditions(draft, flight.conditions);
            return done(pass);
          }),
        );
        input.exchange.onClose(leave);
      },
      upstreamFailed: ({ exchange }) => {
        const standIn = flightOf(exchange)?.failed();
        return standIn && replyOf(standIn);
      },
      answerHead: ({ exchange }, draft) => {
        const flight = flightOf(exchange);
        return flight && headOf(flight, draft);
      },
      answerBody: {
        mode: 'stream',
        open: ({ exchange }, draft, out): BodyTransform | undefined => {
          const flight = flightOf(exchange);
          if (!flight?.isKeeping) return undefined;
          const cacheStatus = flight.bodyFollows(draft);
          if (cacheStatus !== undefined) {
            draft.fields.set('cache-status', cacheStatus);
            return undefined;
          }
          return {
            data: (chunk) => {
              flight.data(chunk);
              return out.data(chunk);
            },
            end: () => {
              flight.end();
              out.end();
            },
            resume: () => out.room(),
            close: () => flight.abort(),
          };
        },
      },
      settle: ({ exchange }, { aborted, refusal }) => {
        const flight = flightOf(exchange);
        if (aborted || refusal) flight?.abort();
        else flight?.over();
      },
    };
  },
});

/** One cache for all routes of a process: what is changed through one route is forgotten for all. */
const caches = new WeakMap<PolicyServices, AnswerCache>();

function cacheOf(services: PolicyServices): AnswerCache {
  const known = caches.get(services);
  if (known) return known;
  const cache = new AnswerCache(services.clock, (ms, run) => services.timers.after(ms, run), CACHE_BYTES);
  caches.set(services, cache);
  return cache;
}

/** Ours take the place of the caller's: what the upstream confirms is what we have. */
function setConditions({ fields }: RequestDraft, conditions: RawFields): void {
  if (conditions.length === 0) return;
  fields.remove('if-none-match');
  fields.remove('if-modified-since');
  for (let at = 0; at < conditions.length; at += 2) fields.set(conditions[at]!, conditions[at + 1]!);
}

function headOf(flight: Flight, draft: AnswerDraft): Reply | Refusal | undefined {
  // What the gateway refuses is no answer of the upstream, and nobody's to keep.
  if (draft.origin === 'refusal') return undefined;
  // RFC 9111 §3.3: an answer that is not known to be whole is none to give to others.
  if (draft.mayBeCut) flight.doNotKeep();
  const told = flight.head(draft.status, draft.fields.raw);
  if ('serve' in told) return replyOf(told.serve);
  if ('contradicts' in told)
    return refuse('UPSTREAM_BROKE', {}, { reason: 'a 304 about another answer than the one that was asked about' });
  draft.fields.set('cache-status', told.cacheStatus);
  return undefined;
}

function replyOf({ status, fields, body }: CachedAnswer): Reply {
  return reply(status, fields, body);
}
