import type { Controls, EngineMode } from './actions/effect';
import { hasBit, nextBit, setBit, type BitSet } from './bit-set';
import { defaultBudget, Meter, VISIT, type BudgetSettings, type Work } from './budget';
import { completionInSteps } from './body/completion';
import type { Bytes } from './bytes';
import { Exchange, type ExchangeOptions, type InspectedBody } from './exchange';
import { hitOf, logLineOf, type Match } from './hits';
import type { Hit, Scores } from './inspector';
import { PhaseSets } from './phase-sets';
import type { PhasePlan, Program, VariablePlan } from './program';
import { Removals } from './removals';
import type { ResponseScan } from './response-scan';
import { RuleMatcher, type Scans } from './rule-matcher';
import type { Phase, Rule, RuleSelector, TargetFilter } from './rule-set';
import { scoresOf } from './score';
import type { Macro } from './seclang/macro';
import type { RequestHeadFacts, ResponseHeadFacts } from './variables/facts';
import { isAsked } from './variables/prompt';
import type { ValuePlan } from './value-plan';
import type { Entries } from './variables/entries';
import { variableNumber, variables } from './variables/registry';

export interface TransactionOptions extends ExchangeOptions {
  /** `block`: rules may decide; `detect`: everything runs and nothing is refused. */
  readonly mode: 'detect' | 'block';
  /** Milliseconds of a clock that only goes forward; `now` where there is none. */
  readonly elapsed?: () => number;
  /** Milliseconds of processor time this process has had; absent: the clock alone measures. */
  readonly used?: () => number;
  readonly budget?: BudgetSettings;
  /** Rules that do not run, by their numbers. */
  readonly removed?: BitSet;
  /** Keep lines as go-ftw reads them; they are not redacted. */
  readonly logLines?: boolean;
}

/** A rule decided. */
export interface Interruption {
  readonly rule: number;
  readonly phase: Phase;
  /** HTTP status the rule asks for. */
  readonly status: number;
}

const RESPONSE_BODY = variableNumber('RESPONSE_BODY')!;
const TX = variableNumber('TX')!;
/** Values from this length on are scanned in steps. */
const LONG = 1024;
/** What one of these steps counts for: bytes read, or states made that cost as much. */
const STEP = 4096;
/** Sets of a phase that are kept for the transactions after this one. */
const MOST_SPARE = 4;

/** Runs the five phases over one exchange. Each step is work to be run to its end before the next begins. */
export class Transaction implements Controls {
  interruption: Interruption | undefined;
  /** Set while bytes of the answer are with the caller already. */
  late = false;
  private readonly exchange: Exchange;
  private readonly meter: Meter;
  private readonly removals = new Removals();
  private readonly scans: Scans = new Array<Scans[number]>(variables.length);
  private readonly matcher: RuleMatcher;
  private hasLongValues = false;
  private engine: EngineMode;
  /** Phases up to this one are passed over, since a rule allowed the exchange. */
  private allowed = 0;
  private hits: Hit[] = [];
  private lines: string[] = [];
  private finished = false;
  /** Of the answer's body: what was not looked at yet. */
  private readonly unread: Bytes[] = [];

  constructor(
    private readonly program: Program,
    private readonly options: TransactionOptions,
  ) {
    this.exchange = new Exchange(program.tx, options);
    this.engine = options.mode === 'block' ? 'on' : 'detection-only';
    this.meter = new Meter(options.elapsed ?? options.now, options.budget ?? defaultBudget, options.used);
    if (options.removed) this.removals.removeRules(options.removed);
    this.matcher = new RuleMatcher(program, this.exchange, this.removals, this.scans, this);
  }

  /** Whether the budget ran out: what was asked after that was not looked at. */
  get exhausted(): boolean {
    return this.meter.exhausted;
  }

  /** Milliseconds this exchange took so far. */
  get spentMillis(): number {
    return this.meter.spentMillis;
  }

  get scores(): Scores {
    return scoresOf(this.exchange.tx);
  }

  /** @returns what rules keep in `TX` under a name, whatever its letter case */
  txVariable(name: Bytes): Bytes | undefined {
    return this.exchange.tx.get(name);
  }

