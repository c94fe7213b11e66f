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
import { noPrompt, promptOf, type Prompt } from './body/prompt';
import type { Bytes } from './bytes';
import type { OperatorContext } from './operators/operator';
import type { Rule } from './rule-set';
import type { Macro, MacroReference } from './seclang/macro';
import type { Entries } from './variables/entries';
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
import type { Lifetime } from './variables/variable';

/** A body as it is handed in. */
export interface InspectedBody {
  /** As received, up to what is inspected. */
  readonly raw: Bytes;
  /** Bytes of the whole; those of `raw` where nothing is missing. */
  readonly length?: number;
  /** Where it was read already. */
  readonly parsed?: ParsedBody;
}

export interface ExchangeOptions {
  /** What rules see as `UNIQUE_ID`. */
  readonly requestId: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly body?: BodyLimits;
  /** Bytes of an answer's body that are looked at. */
  readonly responseBytes?: number;
}

const RESPONSE_BYTES = 512 * 1024;
const NO_SEVERITY = 255;
const processors: readonly string[] = ['URLENCODED', 'MULTIPART', 'JSON', 'XML'] satisfies BodyProcessor[];
const MATCHED_VAR = variableNumber('MATCHED_VAR')!;
const MATCHED_VAR_NAME = variableNumber('MATCHED_VAR_NAME')!;

/** By lifetime: the numbers of the variables that have it. */
const numbersOf = numbersByLifetime();

function numbersByLifetime(): Readonly<Record<Lifetime, readonly number[]>> {
  const numbers: Record<Lifetime, number[]> = {
    request: [],
    body: [],
    response: [],
    'response-body': [],
    moment: [],
  };
  variables.forEach(({ lifetime }, number) => numbers[lifetime].push(number));
  return numbers;
}

/** Of the rule that is being evaluated. */
export class Evaluation {
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

/** What rules see of one request and its answer, and what they keep of it. Each variable is read when a rule first asks for it. */
export class Exchange implements Facts, OperatorContext {
  request!: RequestHeadFacts;
  body: RequestBodyFacts | undefined;
  response: ResponseHeadFacts | undefined;
  bodyProcessor: Bytes = '';
  readonly uniqueId: Bytes;
  readonly tx: Store;
  readonly opened = new Map<string, Store>();
  readonly matches: Matches = { value: undefined, name: '', values: [], names: [] };
  readonly evaluation = new Evaluation();
  highestSeverity = NO_SEVERITY;
  readonly began: number;
  /** Bytes of the answer's body that were looked at. */
  responseLength = 0;
  private responseLimit: number;
  private readonly responseChunks: Bytes[] = [];
  /** By number of the variable. */
  private readonly values = new Array<Entries | undefined>(variables.length);
  private split: SplitArguments | undefined;
  private splitCookies: readonly BodyArgument[] | undefined;
  private readPrompt: Prompt | undefined;
  private said: readonly BodyArgument[] = [];

  /** @param tx what `TX` holds at first */
  constructor(
    tx: Store,
    private readonly options: ExchangeOptions,
  ) {
    this.tx = new Store(tx);
    this.uniqueId = options.requestId;
    this.began = options.now();
    this.responseLimit = options.responseBytes ?? RESPONSE_BYTES;
  }

  takeRequestHead(head: RequestHeadFacts): void {
    this.request = head;
    this.bodyProcessor = processorOf(this.fieldOf(head.fields, 'content-type')) ?? '';
  }

  takeRequestBody({ raw, length = raw.length, parsed }: InspectedBody): void {
    this.body = { raw, length, parsed: parsed ?? this.parse(raw, length) };
    this.readPrompt = undefined;
    this.forget('body');
  }

  takeResponseHead(head: ResponseHeadFacts): void {
    this.response = head;
    this.forget('response');
  }

  /** @returns what of the next bytes of the answer's body is to be looked at */
  countResponse(chunk: Bytes): Bytes {
    const room = this.responseLimit - this.responseLength;
    const counted = chunk.length > room ? chunk.slice(0, room) : chunk;
    this.responseLength += counted.length;
    return counted;
  }

  /** Whether more of the answer's body would be looked at. */
  get wantsResponse(): boolean {
    return this.responseLength < this.responseLimit;
  }

