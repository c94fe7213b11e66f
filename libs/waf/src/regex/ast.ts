import type { ByteSet, Bytes } from '../bytes';

/** Places between bytes. What `^` and `$` mean was decided when the pattern was read. */
export const enum Place {
  /** `\A`, and `^` of a single line. */
  TextStart,
  /** `^` of several lines: the start, or after a line feed that is not the last byte. */
  LineStart,
  /** `\z` */
  TextEnd,
  /** `\Z`, and `$` of a single line: the end, or before a line feed that is the last byte. */
  FinalEnd,
  /** `$` of several lines: the end, or before any line feed. */
  LineEnd,
  WordBoundary,
  NoWordBoundary,
}

export interface Look {
  readonly kind: 'look';
  readonly body: Syntax;
  readonly behind: boolean;
  readonly negative: boolean;
}

/** A pattern, read. */
export type Syntax =
  | { readonly kind: 'sequence'; readonly parts: readonly Syntax[] }
  | { readonly kind: 'choice'; readonly options: readonly Syntax[] }
  | { readonly kind: 'bytes'; readonly set: ByteSet }
  | { readonly kind: 'place'; readonly place: Place }
  | { readonly kind: 'group'; readonly number: number; readonly body: Syntax }
  | { readonly kind: 'atomic'; readonly body: Syntax }
  /** Takes no byte, and holds where none of the set follows. */
  | { readonly kind: 'unfollowed'; readonly set: ByteSet }
  | {
      readonly kind: 'repeat';
      readonly body: Syntax;
      readonly least: number;
      /** Infinity: no bound. */
      readonly most: number;
      readonly lazy: boolean;
    }
  | { readonly kind: 'reference'; readonly group: number; readonly folded: boolean }
  | Look;

/**
 * A part that gives nothing back of what it took. A loop over bytes of one set has taken all there are where none of the set
 * follows, so that an automaton can tell; other parts must be tried.
 */
export function keeping(body: Syntax): Syntax {
  const takesAll = body.kind === 'repeat' && body.body.kind === 'bytes' && body.most === Infinity && !body.lazy;
  if (!takesAll) return { kind: 'atomic', body };
  return { kind: 'sequence', parts: [body, { kind: 'unfollowed', set: body.body.set }] };
}

export const empty: Syntax = { kind: 'sequence', parts: [] };

/** Whether some way through a pattern takes no byte; whatever a reference may stand for may be empty. */
export function mayBeEmpty(syntax: Syntax): boolean {
  switch (syntax.kind) {
    case 'sequence':
      return syntax.parts.every(mayBeEmpty);
    case 'choice':
      return syntax.options.some(mayBeEmpty);
    case 'bytes':
      return false;
    case 'group':
    case 'atomic':
      return mayBeEmpty(syntax.body);
    case 'repeat':
      return syntax.least === 0 || mayBeEmpty(syntax.body);
    default:
      return true;
  }
}

/** Whether a part for which the question is answered with yes is anywhere in a pattern. */
export function contains(syntax: Syntax, asks: (part: Syntax) => boolean): boolean {
  return asks(syntax) || partsOf(syntax).some((part) => contains(part, asks));
}

export function partsOf(syntax: Syntax): readonly Syntax[] {
  switch (syntax.kind) {
    case 'sequence':
      return syntax.parts;
    case 'choice':
      return syntax.options;
    case 'group':
    case 'atomic':
    case 'look':
    case 'repeat':
      return [syntax.body];
    default:
      return [];
  }
}

/** The same pattern with the innermost parts replaced first. */
export function rewrite(syntax: Syntax, replace: (part: Syntax) => Syntax): Syntax {
  switch (syntax.kind) {
    case 'sequence':
      return replace({ kind: 'sequence', parts: syntax.parts.map((part) => rewrite(part, replace)) });
    case 'choice':
      return replace({ kind: 'choice', options: syntax.options.map((option) => rewrite(option, replace)) });
    case 'group':
    case 'atomic':
    case 'look':
    case 'repeat':
      return replace({ ...syntax, body: rewrite(syntax.body, replace) });
    default:
      return replace(syntax);
  }
}

/** A pattern that cannot be read, or not be answered. */
export class RegexError extends Error {
  /** @param at bytes before the place in the pattern */
  constructor(
    problem: string,
    readonly at: number,
    source: Bytes,
  ) {
    super(`${problem}, at byte ${at}: ${source.slice(0, at).slice(-20)}<here>${source.slice(at, at + 20)}`);
  }
}