  /** Phase 1. */
  *requestHead(head: RequestHeadFacts): Work {
    this.exchange.takeRequestHead(head);
    yield* this.run(1);
  }

  /** Phase 2, for requests without a body as well. */
  *requestBody(body: InspectedBody): Work {
    this.meter.grant(body.raw.length);
    this.meter.resume();
    this.exchange.takeRequestBody(body);
    this.meter.pause();
    yield* this.run(2);
  }

  /** Phase 3. */
  *responseHead(head: ResponseHeadFacts): Work {
    this.exchange.takeResponseHead(head);
    this.matcher.response = this.program.response?.begin();
    yield* this.run(3);
  }

  /**
   * Takes bytes of the answer's body, to be looked at by `readResponse`, or else at the end. What came before them may still have
   * to be looked at, its head too.
   * @returns false when enough was seen.
   */
  responseChunk(chunk: Bytes): boolean {
    const counted = this.exchange.countResponse(chunk);
    this.meter.grant(counted.length);
    this.unread.push(counted);
    return this.exchange.wantsResponse;
  }

  /**
   * Looks at what there is of the answer's body. Where something is found in it and rules may decide, phase 4 is tried on what is
   * known by now: what it refuses is refused at once, as an answer may go on for long; otherwise it has not been run.
   */
  *readResponse(): Work {
    if (this.isOver(4)) return;
    const fresh = yield* this.readUnread(this.matcher.response);
    if (fresh && this.engine === 'on') yield* this.tryResponse();
  }

  /** Phase 4. What came last is looked at together with the end: rules that need it are hit as well, and are on record. */
  *responseEnd(): Work {
    const response = this.isOver(4) ? undefined : this.matcher.response;
    yield* this.readUnread(response);
    if (response) {
      this.meter.resume();
      yield* this.inSteps(response.end());
      this.meter.pause();
    }
    if (this.program.asksForCompletion && isAsked(this.exchange)) yield* this.readCompletion();
    yield* this.run(4);
  }

  private *readCompletion(): Work {
    if (this.isOver(4)) return;
    this.meter.resume();
    this.exchange.takeCompletion(yield* this.inSteps(completionInSteps(this.exchange.responseBody)));
    this.meter.pause();
  }

  /**
   * @param response what looks at it as it goes by; undefined: nothing does
   * @returns whether something was found that was not found before
   */
  private *readUnread(response: ResponseScan | undefined): Generator<void, boolean, void> {
    const isKept = !this.matcher.response || this.program.asksForCompletion;
    let fresh = false;
    this.meter.resume();
    for (let chunk = this.unread.shift(); chunk !== undefined && !this.exhausted; chunk = this.unread.shift()) {
      if (isKept) this.exchange.keepResponse(chunk);
      if (response && (yield* this.inSteps(response.write(chunk)))) fresh = true;
    }
    this.meter.pause();
    return fresh;
  }

  /** Phase 5, once; it runs whatever was decided. */
  *finish(): Work {
    if (this.finished) return;
    this.finished = true;
    yield* this.run(5);
  }

  /** Hits since this was asked last. */
  takeHits(): Hit[] {
    const taken = this.hits;
    this.hits = [];
    return taken;
  }

  takeLogLines(): string[] {
    const taken = this.lines;
    this.lines = [];
    return taken;
  }

  removeRules(selector: RuleSelector): void {
    this.removals.removeRules(this.program.selection(selector));
  }

  removeTarget(selector: RuleSelector, filter: TargetFilter): void {
    this.removals.removeTarget(this.program.selection(selector), filter);
  }

  /** A rule may run less than the plan says, and never more. */
  setEngine(mode: EngineMode): void {
    this.engine = mode === 'on' && this.options.mode === 'detect' ? 'detection-only' : mode;
  }

  setBodyProcessor(name: Bytes): void {
    this.exchange.bodyProcessor = name;
  }

  /** What is inspected is said by the route; a rule cannot open what the route closes, nor hide what it shows. */
  setBodyAccess(): void {
    return;
  }

