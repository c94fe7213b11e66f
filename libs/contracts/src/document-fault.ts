import type { Violation } from './refusal';

/** Levels of lists and members; an OpenAPI document inside a policy has some dozens. */
const DEEPEST = 128;

/** RFC 6901 §3. */
export function jsonPointer(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/**
 * What stands against keeping a document at all, whatever its schema: Postgres takes no U+0000 and RFC 8785 no lone surrogate,
 * both of which JSON can spell; and whatever walks a document must come to its end, also one in which a part holds itself.
 *
 * @param value as parsed
 * @returns the first place, or undefined
 */
export function documentFault(value: unknown): Violation | undefined {
  return faultAt(value, []);
}

function faultAt(value: unknown, path: readonly PropertyKey[]): Violation | undefined {
  if (typeof value === 'string') return isStorable(value) ? undefined : unstorable(path);
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return undefined;
  if (path.length > DEEPEST) {
    return { pointer: jsonPointer(path), code: 'too_deep', detail: `it nests deeper than ${DEEPEST} levels` };
  }
  for (const [name, member] of Object.entries(value)) {
    if (!isStorable(name)) return unstorable(path);
    const fault = faultAt(member, [...path, name]);
    if (fault) return fault;
  }
  return undefined;
}

function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

function unstorable(path: readonly PropertyKey[]): Violation {
  return { pointer: jsonPointer(path), code: 'unstorable', detail: 'a text holds a character that cannot be stored' };
}
