import type { Bytes } from '../bytes';
import { closingQuote, unescapeQuotes } from './lexer';
import type { ActionText, OperatorText, TargetText } from './syntax';

/** What is wrong with one argument of a directive; the caller adds the place. */
export class SyntaxProblem extends Error {}

/**
 * Parses a list of variables: `ARGS|!ARGS:password|&REQUEST_HEADERS:Host|TX:/^header_/`.
 * @throws SyntaxProblem
 */
export function parseTargets(text: Bytes): TargetText[] {
  const targets: TargetText[] = [];
  let at = 0;
  while (at < text.length) {
    if (text[at] === '|' || text[at] === ',' || text[at] === ' ') {
      at++;
      continue;
    }
    const found = targetAt(text, at);
    targets.push(found.target);
    at = found.end;
  }
  if (targets.length === 0) throw new SyntaxProblem('it names no variable');
  return targets;
}

/** Parses exactly one variable, as `ctl:ruleRemoveTargetById` takes it. */
export function parseTarget(text: Bytes): TargetText {
  const [target, ...others] = parseTargets(text);
  if (others.length > 0) throw new SyntaxProblem(`“${text}” is more than one variable`);
  return target!;
}

const HEAD = /([!&]*)([A-Za-z_][A-Za-z0-9_]*)/y;

function targetAt(text: Bytes, start: number): { target: TargetText; end: number } {
  HEAD.lastIndex = start;
  const head = HEAD.exec(text);
  if (!head) throw new SyntaxProblem(`“${text.slice(start)}” is no variable`);
  const [whole, marks, name] = [head[0], head[1]!, head[2]!];
  const variable = name.toUpperCase();
  const flags = { variable, counted: marks.includes('&'), excluded: marks.includes('!') };
  const colon = start + whole.length;
  if (text[colon] === ':') {
    const { selector, isPattern, end } = selectorAt(text, colon + 1, variable);
    return { target: { ...flags, selector, isPattern }, end };
  }
  if (colon < text.length && !isSeparator(text[colon]!)) {
    throw new SyntaxProblem(`“${text.slice(start)}” is no variable`);
  }
  return { target: { ...flags, selector: undefined, isPattern: false }, end: colon };
}

function selectorAt(
  text: Bytes,
  start: number,
  variable: string,
): { selector: Bytes; isPattern: boolean; end: number } {
  const quote = text[start];
  if (quote === "'" || quote === '"') {
    const end = closingQuote(text, start);
    if (end < 0) throw new SyntaxProblem(`a quote in “${text}” is not closed`);
    return { ...selectorOf(unescapeQuotes(text.slice(start + 1, end), quote)), end: end + 1 };
  }
  // The selector of XML is a path and begins with a slash, too.
  if (text[start] === '/' && variable !== 'XML') {
    const end = patternEnd(text, start);
    return { selector: text.slice(start + 1, end), isPattern: true, end: end + 1 };
  }
  let end = start;
  while (end < text.length && text[end] !== '|' && text[end] !== ',') end++;
  if (end === start) throw new SyntaxProblem(`“${text}” has an empty selector`);
  return { selector: text.slice(start, end), isPattern: false, end };
}

function selectorOf(quoted: Bytes): { selector: Bytes; isPattern: boolean } {
  const isPattern = quoted.length > 1 && quoted.startsWith('/') && quoted.endsWith('/');
  return { selector: isPattern ? quoted.slice(1, -1) : quoted, isPattern };
}

/** The slash that ends a pattern is one that a separator or nothing follows: `|` and `,` may stand in the pattern itself. */
function patternEnd(text: Bytes, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '/' && (at + 1 === text.length || isSeparator(text[at + 1]!))) return at;
  }
  throw new SyntaxProblem(`the pattern in “${text}” is not closed`);
}

function isSeparator(character: string): boolean {
  return character === '|' || character === ',' || character === ' ';
}

const OPERATOR = /^@([A-Za-z0-9_]+)(?:\s+|$)/;

/** Parses an operator; a text without `@` is a pattern for `@rx`. */
export function parseOperator(text: Bytes): OperatorText {
  let rest = text.trimStart();
  const negated = rest.startsWith('!');
  if (negated) rest = rest.slice(1).trimStart();
  const head = OPERATOR.exec(rest);
  if (head) return { negated, name: head[1]!, argument: rest.slice(head[0].length) };
  if (rest.startsWith('@')) throw new SyntaxProblem(`“${firstOf(rest)}” is no operator`);
  return { negated, name: 'rx', argument: rest };
}

function firstOf(text: Bytes): Bytes {
  return text.split(/\s/, 1)[0]!;
}

const ACTION_NAME = /\s*([A-Za-z_]+)\s*/y;

/**
 * Parses a list of actions: `id:920100,phase:1,msg:'It\'s broken',setvar:tx.score=+5`.
 * @throws SyntaxProblem
 */
export function parseActions(text: Bytes): ActionText[] {
  const actions: ActionText[] = [];
  let at = 0;
  while (at < text.length) {
    if (text[at] === ',' || /\s/.test(text[at]!)) {
      at++;
      continue;
    }
    const found = actionAt(text, at);
    actions.push(found.action);
    at = found.end;
  }
  return actions;
}

function actionAt(text: Bytes, start: number): { action: ActionText; end: number } {
  ACTION_NAME.lastIndex = start;
  const head = ACTION_NAME.exec(text);
  if (!head) throw new SyntaxProblem(`“${text.slice(start, start + 40)}” is no action`);
  const name = head[1]!.toLowerCase();
  const after = start + head[0].length;
  if (after >= text.length || text[after] === ',') return { action: { name, value: '' }, end: after };
  if (text[after] !== ':') throw new SyntaxProblem(`after the action “${name}” a comma is missing`);
  const { value, end } = actionValueAt(text, after + 1);
  return { action: { name, value }, end };
}

function actionValueAt(text: Bytes, start: number): { value: Bytes; end: number } {
  let at = start;
  while (text[at] === ' ') at++;
  if (text[at] === "'") {
    const end = closingQuote(text, at);
    if (end < 0) throw new SyntaxProblem('a quote in the actions is not closed');
    const rest = /^\s*(?:,|$)/.exec(text.slice(end + 1));
    if (!rest) throw new SyntaxProblem(`after “${text.slice(start, end + 1)}” a comma is missing`);
    return { value: unescapeQuotes(text.slice(at + 1, end), "'"), end: end + 1 };
  }
  let end = at;
  while (end < text.length && text[end] !== ',') {
    // ctl:ruleRemoveTargetById=1;ARGS:'a,b' quotes only its end.
    const closing = text[end] === "'" ? closingQuote(text, end) : -1;
    end = closing < 0 ? end + 1 : closing + 1;
  }
  return { value: text.slice(at, end).trimEnd(), end };
}