  setBodyLimit(of: 'request' | 'response', bytes: number): void {
    if (of === 'response') this.exchange.limitResponse(bytes);
  }

  openStore(name: string, key: Macro): void {
    this.exchange.openStore(name, key);
  }

  private *tryResponse(): Work {
    const undo = this.save();
    yield* this.run(4);
    if (!this.interruption) undo();
  }

  /** @returns a function that undoes what rules have done since */
  private save(): () => void {
    const { engine, allowed } = this;
    const hits = [...this.hits];
    const lines = [...this.lines];
    const saved = [this.exchange.save(), this.removals.save()];
    return () => {
      Object.assign(this, { engine, allowed, hits, lines });
      for (const undo of saved) undo();
    };
  }

  private *run(phase: Phase): Work {
    const decided = this.interruption !== undefined || this.allowed >= phase;
    if (this.engine === 'off' || (decided && phase !== 5) || this.exhausted) return;
    this.meter.resume();
    const plan = this.program.phase(phase);
    const sets = plan.spareSets.pop() ?? new PhaseSets(plan.rules.length, this.program.ruleSet.patterns.words);
    const { visits, stirred } = sets;
    yield* this.findVisits(plan, sets);
    this.watch(plan, sets);
    let place = nextBit(visits, 0);
    while (place >= 0 && !this.isOver(phase)) {
      if (this.hasLongValues) yield* this.prepare(plan, place);
      const matched = this.visit(plan, place, hasBit(stirred, place));
      const skip = matched ? plan.skips[place]! : -1;
      place = nextBit(visits, skip >= 0 ? skip : place + 1);
      if (this.meter.isDue(VISIT + this.matcher.read)) yield* this.giveWay();
      this.matcher.read = 0;
    }
    this.exchange.tx.onWrite = undefined;
    if (plan.spareSets.length < MOST_SPARE) plan.spareSets.push(sets);
    this.meter.pause();
  }

  /** Sees to it that a rule whose outcome is foregone is visited when something is written that it reads. */
  private watch({ readers }: PhasePlan, { visits, stirred }: PhaseSets): void {
    const { tx } = this.exchange;
    const onWrite = (name: Bytes): void => {
      const places = readers.get(name);
      if (!places) return;
      for (const place of places) {
        setBit(stirred, place);
        setBit(visits, place);
      }
    };
    tx.onWrite = onWrite;
    for (const name of tx.written.keys()) onWrite(name);
  }

  private *prepare({ rules, gates }: PhasePlan, place: number): Work {
    const gate = gates[place];
    if (gate && !this.removals.isRemoved(rules[place]!)) yield* this.inSteps(this.matcher.prepare(gate));
  }

  /**
   * @param asked whether the rule must be asked although its outcome may be foregone
   * @returns whether the rule matched
   */
  private visit(plan: PhasePlan, place: number, asked: boolean): boolean {
    const rule = plan.rules[place]!;
    if (this.removals.isRemoved(rule)) return false;
    const foregone = plan.foregone[place];
    if (foregone && !asked && !this.removals.narrow(TX)) {
      this.matcher.conclude(foregone);
      return foregone.matches;
    }
    if (!this.matches(plan, place)) return false;
    this.conclude(rule);
    return true;
  }

  private matches({ rules, gates, recurring }: PhasePlan, place: number): boolean {
    const ask = (): boolean => this.matcher.matches(rules[place]!, gates[place]);
    const known = recurring[place];
    return !known || this.removals.narrow(known.variable) ? ask() : known.matches(this.exchange, ask);
  }

  private *giveWay(): Work {
    this.meter.pause();
    yield;
    this.meter.resume();
  }

  private isOver(phase: Phase): boolean {
    if (this.engine === 'off' || this.exhausted) return true;
    return phase !== 5 && (this.interruption !== undefined || this.allowed >= phase);
  }

