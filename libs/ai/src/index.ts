/**
 * Models: who answers, how it is spoken, what it costs. The way of one chat request through this lib:
 *
 *  1. `readChatRequest(body)` scans the body: a {@link ChatRequest}, or a refusal.
 *  2. `router.plan(question, done)` says which targets may answer it: {@link ModelRouter}.
 *  3. `completeChat(call)` runs that plan: it edits the body for each target, opens the call, holds the head back until
 *     the answer has content, falls back while it has none, streams with backpressure, and always settles.
 *
 * The process that runs it keeps one `openWires(ports)` and tells its pools to keep `table.origins`; the credential of a
 * call goes out as one header field and is written nowhere.
 *
 * A refusal on the way, from whatever policy, is shown by `renderOpenAiRefusal`; the list of models by
 * `renderModelList`. Nothing here knows a bus, a database or the environment.
 */
export type { ChatRequest } from './chat';
export { readChatRequest } from './dialects/openai-chat/parse';
export { renderOpenAiErrorEvent, renderOpenAiRefusal } from './dialects/openai-chat/refusal';
export { renderModelList } from './dialects/openai-chat/render';
export { completeChat } from './execute/run-plan';
export type { ChatClient, ChatFacts, Wires } from './execute/chat-call';
export { systemTimers, type Timers } from './execute/timers';
export type { Lease, ModelRouter, Planned, PlanQuestion } from './router';
export {
  builtInModels,
  compileModels,
  type CompiledModel,
  type CredentialReference,
  type ModelTable,
} from './plan/compile';
export { LocalRouter, type LeaseSource } from './plan/local-router';
export { inputTokens, outputTokens } from './usage';
export { openWires } from './wires/registry';
export {
  outcomeName,
  outcomeNames,
  readSettlement,
  sourceName,
  writeSettlement,
  type OutcomeName,
  type SourceName,
} from './ledger/settlement-record';
