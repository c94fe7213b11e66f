import type { Violation } from './refusal';

/** Levels of lists and members; an OpenAPI document inside a policy has some dozens. */
const DEEPEST = 128;
/** Values in all: more than the largest document that is read can spell, and few enough to be gone through. */
const MOST_VALUES = 4_000_000;

/** RFC 6901 §3. */
export function jsonPointer(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/**
 * What stands against keeping a document at all, whatever its schema: Postgres takes no U+0000 and RFC 8785 no lone surrogate,
 * both of which JSON can spell; and whatever walks a document must come to its end, also one in which a part holds itself or
 * stands in many places.
 *
 * @param value as parsed
 * @returns the first place, or undefined
 */
export function documentFault(value: unknown): Violation | undefined {
  return new Walk().faultAt(value);
}

/** On its way through one document. */
class Walk {
  private readonly path: (string | number)[] = [];
  private left = MOST_VALUES;

  faultAt(value: unknown): Violation | undefined {
    if (this.left-- <= 0) return this.fault('too_large', `it has more than ${MOST_VALUES} values`);
    if (typeof value === 'string') return isStorable(value) ? undefined : this.unstorable();
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return undefined;
    if (this.path.length > DEEPEST) return this.fault('too_deep', `it nests deeper than ${DEEPEST} levels`);
    return Array.isArray(value) ? this.ofElements(value) : this.ofMembers(value as Readonly<Record<string, unknown>>);
  }

  private ofElements(elements: readonly unknown[]): Violation | undefined {
    for (let at = 0; at < elements.length; at++) {
      const fault = this.below(at, elements[at]);
      if (fault) return fault;
    }
    return undefined;
  }

  private ofMembers(members: Readonly<Record<string, unknown>>): Violation | undefined {
    for (const name of Object.keys(members)) {
      const fault = isStorable(name) ? this.below(name, members[name]) : this.unstorable();
      if (fault) return fault;
    }
    return undefined;
  }

  private below(step: string | number, value: unknown): Violation | undefined {
    this.path.push(step);
    const fault = this.faultAt(value);
    this.path.pop();
    return fault;
  }

  private unstorable(): Violation {
    return this.fault('unstorable', 'a text holds a character that cannot be stored');
  }

  private fault(code: string, detail: string): Violation {
    return { pointer: jsonPointer(this.path), code, detail };
  }
}

function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}
