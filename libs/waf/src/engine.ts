import { refuse, type Refusal, type RequestHead } from '@sallyport/contracts';
import { defaultBudget, type BudgetSettings, type Work } from './budget';
import { splitArguments, type SplitArguments } from './body/arguments';
import { PlainView, type BodyView, type Unseen } from './body/body-view';
import { mediaTypeOf } from './body/content-type';
import { formOf, viewOf } from './body/view-of';
import type { BitSet } from './bit-set';
import type { Bytes } from './bytes';
import { atOnce, type Gathering } from './cohort';
import type {
  Hit,
  Inspected,
  Inspection,
  InspectionAnswer,
  InspectionHead,
  Inspector,
  MalformedRequest,
  Point,
  ResponseHead,
} from './inspector';
import { readMalformed } from './malformed';
import { compilePlan, type Plan } from './plan';
import type { Program } from './program';
import { hitOf } from './rule';
import { judgeLength } from './rules/bodies';
import { judgeHead, scannerOf, type BodyScan, type Found } from './structural';
import type { Interruption, Transaction } from './transaction';
import type { RequestHeadFacts } from './variables/facts';
import { queryOf } from './variables/request-line';

type Answer = (answer: InspectionAnswer) => void;

/** The rules a plan runs beside the structural ones. */
export interface RulesInForce {
  /** `crs-4.28.0` */
  readonly name: string;
  readonly program: Program;
  /** Rules of the program that do not run, by their numbers: it stands in for one without them. */
  readonly removed?: BitSet;
}

export interface EngineOptions {
  /** Asked once for each exchange, which keeps what it got; undefined: only the structural rules run. */
  readonly rules?: (plan: Plan) => RulesInForce | undefined;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Milliseconds of a clock that only goes forward. */
  readonly elapsed?: () => number;
  /** Milliseconds of processor time this process has had. */
  readonly used?: () => number;
  /** Runs a function when others had their turn. */
  readonly later?: (next: () => void) => void;
  /** When work on a request begins; left out: when it is asked for. That on an answer begins then in any case. */
  readonly gathering?: Gathering;
  readonly budget?: BudgetSettings;
  /** Told what the engine threw: a defect of its own. The exchange goes on without its rule set, and its answers say so. */
  readonly onDefect?: (error: unknown) => void;
  /** Receives a line as go-ftw reads it for each rule that hit. Never set where requests are anybody's: nothing in it is masked. */
  readonly logLine?: (line: string) => void;
}

type Options = Required<Omit<EngineOptions, 'logLine' | 'used'>> & Pick<EngineOptions, 'logLine' | 'used'>;

/** Name of the rules that are always there. */
const BUILT_IN = 'built-in';

/**
 * The inspector itself: our structural rules over head and body, then the rule set of the plan. Nothing is kept of an exchange
 * that is over, and no call does more than a slice of the work: what is longer goes on when others had their turn.
 */
export class Engine implements Inspector {
  private readonly options: Options;

  constructor(options: EngineOptions = {}) {
    this.options = {
      rules: () => undefined,
      now: Date.now,
      elapsed: () => performance.now(),
      later: (next) => void setImmediate(next),
      gathering: atOnce,
      budget: defaultBudget,
      onDefect: () => undefined,
      ...options,
    };
  }

  open(opening: InspectionHead, answer: Answer): Inspection {
    return this.openWith(undefined, opening, answer);
  }

  /** @param rules that decide about this exchange; undefined: those of its plan */
  openWith(rules: RulesInForce | undefined, { head, plan: id, requestId }: InspectionHead, answer: Answer): Inspection {
    const plan = compilePlan(id);
    if (plan.mode === 'off') return new ClosedInspection(plan, head, answer);
    const running = this.begin(plan, requestId, rules);
    const inspection = new EngineInspection(plan, head, answer, running, this.options);
    inspection.open();
    return inspection;
  }

  malformed({ packet, plan: id, requestId, clientAddress }: MalformedRequest, answer: Answer): void {
    const plan = compilePlan(id);
    const running = plan.mode === 'off' ? undefined : this.begin(plan, requestId);
    if (!running) {
      const inspected: Inspected = { extent: 'skipped', bytes: packet.length, why: 'no-rules' };
      answer({
        point: 'malformed',
        verdict: 'pass',
        hits: [],
        enough: true,
        inspected,
        ruleset: BUILT_IN,
        cpuMicros: 0,
      });
      return;
    }
    const facts = { ...readMalformed(packet), clientAddress };
    new Steps(running, this.options).add(malformedWork(running.transaction, facts), () =>
      answer(answerOf('malformed', plan, [], running, this.options, true)),
    );
  }

