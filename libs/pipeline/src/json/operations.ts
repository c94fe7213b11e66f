import { z } from 'zod';
import { compileText, templateText, type TextTemplate } from '../text-template';
import type { PolicyInput } from '../policy';
import { arrayIndex, readPointer } from './pointer';
import { ExactNumber, exactOf, writeExactJson, type ExactJson } from './strict-json';

/** A place in a document, checked when the configuration is. */
export const pointerText = z
  .string()
  .max(1024)
  .refine((text) => readPointer(text) !== undefined, 'write a JSON Pointer such as /lines/0/sku');
const innerPointer = pointerText.refine((text) => text !== '', 'the whole document cannot be meant here');
const required = z.boolean().default(false);

/** What can be done to a document, one member naming it. */
export const jsonOperation = z.union([
  z.strictObject({ set: innerPointer, value: z.json() }),
  z.strictObject({ set: innerPointer, text: templateText }),
  z.strictObject({ remove: innerPointer, required }),
  z.strictObject({ rename: innerPointer, to: z.string().max(256), required }),
  z.strictObject({ move: innerPointer, to: innerPointer, required }),
  z.strictObject({ copy: innerPointer, to: innerPointer, required }),
  z.strictObject({ wrap: z.string().max(256) }),
  z.strictObject({ unwrap: innerPointer }),
]);
export type JsonOperation = z.output<typeof jsonOperation>;

/** Why a document is not what the operations were written for. */
export class NotTransformable {
  constructor(readonly reason: string) {}
}

/** @returns the document with all operations done to it, in their order. */
export type JsonTransform = (document: ExactJson, input: PolicyInput) => ExactJson | NotTransformable;

/** Values one document may gain by copying: two copies of a copy are four. */
const MAX_COPIED = 50_000;

interface Work {
  document: ExactJson;
  copied: number;
}

type Step = (work: Work, input: PolicyInput) => NotTransformable | undefined;

/** Compiles operations once; the document is changed in place. */
export function compileOperations(operations: readonly JsonOperation[]): JsonTransform {
  const steps = operations.map(compileOperation);
  return (document, input) => {
    const work: Work = { document, copied: 0 };
    for (const step of steps) {
      const fault = step(work, input);
      if (fault) return fault;
    }
    return work.document;
  };
}

function compileOperation(operation: JsonOperation): Step {
  if ('set' in operation)
    return setting(operation.set, 'text' in operation ? compileText(operation.text) : exactOf(operation.value));
  if ('remove' in operation) {
    const at = parts(operation.remove);
    return (work) => (take(work, at) === undefined && operation.required ? missing(operation.remove) : undefined);
  }
  if ('rename' in operation) return renaming(operation.rename, operation.to, operation.required);
  if ('move' in operation) {
    const [from, to] = [parts(operation.move), parts(operation.to)];
    return (work) => {
      const value = take(work, from);
      if (value === undefined) return operation.required ? missing(operation.move) : undefined;
      return put(work, to, value);
    };
  }
  if ('copy' in operation) {
    const [from, to] = [parts(operation.copy), parts(operation.to)];
    return (work) => {
      const value = find(work.document, from);
      if (value === undefined) return operation.required ? missing(operation.copy) : undefined;
      const copy = copied(value, work);
      return copy === undefined ? new NotTransformable('it would grow beyond bounds') : put(work, to, copy);
    };
  }
  if ('wrap' in operation) {
    const { wrap } = operation;
    return (work) => void (work.document = new Map([[wrap, work.document]]));
  }
  const at = parts(operation.unwrap);
  return (work) => {
    const value = find(work.document, at);
    if (value === undefined) return missing(operation.unwrap);
    work.document = value;
    return undefined;
  };
}

function setting(pointer: string, value: ExactJson | TextTemplate): Step {
  const at = parts(pointer);
  if (typeof value === 'function') return (work, input) => put(work, at, value(input, {}));
  // Each request gets its own, since a later operation may change it.
  return (work) => put(work, at, copied(value, { document: null, copied: 0 }) ?? null);
}