  /** Keeps bytes of the answer's body for rules that want the whole. */
  keepResponse(chunk: Bytes): void {
    this.responseChunks.push(chunk);
    this.forget('response-body');
  }

  /** Takes what a model says in the answer, which is read once, when all of that is there. */
  takeCompletion(said: readonly BodyArgument[]): void {
    this.said = said;
    this.forget('response-body');
  }

  get completion(): readonly BodyArgument[] {
    return this.said;
  }

  /** Looks at less of an answer's body than was said at first, never at more. */
  limitResponse(bytes: number): void {
    this.responseLimit = Math.max(this.responseLength, Math.min(bytes, this.responseLimit));
  }

  get responseBody(): Bytes {
    const { responseChunks } = this;
    if (responseChunks.length > 1) responseChunks.splice(0, responseChunks.length, responseChunks.join(''));
    return responseChunks[0] ?? '';
  }

  get query(): SplitArguments {
    this.split ??= this.request.query ?? splitArguments(queryOf(this.request.target));
    return this.split;
  }

  get cookies(): readonly BodyArgument[] {
    this.splitCookies ??= this.request.fields
      .filter((field) => isNamed(field, 'cookie'))
      .flatMap(({ value }) => splitCookies(value));
    return this.splitCookies;
  }

  get prompt(): Prompt {
    const { parsed } = this.body ?? {};
    this.readPrompt ??= parsed?.processor === 'JSON' ? promptOf(parsed.arguments) : noPrompt;
    return this.readPrompt;
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

  /** @param variable its number */
  entriesOf(variable: number): Entries {
    const known = this.values[variable];
    if (known) return known;
    const definition = variables[variable]!;
    const entries = definition.read(this);
    if (definition.lifetime !== 'moment') this.values[variable] = entries;
    return entries;
  }

  expand(text: Macro): Bytes {
    if (text.constant !== undefined) return text.constant;
    let expanded = '';
    for (const part of text.parts) expanded += typeof part === 'string' ? part : this.valueOf(part);
    return expanded;
  }

  openStore(name: string, key: Macro): void {
    const store = new Store();
    store.set('key', this.expand(key));
    this.opened.set(name, store);
  }

  /** @returns a function that undoes what rules have done since, to be called once at most */
  save(): () => void {
    const { highestSeverity, bodyProcessor, responseLimit } = this;
    const restoreTx = this.tx.save();
    const opened = [...this.opened].map(([name, store]): [string, Store, () => void] => [name, store, store.save()]);
    return () => {
      Object.assign(this, { highestSeverity, bodyProcessor, responseLimit });
      restoreTx();
      this.opened.clear();
      for (const [name, store, restore] of opened) {
        restore();
        this.opened.set(name, store);
      }
    };
  }

  private valueOf({ variable, member }: MacroReference): Bytes {
    if (variable === 'TX' && member !== undefined) return this.tx.getFolded(member) ?? '';
    const number = variableNumber(variable);
    if (number === undefined) return '';
    if (number === MATCHED_VAR) return this.matches.value ?? '';
    if (number === MATCHED_VAR_NAME) return this.matches.name;
    const entries = this.entriesOf(number);
    return (member === undefined ? entries.values[0] : entries.first(member)) ?? '';
  }

  private parse(raw: Bytes, length: number): ParsedBody | undefined {
    if (raw === '' || !processors.includes(this.bodyProcessor)) return undefined;
    const limits = { ...(this.options.body ?? bodyLimits), cut: length > raw.length };
    const contentType = this.fieldOf(this.request.fields, 'content-type');
    return parseBody(this.bodyProcessor as BodyProcessor, contentType, raw, limits);
  }

  private fieldOf(fields: readonly HeaderField[], name: Bytes): Bytes {
    return fields.find((field) => isNamed(field, name))?.value ?? '';
  }

  private forget(lifetime: Lifetime): void {
    for (const number of numbersOf[lifetime]) this.values[number] = undefined;
  }
}

/** @param folded a name in lower case */
function isNamed({ name }: HeaderField, folded: Bytes): boolean {
  return name.length === folded.length && foldName(name) === folded;
}
