import { createHash } from 'node:crypto';
import { z } from 'zod';
import { refuse, type Refusal } from '@sallyport/contracts';
import { durationUpTo, wholeBodyBytes } from '../../config-values';
import type { AnswerDraft } from '../../draft';
import {
  definePolicy,
  pass,
  reply,
  type BodyTransform,
  type PolicyInput,
  type PolicyServices,
  type Verdict,
} from '../../policy';
import { Execution, type ClaimedKey } from './execution';
import { readKey } from './key';
import { readRecord, writeRecord, type LedgerRecord } from './ledger-record';

const KIB = 1024;
/** How long somebody who may only have stood still is waited for before another one takes its place. */
const GRACE_MS = 3_000;
const AGAIN_MS = 1_000;
/** How often a claim is looked for of which the store did not say whether it took it: it may be under way yet. */
const LOOKS = 3;
/** So many such claims are looked for at a time: those of the moment in which the store went away come first. */
const MAX_DOUBTFUL = 1_000;

/** What one request is about, from the hook that reads its body to the one that asks the store. */
interface Attempted {
  readonly key: string;
  fingerprint: string;
  execution: Execution | undefined;
  /** The caller left, or has its answer. */
  isOver: boolean;
  /** Of the upstream's answer; 0: none has come. */
  status: number;
  /** As they left the policies behind this one: a replay passes the policies before it again. */
  fields: readonly string[];
}

export const idempotencyKey = definePolicy({
  id: 'idempotency-key',
  summary: 'Lets a request with an Idempotency-Key through once; who sends it again gets the first answer.',
  config: z.strictObject({
    methods: z
      .array(z.string().regex(/^[A-Z]{1,32}$/))
      .min(1)
      .max(16)
      .default(['POST', 'PATCH']),
    /** Refuse requests of these methods that have no key. */
    required: z.boolean().default(false),
    /** How long an answer is kept. */
    keepFor: durationUpTo('24h').prefault('24h'),
    /** After how long somebody who no longer says that a request is under way is taken for gone. */
    lease: durationUpTo('10m').prefault('60s'),
    /** What becomes of a key whose first request was sent on and never answered. */
    whenUnknown: z.enum(['refuse', 'execute']).default('refuse'),
    /** `status`: keep that there was an answer, and not the answer. */
    keep: z.enum(['answer', 'status']).default('answer'),
    /** A larger answer is passed on and not kept. */
    maxAnswerBytes: z
      .int()
      .min(0)
      .max(512 * KIB)
      .default(64 * KIB),
    /** Bodies are read whole, to be told from each other. */
    maxBodyBytes: wholeBodyBytes,
    /** With these the upstream says that it did nothing: the key may be used again. */
    notDone: z.array(z.int().min(400).max(599)).max(32).default([429, 503]),
  }),
  example: { required: true },
  compile: (config, _route, services) => {
    const owner = {};
    const methods = new Set(config.methods);
    const times = { leaseMs: Math.max(1_000, config.lease), keepMs: Math.max(1_000, config.keepFor) };
    const doubtful = { count: 0 };
    const attemptedBy = ({ exchange }: PolicyInput) => exchange.kept(owner) as Attempted | undefined;
    return {
      admit: ({ request, exchange }) => {
        if (!methods.has(request.method)) return pass;
        const text = request.field.get('idempotency-key');
        if (text === undefined) return config.required ? invalidKey('it is missing') : pass;
        const key = readKey(text);
        if (key === undefined) return invalidKey('it is not one string of 8 to 255 visible characters');
        const attempted: Attempted = {
          key,
          fingerprint: '',
          execution: undefined,
          isOver: false,
          status: 0,
          fields: [],
        };
        exchange.keep(owner, attempted);
        return pass;
      },
      requestBody: {
        mode: 'whole',
        maxBytes: config.maxBodyBytes,
        wants: (input) => attemptedBy(input) !== undefined,
        run: (input, body, _draft, done) => {
          attemptedBy(input)!.fingerprint = fingerprintOf(input, body);
          done(pass);
        },
      },
      intercept: (input, done) => {
        const attempted = attemptedBy(input);
        const { principal, route } = input.exchange;
        // Without a name for the caller a key would be everybody's, and with it the answer.
        if (!attempted || !principal) return done(pass);
        // All users of an OAuth client are one consumer: without the subject one would be answered with another one's orders.
        const { consumer, client, subject } = principal;
        const cell = JSON.stringify([
          'idempotency',
          route.tenant,
          route.service,
          consumer,
          client,
          subject,
          attempted.key,
        ]);
        input.exchange.onClose(() => void (attempted.isOver = true));
        claim({ input, attempted, cell, services, times, doubtful, whenUnknown: config.whenUnknown }, done);
      },
      answerHead: (input, draft) => {
        const attempted = attemptedBy(input);
        if (!attempted?.execution || draft.origin === 'refusal') return pass;
        keepHead(attempted, draft.status, draft.fields.raw);
        if (config.notDone.includes(draft.status)) attempted.execution.release();
        return pass;
      },
      answerBody: {
        mode: 'stream',
        open: (input, draft, out): BodyTransform | undefined => {
          const attempted = attemptedBy(input);
          if (!attempted?.execution || attempted.execution.isConcluded) return undefined;
          // Policies behind this one have edited the head when they opened the body, or had it whole.
          const edited = draft.editedForBody(attempted.status, attempted.fields);
          keepHead(attempted, edited.status, edited.fields);
          const kept = config.keep === 'answer' && isKept(draft) ? new KeptAnswer(config.maxAnswerBytes) : undefined;
          return {
            data: (chunk) => {
              kept?.add(chunk);
              return out.data(chunk);
            },
            // The last byte waits until the answer is down: whoever has it whole, and asks again, gets it again.
            end: () =>
              attempted.execution!.conclude(
                outcomeOf(attempted, kept?.whole),
                input.exchange.guarded(() => out.end()),
              ),
            resume: () => out.room(),
          };
        },
      },
      settle: (input, { refusal, aborted }) => {
        const attempted = attemptedBy(input);
        const { execution } = attempted ?? {};
        if (!attempted || !execution || execution.isConcluded) return;
        if (attempted.status === 0 && !input.exchange.isSentOn) return execution.release();
        // An answer without a body passes no body hook: it is complete with its head.
        const whole = !aborted && !refusal && config.keep === 'answer';
        execution.conclude(outcomeOf(attempted, whole ? Buffer.alloc(0) : undefined));
      },
    };
  },
});