  private begin(plan: Plan, requestId: string, asked?: RulesInForce): Running | undefined {
    const { now, elapsed, used, budget, logLine } = this.options;
    const rules = asked ?? this.options.rules(plan);
    if (!rules) return undefined;
    const transaction = rules.program.begin({
      mode: plan.mode === 'block' ? 'block' : 'detect',
      requestId,
      now,
      elapsed,
      ...(used && { used }),
      budget,
      ...(rules.removed && { removed: rules.removed }),
      logLines: logLine !== undefined,
    });
    return { name: rules.name, transaction, bytes: 0, unseen: undefined, broken: false };
  }
}

/** A rule set at work on one exchange. */
interface Running {
  readonly name: string;
  readonly transaction: Transaction;
  /** Of bodies, that were looked at. */
  bytes: number;
  /** Why not all of a body was looked at. */
  unseen: Unseen | undefined;
  /** The engine threw: what came after was not looked at. */
  broken: boolean;
}

/** Steps of one exchange, each done when those before it are, slice by slice. */
class Steps {
  private readonly waiting: { readonly work: Work | undefined; readonly done: () => void }[] = [];
  private busy = false;

  constructor(
    private readonly running: Running,
    private readonly options: Options,
  ) {}

  /**
   * @param work undefined where there is only an order to be kept
   * @param done called when the work is done, or has failed
   * @param gathering when it begins, unless there are others to wait for
   */
  add(work: Work | undefined, done: () => void, gathering = atOnce): void {
    this.waiting.push({ work, done });
    if (!this.busy) this.begin(gathering);
  }

  private begin(gathering: Gathering): void {
    this.busy = true;
    gathering.add(() => this.run());
  }

  private run(): void {
    for (let next = this.waiting[0]; next; next = this.waiting[0]) {
      if (!this.isDone(next.work)) {
        this.options.later(() => this.run());
        return;
      }
      if (this.options.gathering.defers(() => this.goOn())) return;
      this.conclude();
    }
    this.busy = false;
  }

  /** What follows from the first of the steps, when others had done theirs; the one behind it comes with the next of others. */
  private goOn(): void {
    this.conclude();
    this.busy = false;
    if (this.waiting.length > 0) this.begin(this.options.gathering);
  }

  private conclude(): void {
    this.waiting.shift()!.done();
  }

  /** An exception here would end the process with every exchange in it. */
  private isDone(work: Work | undefined): boolean {
    if (!work || this.running.broken) return true;
    try {
      return work.next().done === true;
    } catch (error) {
      this.running.broken = true;
      this.options.onDefect(error);
      return true;
    }
  }
}

function* malformedWork(transaction: Transaction, facts: RequestHeadFacts): Work {
  yield* transaction.requestHead(facts);
  yield* transaction.requestBody({ raw: '' });
  yield* transaction.finish();
}

/**
 * The head as it was received, as far as the canonical one still tells.
 * @param split the arguments of its query
 */
function factsOf(head: RequestHead, split: SplitArguments): RequestHeadFacts {
  const { method, rawTarget, version, fields, removed, clientAddress } = head;
  return {
    method,
    target: rawTarget,
    // What was written in another way may also be split in another way.
    query: queryOf(rawTarget) === head.query ? split : undefined,
    protocol: version === '2' ? 'HTTP/2.0' : `HTTP/${version}`,
    fields: removed ? [...fields, ...removed] : fields,
    clientAddress,
  };
}

function answerOf(
  point: Point,
  plan: Plan,
  found: readonly Found[],
  running: Running | undefined,
  { logLine }: EngineOptions,
  seenEnough: boolean,
  unread?: string,
): InspectionAnswer {
  const structural: Hit[] = found.map(([rule, finding]) => hitOf(rule, finding, point === 'request-head' ? 1 : 2));
  const transaction = running?.transaction;
  const hits = [...structural, ...(transaction?.takeHits() ?? [])];
  if (logLine) transaction?.takeLogLines().forEach(logLine);
  const refusal = refusalOf(plan, found, transaction?.interruption);
  return {
    point,
    verdict: refusal ? 'refuse' : hits.length > 0 ? 'flag' : 'pass',
    ...(refusal && { refusal }),
    hits,
    enough: seenEnough || refusal !== undefined,
    ...(transaction && { scores: transaction.scores }),
    inspected: inspectedOf(running, unread),
    ruleset: running?.name ?? BUILT_IN,
    cpuMicros: Math.round((transaction?.spentMillis ?? 0) * 1000),
  };
}

