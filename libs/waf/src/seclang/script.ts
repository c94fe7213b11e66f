import type { Bytes } from '../bytes';
import type { RuleSelector } from '../rule-set';
import type { DirectiveText } from './lexer';
import type { RuleSettings } from './settings';
import type { ActionText, RuleText, TargetText } from './syntax';

/** A change to rules that stand elsewhere in the files. */
export type Amendment = { readonly directive: DirectiveText; readonly selector: RuleSelector } & (
  | { readonly change: 'remove' }
  | { readonly change: 'targets'; readonly targets: readonly TargetText[] }
  | { readonly change: 'actions'; readonly actions: readonly ActionText[] }
);

export type ScriptItem =
  | { readonly kind: 'rule'; readonly rule: RuleText; readonly defaults: readonly DefaultActions[] }
  | { readonly kind: 'marker'; readonly label: Bytes };

/** A SecDefaultAction. */
export interface DefaultActions {
  readonly directive: DirectiveText;
  readonly actions: readonly ActionText[];
}

/** What the directives of a rule set add up to, before anything is resolved. */
export interface Script {
  readonly items: readonly ScriptItem[];
  readonly amendments: readonly Amendment[];
  readonly settings: Readonly<RuleSettings>;
  /** What whoever loads the rules should know, each with its place. */
  readonly warnings: readonly string[];
}

/** A SecRule or SecAction as it stands, chains not yet joined. */
export type SingleRule = Omit<RuleText, 'next'>;

/** A script while its directives are read in order. */
export interface ScriptDraft {
  readonly settings: RuleSettings;
  addRule(rule: SingleRule): void;
  addMarker(label: Bytes): void;
  setDefaults(defaults: DefaultActions): void;
  amend(amendment: Amendment): void;
  warn(text: string): void;
  /** Reads the files of an Include. @returns how many they are */
  include(pattern: string): number;
}

/** How a directive is read. @throws SyntaxProblem with what is wrong with it */
export type DirectiveReader = (directive: DirectiveText, draft: ScriptDraft) => void;
export type DirectiveTable = Readonly<Record<string, DirectiveReader>>;
