import type { Controls, EngineMode, SetVariable } from './actions/effect';
import { splitArguments } from './body/arguments';
import { processorOf } from './body/content-type';
import { splitCookies } from './body/cookies';
import { parseBody } from './body/parse-body';
import {
  bodyLimits,
  type BodyArgument,
  type BodyLimits,
  type BodyProcessor,
  type ParsedBody,
} from './body/parsed-body';
import { defaultBudget, Meter, VISIT, type BudgetSettings, type Work } from './budget';
import type { Bytes } from './bytes';
import { assignTo } from './fold';
import { hitOf, logLineOf, type Match } from './hits';
import type { Hit, Scores } from './inspector';
import type { OperatorContext } from './operators/operator';
import type { PhasePlan, Program } from './program';
import type { Captures } from './regex/pattern';
import type { Link, Phase, Rule, RuleSelector, Target, TargetFilter } from './rule-set';
import { scoresOf } from './score';
import type { Macro, MacroReference } from './seclang/macro';
import { filters } from './selection';
import { Entries } from './variables/entries';
import type {
  Facts,
  HeaderField,
  Matches,
  RequestBodyFacts,
  RequestHeadFacts,
  ResponseHeadFacts,
  SplitArguments,
} from './variables/facts';
import { foldName } from './variables/fold-name';
import { queryOf } from './variables/request-line';
import { variableNumber, variables } from './variables/registry';
import { Store } from './variables/store';
import type { Scan } from './value-scanner';
import type { Lifetime } from './variables/variable';

export interface TransactionOptions {
  /** `block`: rules may decide; `detect`: everything runs and nothing is refused. */
  readonly mode: 'detect' | 'block';
  /** What rules see as `UNIQUE_ID`. */
  readonly requestId: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Milliseconds of a clock that only goes forward; `now` where there is none. */
  readonly elapsed?: () => number;
  /** Milliseconds of processor time this process has had; absent: the clock alone measures. */
  readonly used?: () => number;
  readonly budget?: BudgetSettings;
  readonly body?: BodyLimits;
  /** Bytes of an answer's body that are looked at. */
  readonly responseBytes?: number;
  /** Keep lines as go-ftw reads them; they are not redacted. */
  readonly logLines?: boolean;
}

/** A body as it is handed in. */
export interface InspectedBody {
  /** As received, up to what is inspected. */
  readonly raw: Bytes;
  /** Bytes of the whole; those of `raw` where nothing is missing. */
  readonly length?: number;
  /** Where it was read already. */
  readonly parsed?: ParsedBody;
}

/** A rule decided. */
export interface Interruption {
  readonly rule: number;
  readonly phase: Phase;
  /** HTTP status the rule asks for. */
  readonly status: number;
}

const RESPONSE_BYTES = 512 * 1024;
const TX = variableNumber('TX')!;
const MATCHED_VAR = variableNumber('MATCHED_VAR')!;
const MATCHED_VAR_NAME = variableNumber('MATCHED_VAR_NAME')!;
/** Values from this length on are scanned in steps. */
const LONG = 1024;
/** What one of these steps counts for: bytes read, or states made that cost as much. */
const STEP = 4096;
const NO_SEVERITY = 255;
const GROUP_NAMES = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'] as const;
const processors: readonly string[] = ['URLENCODED', 'MULTIPART', 'JSON', 'XML'] satisfies BodyProcessor[];

/** Of the rule that is being evaluated. */
class Evaluation {
  rule!: Rule;
  messageText: Bytes = '';
  logData: Bytes = '';
  severity: number | undefined;
  variable: Bytes = '';
  count = 0;

  begin(rule: Rule): void {
    this.rule = rule;
    this.messageText = '';
    this.logData = '';
    this.severity = undefined;
    this.variable = '';
    this.count = 0;
  }
}

