import type { splitArguments } from '../body/arguments';
import type { BodyArgument, ParsedBody } from '../body/parsed-body';
import type { Prompt } from '../body/prompt';
import type { Bytes } from '../bytes';
import type { Store } from './store';

export interface HeaderField {
  readonly name: Bytes;
  readonly value: Bytes;
}

/** The head of a request as it was received. */
export interface RequestHeadFacts {
  readonly method: Bytes;
  /** The request target as received, `/a?b` or absolute. */
  readonly target: Bytes;
  /** The query of the target, where somebody has split it already. */
  readonly query?: SplitArguments | undefined;
  /** `HTTP/1.1` */
  readonly protocol: Bytes;
  /** The request line as received, where it is not the three with single spaces between. */
  readonly line?: Bytes;
  /** In order, repeated names kept, names as received. */
  readonly fields: readonly HeaderField[];
  readonly clientAddress: string;
  readonly clientPort?: number;
  readonly serverAddress?: string;
  readonly serverPort?: number;
  readonly serverName?: string;
}

export interface RequestBodyFacts {
  /** As received, up to what is inspected. */
  readonly raw: Bytes;
  /** Bytes of the whole body. */
  readonly length: number;
  readonly parsed: ParsedBody | undefined;
}

export interface ResponseHeadFacts {
  readonly status: number;
  readonly protocol?: Bytes;
  readonly fields: readonly HeaderField[];
}

export type SplitArguments = ReturnType<typeof splitArguments>;

/** What matched last, and what matched so far in the chain that is being evaluated. */
export interface Matches {
  value: Bytes | undefined;
  name: Bytes;
  readonly values: Bytes[];
  readonly names: Bytes[];
}

/** One transaction as variables read it. */
export interface Facts {
  readonly request: RequestHeadFacts;
  /** Arguments of the query, and whether an escape in it is broken. */
  readonly query: SplitArguments;
  readonly cookies: readonly BodyArgument[];
  readonly body: RequestBodyFacts | undefined;
  readonly bodyProcessor: string;
  /** What the body says to a model or a tool. */
  readonly prompt: Prompt;
  /** What a model says in the answer, by the number of the choice, when all of it is there. */
  readonly completion: readonly BodyArgument[];
  readonly response: ResponseHeadFacts | undefined;
  /** What is there of the body of the response; nothing where it is looked at as it goes by. */
  readonly responseBody: Bytes;
  /** Bytes of it that were looked at. */
  readonly responseLength: number;
  readonly uniqueId: Bytes;
  readonly matches: Matches;
  readonly tx: Store;
  /** `IP`, `GLOBAL` and the like, while a rule has opened them. */
  readonly opened: ReadonlyMap<string, Store>;
  /** Highest severity of the rules that matched, 0 the most severe, 255 for none. */
  readonly highestSeverity: number;
  /** Of the rule that is being evaluated: id, msg, severity and so on. */
  readonly rule: ReadonlyMap<string, Bytes>;
  /** Milliseconds since 1970. */
  now(): number;
  /** When the transaction began, as `now` says. */
  readonly began: number;
  /** Values of another variable, for variables that are made of others. */
  valuesOf(variable: string): readonly Bytes[];
}
