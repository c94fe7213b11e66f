import { severities } from '../rule-set';
import { SyntaxProblem } from '../seclang/parser';
import type { ActionKind } from './draft';

const phaseNames: Readonly<Record<string, number>> = { request: 2, response: 4, logging: 5 };

export function readNumber(what: string, text: string): number {
  if (!/^\d{1,10}$/.test(text.trim())) throw new SyntaxProblem(`${what} “${text}” is no number`);
  return Number(text);
}

function phaseOf(text: string): number {
  const phase = phaseNames[text.toLowerCase()] ?? readNumber('phase', text);
  if (phase < 1 || phase > 5) throw new SyntaxProblem(`there is no phase ${text}`);
  return phase;
}

function severityOf(text: string): number {
  const named = (severities as readonly string[]).indexOf(text.toUpperCase());
  if (named >= 0) return named;
  const number = readNumber('severity', text);
  if (number >= severities.length) throw new SyntaxProblem(`there is no severity ${text}`);
  return number;
}

/** Says what a rule is, and does nothing. */
export const metadataActions: readonly ActionKind[] = [
  {
    name: 'id',
    read: (draft, value) => {
      draft.id = readNumber('id', value);
      if (draft.id === 0) throw new SyntaxProblem('id 0 is not allowed');
    },
  },
  { name: 'phase', read: (draft, value) => (draft.phase = phaseOf(value)) },
  {
    name: 'msg',
    read: (draft, value, context) => {
      draft.message = context.macro(value);
      draft.messageText = value;
    },
  },
  { name: 'logdata', read: (draft, value, context) => (draft.logData = context.macro(value)) },
  {
    name: 'tag',
    read: (draft, value, context) => {
      draft.tags.push(context.macro(value));
      draft.tagTexts.push(value);
    },
  },
  { name: 'severity', read: (draft, value) => (draft.severity = severityOf(value)) },
  { name: 'ver', read: (draft, value) => (draft.version = value) },
  ...['rev', 'maturity', 'accuracy'].map((name) => ({ name, read: () => undefined })),
];