/** Runs the five phases over one exchange. Each step is work to be run to its end before the next begins. */
export class Transaction implements Controls, OperatorContext, Facts {
  request!: RequestHeadFacts;
  body: RequestBodyFacts | undefined;
  response: ResponseHeadFacts | undefined;
  bodyProcessor = '';
  readonly uniqueId: Bytes;
  readonly tx: Store;
  readonly opened = new Map<string, Store>();
  readonly matches: Matches = { value: undefined, name: '', values: [], names: [] };
  highestSeverity = NO_SEVERITY;
  readonly began: number;
  interruption: Interruption | undefined;
  /** Set while bytes of the answer are with the caller already. */
  late = false;
  private readonly meter: Meter;
  private engine: EngineMode;
  /** Phases up to this one are passed over, since a rule allowed the exchange. */
  private allowed = 0;
  private readonly values: (Entries | undefined)[] = [];
  private removed: Uint32Array | undefined;
  private readonly targetRemovals: { readonly rules: Uint32Array; readonly filter: TargetFilter }[] = [];
  private readonly evaluation = new Evaluation();
  /** By variable and index of a value: what the phase that is running has found in it. */
  private readonly scans: ((Scan | undefined)[] | undefined)[] = [];
  /** Bytes that the rule which is being visited has read. */
  private read = 0;
  private split: SplitArguments | undefined;
  private splitCookies: readonly BodyArgument[] | undefined;
  private readonly chunks: Bytes[] = [];
  private responseBytes = 0;
  private responseLimit: number;
  private hits: Hit[] = [];
  private lines: string[] = [];
  private finished = false;

  constructor(
    private readonly program: Program,
    private readonly options: TransactionOptions,
  ) {
    this.uniqueId = options.requestId;
    this.tx = new Store(program.tx);
    this.engine = options.mode === 'block' ? 'on' : 'detection-only';
    this.began = options.now();
    this.responseLimit = options.responseBytes ?? RESPONSE_BYTES;
    this.meter = new Meter(options.elapsed ?? options.now, options.budget ?? defaultBudget, options.used);
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
    return scoresOf(this.tx);
  }

  /** Phase 1. */
  *requestHead(head: RequestHeadFacts): Work {
    this.request = head;
    this.bodyProcessor = processorOf(this.fieldOf(head.fields, 'content-type')) ?? '';
    yield* this.run(1);
  }

  /** Phase 2, for requests without a body as well. */
  *requestBody({ raw, length = raw.length, parsed }: InspectedBody): Work {
    this.meter.grant(raw.length);
    this.meter.resume();
    this.body = { raw, length, parsed: parsed ?? this.parse(raw, length) };
    this.meter.pause();
    this.forget('body');
    yield* this.run(2);
  }

  /** Phase 3. */
  *responseHead(head: ResponseHeadFacts): Work {
    this.response = head;
    this.forget('response');
    yield* this.run(3);
  }

  /** @returns false when enough was seen. */
  responseChunk(chunk: Bytes): boolean {
    const room = this.responseLimit - this.responseBytes;
    if (room > 0) this.chunks.push(chunk.slice(0, room));
    this.responseBytes += Math.min(room, chunk.length);
    return this.responseBytes < this.responseLimit;
  }