function invalidKey(reason: string): Refusal {
  return refuse('IDEMPOTENCY_KEY_INVALID', { reason });
}

/** Keyed by nothing: the store seals what it keeps. */
function fingerprintOf({ request }: PolicyInput, body: Buffer): string {
  const hash = createHash('sha256');
  hash.update(
    JSON.stringify([
      request.method,
      request.path,
      request.hasQuery,
      request.query,
      request.field.get('content-type') ?? null,
    ]),
  );
  return hash.update('\n').update(body).digest('base64url');
}

interface Claim {
  readonly input: PolicyInput;
  readonly attempted: Attempted;
  readonly cell: string;
  readonly services: PolicyServices;
  readonly times: { readonly leaseMs: number; readonly keepMs: number };
  /** Claims of this policy that may have been written. */
  readonly doubtful: { count: number };
  readonly whenUnknown: 'refuse' | 'execute';
}

function claim(of: Claim, done: (verdict: Verdict) => void): void {
  const { services, attempted, input, cell, times } = of;
  const claimed = claimedKey(of, undefined);
  services.store.claim(
    cell,
    claimed.written,
    times.keepMs,
    input.exchange.guarded((before) => {
      if (before === 'unavailable') return doubt(of, claimed, done);
      if (before === undefined) return begin(of, claimed, done);
      const known = readRecord(before);
      if (!known) return done(refuse('IDEMPOTENCY_UNAVAILABLE', {}, { reason: 'the record cannot be read' }));
      if (known.fingerprint !== attempted.fingerprint) return done(refuse('IDEMPOTENCY_MISMATCH'));
      settleWith(of, known, before, done);
    }),
  );
}

function claimedKey({ attempted, input, services, times, cell }: Claim, instead: Buffer | undefined): ClaimedKey {
  const record = {
    state: 'running' as const,
    fingerprint: attempted.fingerprint,
    owner: input.exchange.requestId,
    leaseUntil: services.clock.now() + times.leaseMs,
  };
  return { cell, record, written: writeRecord(record), instead };
}

function begin({ attempted, services, times }: Claim, claimed: ClaimedKey, done: (verdict: Verdict) => void): void {
  const execution = new Execution(services, claimed, times);
  // Whoever would put down how it ended was here before the store's answer.
  if (attempted.isOver) return execution.release();
  attempted.execution = execution;
  execution.hold();
  done(pass);
}

