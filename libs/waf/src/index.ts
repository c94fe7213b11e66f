export { Engine } from './engine';
export * from './inspector';
export { compilePlan, planId, planIds, profiles, strictestPlan, type Mode, type Plan, type ProfileName } from './plan';
export { rules } from './rules/registry';
export type { RuleCard } from './rule';
export { describeInspector, headUnderTest, type RequestUnderTest } from './inspector.suite';