  /** Phase 4. */
  *responseEnd(): Work {
    this.meter.grant(this.responseBytes);
    this.forget('response-body');
    yield* this.run(4);
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

  get responseBody(): Bytes {
    if (this.chunks.length > 1) this.chunks.splice(0, this.chunks.length, this.chunks.join(''));
    return this.chunks[0] ?? '';
  }

  get query(): SplitArguments {
    this.split ??= splitArguments(queryOf(this.request));
    return this.split;
  }

  get cookies(): readonly BodyArgument[] {
    this.splitCookies ??= this.request.fields
      .filter(({ name }) => foldName(name) === 'cookie')
      .flatMap(({ value }) => splitCookies(value));
    return this.splitCookies;
  }

  get rule(): ReadonlyMap<string, Bytes> {
    const { rule, messageText, logData, severity } = this.evaluation;
    return new Map([
      ['id', String(rule.id)],
      ['msg', messageText],
      ['logdata', logData],
      ['severity', String(severity ?? '')],
    ]);
  }

  now(): number {
    return this.options.now();
  }

  valuesOf(variable: string): readonly Bytes[] {
    return this.entriesOf(variableNumber(variable)!).values;
  }

  expand(text: Macro): Bytes {
    if (text.constant !== undefined) return text.constant;
    let expanded = '';
    for (const part of text.parts) expanded += typeof part === 'string' ? part : this.valueOf(part);
    return expanded;
  }

  removeRules(selector: RuleSelector): void {
    const selected = this.program.selection(selector);
    this.removed ??= new Uint32Array(selected.length);
    for (let word = 0; word < selected.length; word++) this.removed[word]! |= selected[word]!;
  }

  removeTarget(selector: RuleSelector, filter: TargetFilter): void {
    this.targetRemovals.push({ rules: this.program.selection(selector), filter });
  }

  /** A rule may run less than the plan says, and never more. */
  setEngine(mode: EngineMode): void {
    this.engine = mode === 'on' && this.options.mode === 'detect' ? 'detection-only' : mode;
  }

  setBodyProcessor(name: Bytes): void {
    this.bodyProcessor = name;
  }

  /** What is inspected is said by the route; a rule cannot open what the route closes, nor hide what it shows. */
  setBodyAccess(): void {
    return;
  }

  setBodyLimit(of: 'request' | 'response', bytes: number): void {
    if (of === 'response') this.responseLimit = Math.min(bytes, this.responseLimit);
  }

  openStore(name: string, key: Macro): void {
    const store = new Store();
    store.set('key', this.expand(key));
    this.opened.set(name, store);
  }

  private parse(raw: Bytes, length: number): ParsedBody | undefined {
    if (raw === '' || !processors.includes(this.bodyProcessor)) return undefined;
    const limits = { ...(this.options.body ?? bodyLimits), cut: length > raw.length };
    const contentType = this.fieldOf(this.request.fields, 'content-type');
    return parseBody(this.bodyProcessor as BodyProcessor, contentType, raw, limits);
  }

  private fieldOf(fields: readonly HeaderField[], name: Bytes): Bytes {
    return fields.find((field) => foldName(field.name) === name)?.value ?? '';
  }

  private forget(lifetime: Lifetime): void {
    for (const number of this.values.keys()) {
      if (variables[number]!.lifetime === lifetime) this.values[number] = undefined;
    }
  }

  private entriesOf(variable: number): Entries {
    const known = this.values[variable];
    if (known) return known;
    const definition = variables[variable]!;
    const entries = definition.read(this);
    if (definition.lifetime !== 'moment') this.values[variable] = entries;
    return entries;
  }

  private valueOf({ variable, member }: MacroReference): Bytes {
    const number = variableNumber(variable);
    if (number === undefined) return '';
    if (number === TX && member !== undefined) return this.tx.getFolded(member) ?? '';
    if (number === MATCHED_VAR) return this.matches.value ?? '';
    if (number === MATCHED_VAR_NAME) return this.matches.name;
    const entries = this.entriesOf(number);
    return (member === undefined ? entries.values[0] : entries.first(member)) ?? '';
  }

  private *run(phase: Phase): Work {
    const decided = this.interruption !== undefined || this.allowed >= phase;
    if (this.engine === 'off' || (decided && phase !== 5) || this.exhausted) return;
    this.meter.resume();
    const plan = this.program.phase(phase);
    const visits = yield* this.findVisits(plan);
    let place = nextBit(visits, 0);
    while (place >= 0 && !this.isOver(phase)) {
      const rule = plan.rules[place]!;
      const matched = !this.isRemoved(rule) && this.evaluate(rule, plan.gates[place]);
      const skip = matched ? plan.skips[place]! : -1;
      place = nextBit(visits, skip >= 0 ? skip : place + 1);
      if (this.meter.isDue(VISIT + this.read)) yield* this.giveWay();
      this.read = 0;
    }
    this.meter.pause();
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

  private isRemoved({ number }: Rule): boolean {
    return this.removed !== undefined && hasBit(this.removed, number);
  }

  /** Looks for every pattern of the phase in every value at once. @returns the places of the rules to be visited. */
  private *findVisits(plan: PhasePlan): Generator<void, Uint32Array, void> {
    const found = new Uint32Array(this.program.ruleSet.patterns.words);
    for (const { variable, members, others } of plan.scans) {
      const entries = this.entriesOf(variable);
      this.scans[variable] = undefined;
      const names = members.size === 0 ? undefined : entries.foldedNames;
      for (let index = 0; index < entries.values.length; index++) {
        const name = names?.[index];
        const own = name !== undefined && members.has(name) ? members.get(name) : others;
        if (!own) continue;
        const value = entries.values[index]!;
        const { scanner } = this.program.ruleSet;
        const scan =
          value.length < LONG
            ? scanner.scan(value, own, found)
            : yield* this.inSteps(scanner.scanInSteps(value, own, found));
        if (scan) (this.scans[variable] ??= [])[index] = scan;
        if (this.meter.isDue(value.length + VISIT)) yield* this.giveWay();
        if (this.exhausted) return new Uint32Array(plan.always.length);
      }
    }
    return visitsOf(plan, found);
  }

  private *inSteps<Result>(steps: Generator<void, Result, void>): Generator<void, Result, void> {
    for (;;) {
      const step = steps.next();
      if (step.done) return step.value;
      if (this.meter.isDue(STEP)) yield* this.giveWay();
    }
  }

  /** @returns whether the rule matched, its whole chain with it. */
  private evaluate(rule: Rule, gate: Link | undefined): boolean {
    this.evaluation.begin(rule);
    this.matches.values.length = 0;
    this.matches.names.length = 0;
    if (!this.matchChain(rule.head, gate)) return false;
    if (this.engine === 'on') this.decide(rule);
    if (rule.logs) this.record(rule);
    return true;
  }

  private matchChain(link: Link, gate: Link | undefined): boolean {
    if (!this.matchLink(link, gate)) return false;
    if (!(link.negated && link.capture)) this.word(link);
    if (link.next && !this.matchChain(link.next, gate)) return false;
    for (const effect of link.effects) effect.run(this);
    return true;
  }

  private matchLink(link: Link, gate: Link | undefined): boolean {
    if (!link.operator) {
      this.perform(link);
      return true;
    }
    const left = this.filtersOf(link);
    let matched = false;
    for (const target of link.targets) {
      if (target.counted) {
        if (this.matchValue(link, target.text, this.countOf(target))) matched = true;
      } else if (target.variable === TX && target.member !== undefined) {
        if (this.matchMember(link, target.member, left)) matched = true;
      } else if (link === gate) {
        if (this.matchScans(link, target, left)) matched = true;
      } else if (this.matchEntries(link, target, left)) matched = true;
    }
    return matched;
  }

  private matchMember(link: Link, member: Bytes, left: readonly TargetFilter[]): boolean {
    const value = this.tx.getFolded(member);
    if (value === undefined || isLeftOut(left, TX, member)) return false;
    return this.matchValue(link, `TX:${member}`, value);
  }

  private filtersOf(link: Link): readonly TargetFilter[] {
    const { rule } = this.evaluation;
    if (this.targetRemovals.length === 0 || link !== rule.head) return link.filters;
    const own = this.targetRemovals.filter(({ rules }) => hasBit(rules, rule.number));
    return [...link.filters, ...own.map(({ filter }) => filter)];
  }

  private countOf(target: Target): Bytes {
    if (target.variable === TX && target.member !== undefined) {
      return this.tx.getFolded(target.member) === undefined ? '0' : '1';
    }
    const entries = this.entriesOf(target.variable);
    if (target.member === undefined && !target.pattern) return String(entries.values.length);
    let count = 0;
    for (const name of entries.foldedNames) if (picks(target, name)) count++;
    return String(count);
  }

  private matchEntries(link: Link, target: Target, left: readonly TargetFilter[]): boolean {
    const { variable, pattern } = target;
    const picked = variable === TX && pattern !== undefined;
    const entries = picked ? this.tx.matching(pattern) : this.entriesOf(variable);
    const picky = !picked && (target.member !== undefined || pattern !== undefined);
    const folded = picky || left.length > 0 ? entries.foldedNames : undefined;
    let matched = false;
    for (let index = 0; index < entries.values.length; index++) {
      if (picky && !picks(target, folded![index])) continue;
      if (left.length > 0 && isLeftOut(left, variable, folded![index])) continue;
      if (this.matchValue(link, '', entries.values[index]!, variable, entries, index)) matched = true;
    }
    return matched;
  }

  /** As `matchEntries`, where the phase has looked for the pattern of the link in all values already. */
  private matchScans(link: Link, target: Target, left: readonly TargetFilter[]): boolean {
    const { variable } = target;
    const scans = this.scans[variable];
    if (!scans) return false;
    const entries = this.entriesOf(variable);
    let matched = false;
    for (let index = 0; index < scans.length; index++) {
      const scan = scans[index];
      if (!scan) continue;
      const folded = entries.foldedNames[index];
      if (!picks(target, folded) || isLeftOut(left, variable, folded)) continue;
      if (this.matchScan(link, scan, variable, entries, index)) matched = true;
    }
    return matched;
  }

  private matchScan(link: Link, scan: Scan, variable: number, entries: Entries, index: number): boolean {
    const { ruleSet } = this.program;
    const node = ruleSet.nodeOf(link);
    const bit = ruleSet.bitOf(link)!;
    if (!link.multiMatch) {
      if (!scan.has(node, bit)) return false;
      this.takeScan(link, scan, node, nameOf(variable, entries, index));
      return true;
    }
    let matched = false;
    let before: Bytes | undefined;
    for (const step of ruleSet.trie.pathTo(node)) {
      const form = scan.form(step);
      if (form !== before && scan.has(step, bit)) {
        this.takeScan(link, scan, step, nameOf(variable, entries, index));
        matched = true;
      }
      before = form;
    }
    return matched;
  }

  /**
   * Makes the forms of a value and looks at them.
   * @param name where it is no member of `entries`; otherwise it is made only where it is needed
   */
  private matchValue(
    link: Link,
    name: Bytes,
    value: Bytes,
    variable = -1,
    entries: Entries = Entries.none,
    index = 0,
  ): boolean {
    const { transformations, multiMatch } = link;
    let form = value;
    let matched = false;
    if (multiMatch && this.test(link, form)) {
      this.take(link, variable < 0 ? name : nameOf(variable, entries, index), form);
      matched = true;
    }
    for (const transformation of transformations) {
      const next = transformation.apply(form);
      if (multiMatch && next !== form && this.test(link, next)) {
        this.take(link, variable < 0 ? name : nameOf(variable, entries, index), next);
        matched = true;
      }
      form = next;
    }
    if (multiMatch || !this.test(link, form)) return matched;
    this.take(link, variable < 0 ? name : nameOf(variable, entries, index), form);
    return true;
  }

  private test(link: Link, form: Bytes): boolean {
    this.read += form.length;
    const holds = link.operator!.test(form, this);
    if (holds !== link.negated) return true;
    // What a negated operator finds is captured although the rule does not match.
    if (holds && link.capture) this.capture(link, form);
    return false;
  }

  private takeScan(link: Link, scan: Scan, node: number, name: Bytes): void {
    const { operator, capture } = link;
    if (capture && operator?.capture) {
      this.keepGroups(scan.groups(node, this.program.ruleSet.bitOf(link)!, (form) => operator.capture!(form, this)));
    }
    this.note(link, name, scan.form(node));
  }

  /** A value matched. */
  private take(link: Link, name: Bytes, form: Bytes): void {
    if (link.capture && !link.negated) this.capture(link, form);
    this.note(link, name, form);
  }

  private note(link: Link, name: Bytes, form: Bytes): void {
    const { matches, evaluation } = this;
    // Groups, and texts that hold the value.
    this.read += form.length;
    matches.value = form;
    matches.name = name;
    matches.values.push(form);
    matches.names.push(name);
    evaluation.variable = name;
    evaluation.count++;
    this.perform(link);
  }

  private capture(link: Link, form: Bytes): void {
    this.keepGroups(link.operator!.capture?.(form, this));
  }

  private keepGroups(groups: Captures | undefined): void {
    if (!groups) return;
    for (let group = 0; group < groups.length && group < 10; group++) {
      const text = groups[group];
      if (text !== undefined) this.tx.set(GROUP_NAMES[group]!, text);
    }
  }

  /** What a link does at each value that matches. */
  private perform(link: Link): void {
    for (const assignment of link.assignments) this.assign(assignment);
    const { evaluation } = this;
    const { severity } = link;
    if (severity !== undefined) {
      evaluation.severity = severity;
      this.highestSeverity = Math.min(this.highestSeverity, severity);
    }
    // What later values do to captures must not show in the text of this one.
    if (link.negated && link.capture) this.word(link);
  }

  /** Fills in what the rule says of the value that matched last. */
  private word({ message, logData }: Link): void {
    const { evaluation } = this;
    if (!evaluation.rule.logs) return;
    if (message) evaluation.messageText = this.expand(message);
    if (logData) evaluation.logData = this.expand(logData);
  }

  private assign({ store, name, operation, value }: SetVariable): void {
    const target = store === 'TX' ? this.tx : this.opened.get(store);
    if (!target) return;
    const key = this.expand(name);
    if (store === 'TX' && this.program.pinned.size > 0 && this.program.pinned.has(foldName(key))) return;
    assignTo(target, key, operation, this.expand(value));
  }

  private decide({ disruption, status = 403, id, phase }: Rule): void {
    if (disruption === 'deny' || disruption === 'drop') this.interruption = { rule: id, phase, status };
    else if (disruption === 'allow') this.allowed = 4;
    else if (disruption === 'allow-phase') this.allowed = phase;
    else if (disruption === 'allow-request') this.allowed = Math.max(2, phase);
  }

  private record(rule: Rule): void {
    const { messageText, logData, severity, variable, count } = this.evaluation;
    const match: Match = {
      rule,
      message: messageText,
      logData,
      tags: rule.tags.map((tag) => this.expand(tag)),
      severity,
      variable,
      count,
      late: this.late,
    };
    this.hits.push(hitOf(match));
    if (this.options.logLines)
      this.lines.push(logLineOf(match, this.valuesOf('REQUEST_FILENAME')[0] ?? '', this.uniqueId));
  }
}

function nameOf(variable: number, entries: Entries, index: number): Bytes {
  const { name } = variables[variable]!;
  return entries.names ? `${name}:${entries.names[index]}` : name;
}

function picks({ member, pattern }: Target, name: Bytes | undefined): boolean {
  if (member !== undefined) return name === member;
  return !pattern || (name !== undefined && pattern.test(name));
}

function isLeftOut(left: readonly TargetFilter[], variable: number, name: Bytes | undefined): boolean {
  for (const filter of left) if (filters(filter, variable, name)) return true;
  return false;
}

function visitsOf({ always, waiting }: PhasePlan, found: Uint32Array): Uint32Array {
  const visits = always.slice();
  for (let bit = nextBit(found, 0); bit >= 0; bit = nextBit(found, bit + 1)) {
    for (const place of waiting[bit] ?? []) visits[place >>> 5]! |= 1 << (place & 31);
  }
  return visits;
}

function hasBit(bits: Uint32Array, at: number): boolean {
  return ((bits[at >>> 5]! >>> (at & 31)) & 1) === 1;
}

/** @returns the first bit from a place on that is set, -1 where none is. */
function nextBit(bits: Uint32Array, from: number): number {
  let word = from >>> 5;
  if (word >= bits.length) return -1;
  let rest = bits[word]! & (-1 << (from & 31));
  while (rest === 0) {
    if (++word >= bits.length) return -1;
    rest = bits[word]!;
  }
  return word * 32 + 31 - Math.clz32(rest & -rest);
}
