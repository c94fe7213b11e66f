import type { Bytes } from './bytes';
import { compileRegex } from './regex/compile-regex';
import type { Pattern } from './regex/pattern';
import type { Target, TargetFilter } from './rule-set';
import { parseTarget, SyntaxProblem } from './seclang/parser';
import type { TargetText } from './seclang/syntax';
import { foldName } from './variables/fold-name';
import { variableNumber, variables } from './variables/registry';

/**
 * Resolves a variable of a rule's list.
 * @throws SyntaxProblem where there is no such variable, or none that a selector could pick from
 */
export function targetOf(text: TargetText, multiline: boolean): Target {
  const name = text.variable === 'XML' ? xmlPath(text) : text.variable;
  const variable = variableNumber(name);
  if (variable === undefined) throw new SyntaxProblem(`there is no variable ${name}`);
  const selector = text.variable === 'XML' ? undefined : text.selector;
  if (selector !== undefined && !variables[variable]!.hasMembers) {
    throw new SyntaxProblem(`${name} has no members that “${selector}” could pick`);
  }
  return {
    variable,
    text: textOf(text),
    member: selector === undefined || text.isPattern ? undefined : foldName(selector),
    pattern: selector !== undefined && text.isPattern ? patternOf(selector, multiline) : undefined,
    counted: text.counted,
  };
}

/**
 * Reads what `ctl:ruleRemoveTargetById` and exclusions name: `ARGS`, `ARGS:json.query`, `ARGS:/^json\\./`.
 * @throws SyntaxProblem
 */
export function filterOf(text: Bytes, multiline = true): TargetFilter {
  const target = parseTarget(text);
  if (target.counted || target.excluded) throw new SyntaxProblem(`“${text}” is no variable`);
  return targetOf(target, multiline);
}

/** @returns what is wrong with the target of an exclusion, or undefined */
export function targetFault(text: Bytes): string | undefined {
  try {
    filterOf(text);
    return undefined;
  } catch (error) {
    if (error instanceof SyntaxProblem) return error.message;
    throw error;
  }
}

/** Patterns that pick members ignore letter case, as names do. */
function patternOf(source: Bytes, multiline: boolean): Pattern {
  try {
    return compileRegex(`(?i)${source}`, { multiline });
  } catch (error) {
    throw new SyntaxProblem(`the selector /${source}/ is no pattern: ${(error as Error).message}`);
  }
}

function xmlPath({ selector }: TargetText): string {
  if (selector === undefined) throw new SyntaxProblem('XML needs a path: XML:/* or XML://@*');
  if (selector !== '/*' && selector !== '//@*') {
    throw new SyntaxProblem(
      `of an XML document rules see the text (XML:/*) and the attributes (XML://@*), not ${selector}`,
    );
  }
  return `XML:${selector}`;
}

function textOf({ variable, selector, isPattern }: TargetText): Bytes {
  const member = selector === undefined ? '' : isPattern ? `:/${selector}/` : `:${selector}`;
  return `${variable}${member}`;
}
