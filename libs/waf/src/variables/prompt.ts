import type { BodyArgument } from '../body/parsed-body';
import { noPrompt, type Prompt } from '../body/prompt';
import type { Bytes } from '../bytes';
import { Entries } from './entries';
import type { Facts } from './facts';
import { collection, scalar, type Variable } from './variable';

/** Set to 1 by the plan of a route that leads to a model or to tools: elsewhere a body with such members is none. */
const ASKED = 'inspect_prompts';

/** Whether the plan of the route asks for what is said to models, and by them. */
export function isAsked({ tx }: Pick<Facts, 'tx'>): boolean {
  return tx.getFolded(ASKED) === '1';
}

function promptOf(facts: Facts): Prompt {
  return isAsked(facts) ? facts.prompt : noPrompt;
}

function membersOf(found: readonly BodyArgument[]): Entries {
  return new Entries(
    found.map(({ name }) => name),
    found.map(({ value }) => value),
  );
}

function texts(name: string, of: (prompt: Prompt) => readonly Bytes[]): Variable {
  return scalar(name, 'body', (facts) => new Entries(undefined, of(promptOf(facts))));
}

function named(name: string, of: (prompt: Prompt) => readonly BodyArgument[]): Variable {
  return collection(name, 'body', (facts) => membersOf(of(promptOf(facts))));
}

/** Ours: what is said to a model or a tool, and what a model answers, whatever the wire it is said in. */
export const promptVariables: readonly Variable[] = [
  texts('LLM_MODEL', ({ model }) => model),
  texts('LLM_SYSTEM', ({ system }) => system),
  named('LLM_PROMPT', (prompt) => prompt.texts),
  named('LLM_TOOL_ARGUMENTS', ({ toolArguments }) => toolArguments),
  named('LLM_TOOL_RESULT', ({ toolResults }) => toolResults),
  collection('LLM_COMPLETION', 'response-body', (facts) => membersOf(facts.completion)),
];
