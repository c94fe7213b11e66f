import { canonicalJson, type Json } from '@sallyport/contracts';
import { z } from 'zod';

/**
 * Takes out of a document what its schema would put in again, and lays members out in the order of the schema.
 * Parsing the result gives the document that was handed in.
 */
export function withoutDefaults(schema: z.ZodType, document: object): object {
  return spare(schema, document) as object;
}

function spare(schema: z.ZodType, value: unknown): unknown {
  if (value === undefined) return undefined;
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return same(schema.parse(undefined), value) ? undefined : spare(schema.unwrap() as z.ZodType, value);
  }
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) {
    return value === null ? null : spare(schema.unwrap() as z.ZodType, value);
  }
  if (schema instanceof z.ZodUnion) {
    const branch = schema.options.find((option) => (option as z.ZodType).safeParse(value).success);
    return branch ? spare(branch as z.ZodType, value) : value;
  }
  if (schema instanceof z.ZodArray) {
    return (value as unknown[]).map((element) => spare(schema.element as z.ZodType, element));
  }
  return schema instanceof z.ZodObject ? spareMembers(schema, value as Record<string, unknown>) : value;
}

function spareMembers(schema: z.ZodObject, value: Record<string, unknown>): object {
  const members = Object.entries(schema.shape)
    .map(([name, member]) => [name, spare(member as z.ZodType, value[name])] as const)
    .filter(([, member]) => member !== undefined);
  return Object.fromEntries(members);
}

function same(left: unknown, right: unknown): boolean {
  return canonicalJson(left as Json) === canonicalJson(right as Json);
}