function refusalOf(
  { mode }: Plan,
  [first]: readonly Found[],
  interruption: Interruption | undefined,
): Refusal | undefined {
  if (mode === 'block' && first) {
    return Object.freeze({ ...first[1].refusal, reason: `rule ${first[0].id}: ${first[0].message}` });
  }
  if (!interruption) return undefined;
  const reason = `rule ${interruption.rule}`;
  // Rules that judge the form of a body, and not what it says, ask for 400.
  const refusal =
    interruption.status === 400
      ? refuse('WAF_MALFORMED', { reason: 'it breaks its media type' })
      : refuse('WAF_BLOCKED');
  return Object.freeze({ ...refusal, reason });
}

/** @param unread why the body of the answer is not looked at */
function inspectedOf(running: Running | undefined, unread: string | undefined): Inspected {
  if (unread !== undefined) return { extent: 'skipped', bytes: running?.bytes ?? 0, why: unread };
  if (!running) return { extent: 'full', bytes: 0, why: undefined };
  const { bytes, unseen, transaction, broken } = running;
  if (broken) return { extent: 'exhausted', bytes, why: 'fault' };
  if (transaction.exhausted) return { extent: 'exhausted', bytes, why: 'budget' };
  return { extent: unseen === undefined ? 'full' : 'partial', bytes, why: unseen };
}

const OFF: Inspected = Object.freeze({ extent: 'skipped', bytes: 0, why: 'off' });

/** Of a plan that looks at nothing: says so at each point. */
class ClosedInspection implements Inspection {
  private answered = false;

  constructor(
    private readonly plan: Plan,
    head: RequestHead,
    private readonly answer: Answer,
  ) {
    this.say('request-head', !head.hasBody);
  }

  body(): boolean {
    this.bodyEnd();
    return false;
  }

  bodyEnd(): void {
    if (!this.answered) this.say('request-body', true);
    this.answered = true;
  }

  response(): void {
    if (this.plan.response.inspect) this.say('response-head', true);
  }

  responseBody(): boolean {
    return false;
  }

  responseEnd(): void {
    if (this.plan.response.inspect) this.say('response-body', true);
  }

  close(): void {
    this.answered = true;
  }

  private say(point: Point, enough: boolean): void {
    this.answer({ point, verdict: 'pass', hits: [], enough, inspected: OFF, ruleset: BUILT_IN, cpuMicros: 0 });
  }
}

/** One exchange; answers each point once, and nothing after a refusal. Steps wait for one another. */
class EngineInspection implements Inspection {
  private readonly scan: BodyScan | undefined;
  private readonly steps: Steps | undefined;
  /** What the rule set gets to see of the body. */
  private readonly view: BodyView | undefined;
  /** The body is answered, or will be without more of it. */
  private enough = false;
  /** All of the body was here. */
  private ended = false;
  /** Bytes of the answer's body that came by. */
  private answerBytes = 0;
  /** The answer's body is answered, or will be without more of it. */
  private answerEnded = false;
  /** Refused or closed: nothing more is answered. */
  private over = false;
  /** Why the body of the answer is not looked at. */
  private unread: string | undefined;

  constructor(
    private readonly plan: Plan,
    private readonly head: RequestHead,
    private readonly answer: Answer,
    private readonly running: Running | undefined,
    private readonly options: Options,
  ) {
    this.scan = scannerOf(head, plan.limits);
    this.steps = running && new Steps(running, options);
    this.view = running && head.hasBody ? viewOf(head, plan) : undefined;
  }

  open(): void {
    const query = splitArguments(this.head.query);
    const found = judgeHead(this.head, query.arguments, this.plan, this.options.now());
    if (found.length === 0 && this.view instanceof PlainView && isAnnouncedTooLong(this.head, this.plan))
      found.push(tooLong(this.plan));
    const decided = this.plan.mode === 'block' && found.length > 0;
    const work = decided ? undefined : this.running && this.headWork(this.running.transaction, query);
    this.step(work, () => this.say('request-head', found, !this.head.hasBody), this.options.gathering);
  }

  body(chunk: Uint8Array): boolean {
    if (this.over || this.enough) return false;
    const wantsMore = this.view?.push(chunk) ?? false;
    const found = this.scan?.push(chunk) ?? this.tooLong();
    if (!found && (this.scan ?? wantsMore)) return true;
    this.conclude(found);
    return false;
  }

  bodyEnd(): void {
    if (this.over || this.enough) return;
    this.ended = true;
    this.conclude(this.scan?.end());
  }

  response(head: ResponseHead): void {
    if (!this.plan.response.inspect || this.over) return;
    this.unread = whyUnread(head, this.plan.response.types);
    const work = this.running && responseHeadWork(this.running.transaction, head);
    this.step(work, () => this.say('response-head', [], !this.running || this.unread !== undefined));
  }

