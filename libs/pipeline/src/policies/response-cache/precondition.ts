import { fieldValue, type RawFields } from '@sallyport/proxy';
import { readHttpDate } from './http-date';

/** Weak comparison (RFC 9110 §8.8.3.2). */
export function sameTag(one: string, other: string): boolean {
  return one.replace(/^W\//, '') === other.replace(/^W\//, '');
}

/**
 * Whether a caller who says what it has already has this answer (RFC 9110 §13.1.2 and §13.1.3).
 * @param field of the request
 */
export function callerHasIt(
  status: number,
  fields: RawFields,
  field: ReadonlyMap<string, string>,
  now: number,
): boolean {
  if (status !== 200) return false;
  const tags = field.get('if-none-match');
  if (tags !== undefined) return namesTag(tags, fieldValue(fields, 'etag'));
  const since = readHttpDate(field.get('if-modified-since') ?? '', now);
  const modified = readHttpDate(fieldValue(fields, 'last-modified') ?? '', now);
  return since !== undefined && modified !== undefined && modified <= since;
}

function namesTag(tags: string, etag: string | undefined): boolean {
  if (tags.trim() === '*') return true;
  return etag !== undefined && (tags.match(/(?:W\/)?"[^"]*"/g) ?? []).some((tag) => sameTag(tag, etag));
}

/** A 304 speaks of the representation only as far as the caller needs it to refresh its own (RFC 9110 §15.4.5). */
export function notModifiedFields(fields: RawFields): RawFields {
  const kept: string[] = [];
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at]!;
    if (!name.startsWith('content-') || name === 'content-location') kept.push(name, fields[at + 1]!);
  }
  return kept;
}
