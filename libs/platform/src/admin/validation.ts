import type { ArgumentMetadata, PipeTransform } from '@nestjs/common';
import { documentFault, jsonPointer, refuse, RefusalError, type Violation } from '@sallyport/contracts';
import { z } from 'zod';

/** Reads every parameter whose type was made by `createZodDto`; what breaks the schema is refused as `SCHEMA_VIOLATION`. */
export class SchemaPipe implements PipeTransform {
  transform(value: unknown, { metatype, type }: ArgumentMetadata): unknown {
    // Also of a body that its handler reads itself: a merge patch is walked before it meets a schema.
    if (type === 'body') requireSound(value);
    const schema = (metatype as { schema?: unknown } | undefined)?.schema;
    return schema instanceof z.ZodType ? readAs(schema, value) : value;
  }
}

/**
 * Reads a value by its schema.
 * @throws RefusalError `SCHEMA_VIOLATION` with one violation for each place.
 */
export function readAs<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw refused(result.error.issues.flatMap(violationsOf));
}

function requireSound(value: unknown): void {
  const fault = documentFault(value);
  if (fault) throw refused([fault]);
}

function refused(violations: readonly Violation[]): RefusalError {
  const { pointer, detail } = violations[0]!;
  const reason = `${pointer === '' ? 'the document' : pointer}: ${detail}`;
  return new RefusalError(refuse('SCHEMA_VIOLATION', { reason }), violations);
}

/** An issue about unknown members is one violation for each of them, so that every pointer leads to its member. */
function violationsOf(issue: z.core.$ZodIssue): Violation[] {
  if (issue.code !== 'unrecognized_keys') {
    return [{ pointer: jsonPointer(issue.path), code: issue.code, detail: lowerFirst(issue.message) }];
  }
  return issue.keys.map((key) => ({
    pointer: jsonPointer([...issue.path, key]),
    code: issue.code,
    detail: 'unknown member',
  }));
}

function lowerFirst(sentence: string): string {
  return sentence.charAt(0).toLowerCase() + sentence.slice(1);
}