  /** Looks for every pattern of the phase in every value at once, and fills in the sets. */
  private *findVisits(plan: PhasePlan, { found, visits, stirred }: PhaseSets): Work {
    found.fill(0);
    stirred.fill(0);
    visits.fill(0);
    for (const variablePlan of plan.scans) {
      const { variable } = variablePlan;
      if (variable === RESPONSE_BODY && this.matcher.response) {
        this.matcher.response.addTo(found);
        continue;
      }
      const { values } = this.exchange.entriesOf(variable);
      this.scans[variable] = undefined;
      for (let next = 0; next < values.length;) {
        next = this.scanShortValues(variablePlan, next, found);
        if (!this.meter.due && next < values.length) yield* this.scanLongValue(variablePlan, next++, found);
        if (this.meter.due) yield* this.giveWay();
        if (this.exhausted) return;
      }
    }
    fillVisits(plan, found, visits);
  }

  /**
   * Nearly all values are short, and a loop that may be left in the middle is the slower one.
   * @returns the first value that was not looked at: because it is long, or because others are due
   */
  private scanShortValues(plan: VariablePlan, from: number, found: BitSet): number {
    const { scanner } = this.program.ruleSet;
    const entries = this.exchange.entriesOf(plan.variable);
    const { values } = entries;
    for (let index = from; index < values.length; index++) {
      const value = values[index]!;
      if (value.length >= LONG) return index;
      const own = valuePlanOf(plan, entries, index);
      if (!own) continue;
      const scan = scanner.scan(value, own, found);
      if (scan) (this.scans[plan.variable] ??= [])[index] = scan;
      if (this.meter.isDue(value.length + VISIT)) return index + 1;
    }
    return values.length;
  }

  private *scanLongValue(plan: VariablePlan, index: number, found: BitSet): Work {
    const entries = this.exchange.entriesOf(plan.variable);
    const own = valuePlanOf(plan, entries, index);
    if (!own) return;
    const value = entries.values[index]!;
    this.hasLongValues = true;
    const scan = yield* this.inSteps(this.program.ruleSet.scanner.scanInSteps(value, own, found));
    if (scan) (this.scans[plan.variable] ??= [])[index] = scan;
    this.meter.isDue(value.length + VISIT);
  }

  private *inSteps<Result>(steps: Generator<void, Result, void>): Generator<void, Result, void> {
    for (;;) {
      const step = steps.next();
      if (step.done) return step.value;
      if (this.meter.isDue(STEP)) yield* this.giveWay();
    }
  }

  private conclude(rule: Rule): void {
    if (this.engine === 'on') this.decide(rule);
    if (rule.logs) this.record(rule);
  }

  private decide({ disruption, status = 403, id, phase }: Rule): void {
    if (disruption === 'deny' || disruption === 'drop') this.interruption = { rule: id, phase, status };
    else if (disruption === 'allow') this.allowed = 4;
    else if (disruption === 'allow-phase') this.allowed = phase;
    else if (disruption === 'allow-request') this.allowed = Math.max(2, phase);
  }

  private record(rule: Rule): void {
    const { exchange } = this;
    const { messageText, logData, severity, variable, count } = exchange.evaluation;
    const match: Match = {
      rule,
      message: messageText,
      logData,
      tags: rule.tags.map((tag) => exchange.expand(tag)),
      severity,
      variable,
      count,
      late: this.late,
    };
    this.hits.push(hitOf(match));
    if (!this.options.logLines) return;
    this.lines.push(logLineOf(match, exchange.valuesOf('REQUEST_FILENAME')[0] ?? '', exchange.uniqueId));
  }
}

/** What is looked for in a value; undefined: nothing. */
function valuePlanOf({ members, others }: VariablePlan, entries: Entries, index: number): ValuePlan | undefined {
  if (members.size === 0) return others;
  const name = entries.foldedNames[index];
  return name !== undefined && members.has(name) ? members.get(name) : others;
}

/** @param visits becomes the places of the rules to be visited */
function fillVisits({ always, waiting }: PhasePlan, found: BitSet, visits: BitSet): void {
  visits.set(always);
  for (let bit = nextBit(found, 0); bit >= 0; bit = nextBit(found, bit + 1)) {
    const places = waiting[bit];
    if (places) for (const place of places) setBit(visits, place);
  }
}
