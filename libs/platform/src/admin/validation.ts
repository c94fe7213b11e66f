import type { ArgumentMetadata, PipeTransform } from '@nestjs/common';
import { refuse, RefusalError, type Violation } from '@sallyport/contracts';
import { z } from 'zod';

/** Reads every parameter whose type was made by `createZodDto`; what breaks the schema is refused as `SCHEMA_VIOLATION`. */
export class SchemaPipe implements PipeTransform {
  transform(value: unknown, { metatype }: ArgumentMetadata): unknown {
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
  const violations = result.error.issues.flatMap(violationsOf);
  const [first] = violations;
  const place = first!.pointer === '' ? 'the document' : first!.pointer;
  throw new RefusalError(refuse('SCHEMA_VIOLATION', { reason: `${place}: ${first!.detail}` }), violations);
}

/** An issue about unknown members is one violation for each of them, so that every pointer leads to its member. */
function violationsOf(issue: z.core.$ZodIssue): Violation[] {
  if (issue.code !== 'unrecognized_keys') {
    return [{ pointer: pointerOf(issue.path), code: issue.code, detail: lowerFirst(issue.message) }];
  }
  return issue.keys.map((key) => ({
    pointer: pointerOf([...issue.path, key]),
    code: issue.code,
    detail: 'unknown member',
  }));
}

/** RFC 6901 §3. */
function pointerOf(path: readonly PropertyKey[]): string {
  return path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

function lowerFirst(sentence: string): string {
  return sentence.charAt(0).toLowerCase() + sentence.slice(1);
}
