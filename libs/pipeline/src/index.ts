export {
  chargesOf,
  compileRoute,
  PolicyCompiler,
  PolicyError,
  policyHooks,
  routeCharges,
  type CompiledRoute,
  type CompiledRoutes,
  type Limit,
  type Step,
  type Steps,
} from './compile';
export { AnswerDraft, FieldDraft, fieldText, isEditable, RequestDraft } from './draft';
export {
  definePolicy,
  isReply,
  pass,
  reply,
  type BodyOut,
  type BodyTransform,
  type Done,
  type InspectStep,
  type Policy,
  type PolicyExchange,
  type PolicyHooks,
  type PolicyInput,
  type PolicyServices,
  type Reply,
  type Settled,
  type Verdict,
} from './policy';
export { servicesWithoutMemory } from './policy-services';
export { askedInPreflight } from './policies/cors/cors';
export { policies, policiesById } from './policies/registry';
export { MemoryStore, type Removed, type Replaced, type SharedStore } from './shared-store';
