import { canonicalPath } from '@sallyport/proxy';

/** Values of the named segments of a path, still escaped as they stood there. */
export type PathParameters = Readonly<Record<string, string>>;

/** A path pattern compiled: whole segments, `{name}` for one of any value, `{name*}` at the end for all that is left. */
export interface PathTemplate {
  readonly names: readonly string[];
  /** Literal segments before the first parameter count most: of two templates that match, the higher one is meant. */
  readonly rank: number;
  /** @returns the parameters, or undefined when the path does not match. */
  match(path: string): PathParameters | undefined;
}

const LITERAL = /^[A-Za-z0-9._~!$&'()+,;=:@%-]*$/;
const PARAMETER = /^\{([a-z][a-z0-9_]{0,31})(\*?)\}$/;

type Segment =
  { readonly kind: 'literal'; readonly text: string } | { readonly kind: 'one' | 'rest'; readonly name: string };

/** @returns what is wrong with the text, or undefined. */
export function pathTemplateFault(text: string): string | undefined {
  if (!text.startsWith('/')) return 'a path template begins with a slash';
  const names: string[] = [];
  const parts = text.slice(1).split('/');
  for (const [at, part] of parts.entries()) {
    const parameter = PARAMETER.exec(part);
    if (!parameter && !LITERAL.test(part)) return `“${part}” is neither a literal segment nor {name}`;
    if (!parameter) continue;
    if (names.includes(parameter[1]!)) return `{${parameter[1]}} stands there twice`;
    if (parameter[2] === '*' && at !== parts.length - 1) return 'only the last segment takes the rest of the path';
    names.push(parameter[1]!);
  }
  return undefined;
}

/** Compiles a template that has no fault. */
export function compilePathTemplate(text: string): PathTemplate {
  const segments = text.slice(1).split('/').map(readSegment);
  const names = segments.flatMap((segment) => (segment.kind === 'literal' ? [] : [segment.name]));
  const rank = segments.reduce((sum, { kind }) => sum * 3 + { literal: 2, one: 1, rest: 0 }[kind], 1);
  const takesRest = segments.at(-1)?.kind === 'rest';
  return {
    names,
    rank,
    match(path) {
      const parts = path.slice(1).split('/');
      if (takesRest ? parts.length < segments.length : parts.length !== segments.length) return undefined;
      const found: Record<string, string> = {};
      for (const [at, segment] of segments.entries()) {
        const part = parts[at]!;
        if (segment.kind === 'literal') {
          if (segment.text !== part) return undefined;
        } else {
          const value = segment.kind === 'rest' ? parts.slice(at).join('/') : part;
          if (value === '') return undefined;
          found[segment.name] = value;
        }
      }
      return found;
    },
  };
}

function readSegment(part: string): Segment {
  const parameter = PARAMETER.exec(part);
  if (!parameter) return { kind: 'literal', text: part };
  return { kind: parameter[2] === '*' ? 'rest' : 'one', name: parameter[1]! };
}

/**
 * Text within a segment as paths of requests have it: in its one spelling (RFC 3986 §6.2.2), what may not stand bare in a path
 * being escaped as UTF-8.
 * @param text of a description, where people write `café`
 */
export function spelledAsInPaths(text: string): string {
  const escaped = text.toWellFormed().replace(/[^\x21-\x7e]+/g, encodeURIComponent);
  const canonical = canonicalPath(`/${escaped}`);
  // What has no single spelling is in no path either.
  return 'fault' in canonical ? escaped : canonical.path.slice(1);
}
