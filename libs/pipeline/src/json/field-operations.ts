import { z } from 'zod';
import { isEditable, type FieldDraft } from '../draft';
import type { PolicyInput } from '../policy';
import { compileText, templateText } from '../text-template';
import { find, pointerText, textOf } from './operations';
import { readPointer } from './pointer';
import type { ExactJson } from './strict-json';

const fieldName = z
  .string()
  .transform((name) => name.toLowerCase())
  .refine(isEditable, 'this field is not for policies to edit');

/** What can be done to the fields of a head whose body is read as a document, one member naming it. */
export const fieldOperations = z
  .array(
    z.union([
      z.strictObject({ set: fieldName, text: templateText }),
      z.strictObject({ set: fieldName, body: pointerText }),
      z.strictObject({ remove: fieldName }),
    ]),
  )
  .max(64)
  .default([]);

/** Where a text comes from: a template, or a place in the document. */
export type SourceText = { readonly text: string } | { readonly body: string };

/** @returns undefined where the document, or the place in it, is not there. */
export type Source = (input: PolicyInput, document: ExactJson | undefined) => string | undefined;

export function compileSource(given: SourceText): Source {
  if ('text' in given) {
    const text = compileText(given.text);
    return (input) => text(input, {});
  }
  const at = readPointer(given.body)!;
  return (_, document) => {
    const found = document === undefined ? undefined : find(document, at);
    return found === undefined ? undefined : textOf(found);
  };
}

/** Edits a head. */
export type HeadStep<Draft> = (draft: Draft, input: PolicyInput, document: ExactJson | undefined) => void;

/**
 * @param absent what becomes of a field whose source is not there: whoever is sent it takes it for the gateway's, so one that
 * came from a caller goes
 */
export function compileFieldOperations(
  operations: z.output<typeof fieldOperations>,
  absent: 'keep' | 'remove' = 'keep',
): HeadStep<{ readonly fields: FieldDraft }>[] {
  return operations.map((operation) => {
    if ('remove' in operation) return ({ fields }) => fields.remove(operation.remove);
    const source = compileSource(operation);
    return ({ fields }, input, document) => {
      const text = source(input, document);
      if (text !== undefined) fields.set(operation.set, text);
      else if (absent === 'remove') fields.remove(operation.set);
    };
  });
}
