export { splitArguments } from './body/arguments';
export { defaultBudget, drain, inSlices, type BudgetSettings, type Work } from './budget';
export { atOnce, Cohort, type Gathering } from './cohort';
export { compileRuleSet, compilingRuleSet, type CompileOptions } from './compile';
export type { Adjustment, LoadedRuleCard, RuleSet } from './compiled-rules';
export { Engine, type EngineOptions, type RulesInForce } from './engine';
export * from './inspector';
export { isFormType, isJsonType } from './media-type';
export {
  compilePlan,
  excludesRule,
  lastPointOf,
  planId,
  planIds,
  planWithout,
  responseInspection,
  type Exclusion,
  type Plan,
} from './plan';
export type { Program } from './program';
export { compileRegex } from './regex/compile-regex';
export { automata } from './regex/lazy-dfa';
export type { Captures, Pattern } from './regex/pattern';
export { compileScanner, type Scanner } from './regex/scanner';
export { compileWords } from './regex/words';
export { builtInRules } from './rules/built-in';
export { rules } from './rules/registry';
export type { RuleCard } from './rule';
export { RuleError, type Place, type RuleFile, type RuleSource } from './seclang/rule-source';
export { targetFault } from './targets';
export type { InspectedBody } from './exchange';
export type { Interruption, Transaction, TransactionOptions } from './transaction';
export type { RequestHeadFacts, ResponseHeadFacts } from './variables/facts';
