import type { Bytes } from '../bytes';
import type { MacroText } from '../operators/operator';
import { foldName } from '../variables/fold-name';
import { SyntaxProblem } from './parser';

/** One macro: `%{request_headers.host}` */
export interface MacroReference {
  /** Upper case. */
  readonly variable: string;
  /** In lower case; undefined for a variable without members. */
  readonly member: Bytes | undefined;
}

/** A text cut into what stands and what is filled in. */
export interface Macro extends MacroText {
  readonly parts: readonly (Bytes | MacroReference)[];
}

const MACRO = /%\{([^{}%]+)\}/g;
const REFERENCE = /^([A-Za-z_][A-Za-z0-9_]*)(?:[.:]([^]*))?$/;

/**
 * Cuts a text at its macros.
 * @param knows whether there is such a variable, by its name in upper case
 * @throws SyntaxProblem at a macro of a variable that does not exist
 */
export function parseMacro(text: Bytes, knows: (variable: string) => boolean): Macro {
  const parts: (Bytes | MacroReference)[] = [];
  let from = 0;
  for (const match of text.matchAll(MACRO)) {
    const reference = REFERENCE.exec(match[1]!.trim());
    const variable = reference?.[1]!.toUpperCase();
    if (!reference || !knows(variable!)) throw new SyntaxProblem(`the macro ${match[0]} names no variable`);
    if (match.index > from) parts.push(text.slice(from, match.index));
    parts.push({ variable: variable!, member: reference[2] === undefined ? undefined : foldName(reference[2]) });
    from = match.index + match[0].length;
  }
  if (parts.length === 0) return { constant: text, parts: [text] };
  if (from < text.length) parts.push(text.slice(from));
  return { constant: undefined, parts };
}
