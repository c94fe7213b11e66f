import type { Json } from '@sallyport/contracts';

/** One operation of a JSON Patch (RFC 6902). */
export type PatchOperation =
  | { readonly op: 'add' | 'replace'; readonly path: string; readonly value: Json }
  | { readonly op: 'remove'; readonly path: string };

type Members = { readonly [name: string]: Json | undefined };

/**
 * What turns `before` into `after`, member by member; an array that differs is replaced whole, because a reader of the
 * record wants to see it whole. `undefined` stands for a document that is not there.
 */
export function patchBetween(before: Json | undefined, after: Json | undefined): PatchOperation[] {
  const operations: PatchOperation[] = [];
  compare(before, after, '', operations);
  return operations;
}

function compare(before: Json | undefined, after: Json | undefined, path: string, into: PatchOperation[]): void {
  if (after === undefined) {
    if (before !== undefined) into.push({ op: 'remove', path });
  } else if (before === undefined) {
    into.push({ op: 'add', path, value: after });
  } else if (isMembers(before) && isMembers(after)) {
    for (const name of [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()) {
      compare(member(before, name), member(after, name), `${path}/${escapeToken(name)}`, into);
    }
  } else if (!isEqual(before, after)) {
    into.push({ op: 'replace', path, value: after });
  }
}

/** A document may have a member called `toString`, and may lack it. */
function member(members: Members, name: string): Json | undefined {
  return Object.hasOwn(members, name) ? members[name] : undefined;
}

function isMembers(value: Json): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isEqual(left: Json, right: Json): boolean {
  if (left === right) return true;
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((item, index) => isEqual(item as Json, right[index] as Json));
  }
  if (!isMembers(left) || !isMembers(right)) return false;
  return patchBetween(left, right).length === 0;
}

/** RFC 6901 §3 */
function escapeToken(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}