/** Keeps the place of the member among the others. */
function renaming(pointer: string, to: string, isRequired: boolean): Step {
  const at = parts(pointer);
  return (work) => {
    const parent = find(work.document, at.slice(0, -1));
    const name = at.at(-1)!;
    if (!(parent instanceof Map) || !parent.has(name)) return isRequired ? missing(pointer) : undefined;
    const members = [...parent].filter(([other]) => other !== to || other === name);
    parent.clear();
    for (const [other, value] of members) parent.set(other === name ? to : other, value);
    return undefined;
  };
}

function parts(pointer: string): readonly string[] {
  return readPointer(pointer)!;
}

function missing(pointer: string): NotTransformable {
  return new NotTransformable(`there is nothing at ${pointer}`);
}

/** @returns what stands at a place; undefined where nothing does. */
export function find(document: ExactJson, at: readonly string[]): ExactJson | undefined {
  let value: ExactJson | undefined = document;
  for (const part of at) {
    if (value instanceof Map) value = value.get(part);
    else if (Array.isArray(value)) value = value[arrayIndex(part)];
    else return undefined;
  }
  return value;
}

function take(work: Work, at: readonly string[]): ExactJson | undefined {
  const parent = find(work.document, at.slice(0, -1));
  const name = at.at(-1)!;
  if (parent instanceof Map) {
    const value = parent.get(name);
    parent.delete(name);
    return value;
  }
  const index = Array.isArray(parent) ? arrayIndex(name) : -1;
  return index >= 0 ? (parent as ExactJson[]).splice(index, 1)[0] : undefined;
}

/** Makes the objects on the way that are missing; a list takes an index it has, its length, or `-` for its end. */
function put(work: Work, at: readonly string[], value: ExactJson): NotTransformable | undefined {
  let parent: ExactJson = work.document;
  for (const [depth, part] of at.entries()) {
    const isLast = depth === at.length - 1;
    if (parent instanceof Map) {
      if (isLast) parent.set(part, value);
      const next: ExactJson = parent.get(part) ?? new Map();
      if (!isLast && !parent.get(part)) parent.set(part, next);
      parent = next;
    } else if (Array.isArray(parent)) {
      const index = part === '-' ? parent.length : arrayIndex(part);
      if (index < 0 || index > parent.length || (!isLast && index === parent.length))
        return new NotTransformable(`a list has no place ${part.slice(0, 40)}`);
      if (isLast) parent[index] = value;
      parent = parent[index]!;
    } else return new NotTransformable('a value stands where an object is expected');
  }
  return undefined;
}

function copied(value: ExactJson, work: Work): ExactJson | undefined {
  work.copied += 1;
  if (work.copied > MAX_COPIED) return undefined;
  if (value instanceof Map) {
    const made = new Map<string, ExactJson>();
    for (const [name, member] of value) {
      const copy = copied(member, work);
      if (copy === undefined) return undefined;
      made.set(name, copy);
    }
    return made;
  }
  if (!Array.isArray(value)) return value;
  const made: ExactJson[] = [];
  for (const item of value) {
    const copy = copied(item, work);
    if (copy === undefined) return undefined;
    made.push(copy);
  }
  return made;
}

/** A value as a text: strings as they are, everything else as JSON. */
export function textOf(value: ExactJson): string {
  if (typeof value === 'string') return value;
  return value instanceof ExactNumber ? value.text : writeExactJson(value);
}

/** A form as a document: each name a text, or a list of texts where it stands more than once. */
export function documentOfForm(form: ReadonlyMap<string, readonly string[]>): ExactJson {
  return new Map([...form].map(([name, texts]) => [name, texts.length === 1 ? texts[0]! : [...texts]]));
}

/** A document as a form, where it is an object of plain values and lists of them. */
export function formOfDocument(document: ExactJson): string | NotTransformable {
  if (!(document instanceof Map)) return new NotTransformable('only an object can become a form');
  const pairs: string[] = [];
  for (const [name, value] of document) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item instanceof Map || Array.isArray(item))
        return new NotTransformable('a form has no members within members');
      pairs.push(`${formText(name)}=${formText(item === null ? '' : textOf(item))}`);
    }
  }
  return pairs.join('&');
}

function formText(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replaceAll('%20', '+');
}
