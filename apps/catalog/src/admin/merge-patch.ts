import type { FastifyInstance } from 'fastify';

/** RFC 7396 §4. */
export const MERGE_PATCH = 'application/merge-patch+json';

/** Has merge patches read as the JSON they are. */
export function readMergePatches(instance: FastifyInstance): void {
  const parser = instance.getDefaultJsonParser('error', 'error');
  instance.addContentTypeParser(MERGE_PATCH, { parseAs: 'string' }, parser);
}

type Members = Record<string, unknown>;

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** JSON Merge Patch (RFC 7396 §2). Neither argument is changed. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const merged = new Map(Object.entries(isObject(target) ? target : {}));
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) merged.delete(name);
    else merged.set(name, mergePatch(merged.get(name), value));
  }
  // fromEntries defines members, so `__proto__` is a name like any other.
  return Object.fromEntries(merged);
}
