export { Engine } from './engine';
export * from './inspector';
export { isFormType, isJsonType } from './media-type';
export { compilePlan, excludesRule, planId, planIds, responseInspection, type Exclusion, type Plan } from './plan';
export { rules } from './rules/registry';
export type { RuleCard } from './rule';
