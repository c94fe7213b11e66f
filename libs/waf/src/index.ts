export { Engine } from './engine';
export * from './inspector';
export { isFormType, isJsonType } from './media-type';
export { planIds, planWithin } from './plan';
export { rules } from './rules/registry';
export type { RuleCard } from './rule';
