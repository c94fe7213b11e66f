export { chargesOf, compileRoute, PolicyError, principalCharges, type CompiledRoute, type Limit } from './compile';
export type { InspectStep, Policy, PolicyExchange, PolicyInput } from './policy';
export { policies, policyConfigSchemas } from './policies/registry';