  responseBody(chunk: Uint8Array): boolean {
    const { running, plan } = this;
    if (!running || !plan.response.inspect || this.over || this.answerEnded || this.unread !== undefined) return false;
    running.bytes += chunk.length;
    this.answerBytes += chunk.length;
    running.transaction.late = plan.mode !== 'block' || this.answerBytes > plan.response.holdBytes;
    const wantsMore = running.transaction.responseChunk(textOf(chunk));
    this.step(running.transaction.readResponse(), () => {
      if (running.transaction.interruption) this.responseEnd();
    });
    if (wantsMore) return true;
    running.unseen ??= 'body-limit';
    this.responseEnd();
    return false;
  }

  responseEnd(): void {
    if (!this.plan.response.inspect || this.over || this.answerEnded) return;
    this.answerEnded = true;
    const work = this.running && responseEndWork(this.running.transaction, this.unread === undefined);
    this.step(work, () => this.say('response-body', [], true));
  }

  close(): void {
    if (this.over) return;
    this.over = true;
    this.enough = true;
    if (this.running) this.step(this.running.transaction.finish(), () => undefined);
  }

  private tooLong(): Found | undefined {
    return this.view?.tooLong === true && this.plan.body.over !== 'partial' ? tooLong(this.plan) : undefined;
  }

  private conclude(found: Found | undefined): void {
    this.enough = true;
    const decided = this.plan.mode === 'block' && found !== undefined;
    const work = decided ? undefined : this.running && this.bodyWork(this.running);
    this.step(work, () => this.say('request-body', found ? [found] : [], true), this.options.gathering);
  }

  private *headWork(transaction: Transaction, query: SplitArguments): Work {
    yield* transaction.requestHead(factsOf(this.head, query));
    if (!this.head.hasBody) yield* transaction.requestBody({ raw: '' });
    if (!this.head.hasBody || transaction.interruption) yield* this.lastOfRequest(transaction);
  }

  private *bodyWork(running: Running): Work {
    if (this.over) return;
    const { view, head } = this;
    const raw = view?.end() ?? '';
    running.bytes += raw.length;
    running.unseen = view?.unseen;
    const parsed = view && formOf(head, view, raw);
    const received = view?.received ?? 0;
    const length = this.ended ? received : Math.max(received, head.contentLength ?? 0);
    yield* running.transaction.requestBody({ raw, length, ...(parsed && { parsed }) });
    yield* this.lastOfRequest(running.transaction);
  }

  /** Phase 5 comes with the last answer there will be. */
  private *lastOfRequest(transaction: Transaction): Work {
    if (transaction.interruption || !this.plan.response.inspect) yield* transaction.finish();
  }

  private say(point: Point, found: readonly Found[], enough: boolean): void {
    if (this.over) return;
    const answer = answerOf(point, this.plan, found, this.running, this.options, enough, this.unread);
    if (answer.verdict === 'refuse') this.over = true;
    this.answer(answer);
  }

  /** @param work undefined where the structural rules have said all there is to say */
  private step(work: Work | undefined, done: () => void, gathering?: Gathering): void {
    // Where nothing is to be inspected, nothing is gathered.
    if (this.steps) this.steps.add(work, done, work && gathering);
    else done();
  }
}

/** A body that is packed may hold more, and never less than is worth to be packed; it is counted as it is unpacked. */
function isAnnouncedTooLong({ contentLength = 0, field }: RequestHead, { mode, body }: Plan): boolean {
  if (mode !== 'block' || field.has('content-encoding')) return false;
  return body.over !== 'partial' && contentLength > body.inspectBytes;
}

function tooLong({ body }: Plan): Found {
  return judgeLength(body.inspectBytes);
}

function* responseHeadWork(transaction: Transaction, { status, version, fields }: ResponseHead): Work {
  yield* transaction.responseHead({ status, protocol: `HTTP/${version}`, fields });
}

/** Phase 4 is about bodies, and does not run where none is looked at. */
function* responseEndWork(transaction: Transaction, isRead: boolean): Work {
  if (isRead) yield* transaction.responseEnd();
  yield* transaction.finish();
}

/** What is packed is no text, and types that the plan does not name are not asked about. */
function whyUnread({ fields }: ResponseHead, types: readonly string[]): string | undefined {
  const valueOf = (name: string) => fields.find((field) => field.name === name)?.value ?? '';
  const encoding = valueOf('content-encoding').trim().toLowerCase();
  if (encoding !== '' && encoding !== 'identity') return 'encoded';
  return types.includes(mediaTypeOf(valueOf('content-type'))) ? undefined : 'opaque-type';
}

function textOf(chunk: Uint8Array): Bytes {
  return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).toString('latin1');
}