/** Nothing is sent on with a claim that nobody knows of; should the store have it after all, it gives it back. */
function doubt({ services, times, doubtful }: Claim, claimed: ClaimedKey, done: (verdict: Verdict) => void): void {
  if (doubtful.count < MAX_DOUBTFUL) {
    doubtful.count += 1;
    new Execution(services, claimed, times).release(LOOKS, () => void (doubtful.count -= 1));
  }
  done(refuse('IDEMPOTENCY_UNAVAILABLE'));
}

/** The same request was sent before: says what became of it. */
function settleWith(of: Claim, known: LedgerRecord, before: Buffer, done: (verdict: Verdict) => void): void {
  switch (known.state) {
    case 'answered':
      return done(reply(known.status, [...known.fields, 'idempotency-replayed', 'true'], known.body));
    case 'not-kept':
      return done(refuse('IDEMPOTENCY_NOT_REPLAYABLE', { status: known.status }));
    case 'unknown':
      return of.whenUnknown === 'refuse' ? done(refuse('IDEMPOTENCY_OUTCOME_UNKNOWN')) : takeOver(of, before, done);
    case 'running':
      return running(of, known, before, done);
  }
}

function running(
  of: Claim,
  known: Extract<LedgerRecord, { state: 'running' }>,
  before: Buffer,
  done: (verdict: Verdict) => void,
): void {
  const { services, input, cell, times } = of;
  const now = services.clock.now();
  if (known.leaseUntil > now) return done(inProgress(AGAIN_MS));
  // Whoever was at it may have stood still only, and say so yet: that would change the record.
  if (known.suspectUntil === undefined) {
    const suspected = writeRecord({ ...known, suspectUntil: now + GRACE_MS });
    return services.store.replace(
      cell,
      before,
      suspected,
      times.keepMs,
      input.exchange.guarded(() => done(inProgress(GRACE_MS))),
    );
  }
  if (known.suspectUntil > now) return done(inProgress(known.suspectUntil - now));
  if (of.whenUnknown === 'execute') return takeOver(of, before, done);
  done(refuse('IDEMPOTENCY_OUTCOME_UNKNOWN'));
}

function inProgress(retryAfterMs: number): Refusal {
  return refuse('IDEMPOTENCY_IN_PROGRESS', {}, { retryAfterMs });
}

function takeOver(of: Claim, before: Buffer, done: (verdict: Verdict) => void): void {
  const { services, input, cell, times } = of;
  const claimed = claimedKey(of, before);
  services.store.replace(
    cell,
    before,
    claimed.written,
    times.keepMs,
    input.exchange.guarded((outcome) => {
      if (outcome === 'unavailable') return doubt(of, claimed, done);
      if (outcome === 'replaced') return begin(of, claimed, done);
      done(inProgress(AGAIN_MS));
    }),
  );
}

/** The body of an answer, as far as it may be kept. */
class KeptAnswer {
  private chunks: Buffer[] | undefined = [];
  private bytes = 0;

  constructor(private readonly maxBytes: number) {}

  add(chunk: Buffer): void {
    this.bytes += chunk.length;
    if (this.bytes > this.maxBytes) this.chunks = undefined;
    this.chunks?.push(chunk);
  }

  get whole(): Buffer | undefined {
    return this.chunks && Buffer.concat(this.chunks);
  }
}

/** A copy, for policies before this one go on editing the same draft. */
function keepHead(attempted: Attempted, status: number, fields: readonly string[]): void {
  attempted.status = status;
  attempted.fields = replayedFields(fields);
}

/** A stream is lived through once, and what may be half an answer must not become the answer. */
function isKept({ fields, mayBeCut }: AnswerDraft): boolean {
  return !mayBeCut && !/^(text\/event-stream|multipart\/)/i.test(fields.get('content-type') ?? '');
}

/** @param body undefined where it is not kept */
function outcomeOf({ execution, status, fields }: Attempted, body: Buffer | undefined): LedgerRecord {
  const { fingerprint } = execution!;
  if (status === 0) return { state: 'unknown', fingerprint };
  if (!body) return { state: 'not-kept', fingerprint, status };
  return { state: 'answered', fingerprint, status, fields, body };
}

/** Of one connection, of one moment, or a secret for whoever came first. */
const NOT_REPLAYED: ReadonlySet<string> = new Set([
  'age',
  'authentication-info',
  'connection',
  'content-length',
  'keep-alive',
  'set-cookie',
  'set-cookie2',
  'trailer',
  'transfer-encoding',
  'www-authenticate',
]);

function replayedFields(fields: readonly string[]): string[] {
  const kept: string[] = [];
  for (let at = 0; at < fields.length; at += 2) {
    if (!NOT_REPLAYED.has(fields[at]!)) kept.push(fields[at]!, fields[at + 1]!);
  }
  return kept;
}
