import type { Document, LineCounter, Node, ParsedNode } from 'yaml';
import { z } from 'zod';
import { declarative, type Declarative, type DeclarativeInput } from './declarative';
import { documentFault, jsonPointer } from './document-fault';
import { nearestName } from './nearest-name';
import type { Violation } from './refusal';

/** What a configuration file may weigh, in UTF-16 code units; the admin API takes no larger body either. */
const MAX_DECLARATIVE_LENGTH = 5 * 1024 * 1024;

/** One fault of a file: where a person finds it, and where a program does. */
export interface FileFault extends Violation {
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

export type ParsedDeclarative =
  | { readonly document: Declarative; readonly source: DeclarativeInput; readonly faults: readonly [] }
  | { readonly document: undefined; readonly source: undefined; readonly faults: readonly FileFault[] };

/**
 * Reads a configuration file, YAML or JSON.
 *
 * @param text the whole file
 * @returns the document with its defaults (`document`) and as it was written (`source`, what `apply` sends), or every
 *   fault with line, column, JSON Pointer and, for an unknown name, the nearest known one.
 */
export async function parseDeclarative(text: string): Promise<ParsedDeclarative> {
  if (text.length > MAX_DECLARATIVE_LENGTH) {
    const detail = `the file is larger than ${MAX_DECLARATIVE_LENGTH} characters`;
    return refused([{ line: 1, column: 1, pointer: '', code: 'too_large', detail }]);
  }
  // Loaded here because only the command line and the tests read files; a gateway starts without a YAML parser.
  const yaml = await import('yaml');
  const lines = new yaml.LineCounter();
  const place = (offset: number): { line: number; column: number } => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  let parsed: Document.Parsed;
  let source: unknown;
  try {
    parsed = yaml.parseDocument(text, { lineCounter: lines, prettyErrors: false });
    // A tag or directive that means nothing here would be passed over with a warning.
    const complaints = [...parsed.errors, ...parsed.warnings];
    if (complaints.length > 0) {
      return refused(
        complaints.map(({ code, message, pos }) => ({
          ...place(pos[0]),
          pointer: '',
          code: code.toLowerCase(),
          detail: message,
        })),
      );
    }
    // Aliases of aliases count as often as they multiply: thousands of services may share what one of them says.
    source = parsed.toJS({ maxAliasCount: 10_000 });
  } catch (error) {
    // Nesting beyond the stack and alias bombs are thrown, not collected.
    const detail = `the file cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    return refused([{ line: 1, column: 1, pointer: '', code: 'unreadable', detail }]);
  }
  const checked = checkDeclarative(source);
  if (checked.document) return { document: checked.document, source: source as DeclarativeInput, faults: [] };
  return refused(
    checked.violations.map((violation) => ({ ...placeOf(parsed, lines, violation.pointer), ...violation })),
  );
}

/** `orders.yaml:12:5 /services/0/upstrem: unknown member “upstrem”; did you mean “upstream”?` */
export function describeFault(file: string, { line, column, pointer, detail }: FileFault): string {
  return `${file}:${line}:${column} ${pointer || '/'}: ${detail}`;
}

/** Writes a document as YAML: one spelling for one document, so that files can be compared by byte. */
export async function formatDeclarative(document: DeclarativeInput): Promise<string> {
  const yaml = await import('yaml');
  return yaml.stringify(document, { lineWidth: 120, aliasDuplicateObjects: false, defaultStringType: 'PLAIN' });
}

/** Checks a document that is parsed already, as the admin API receives it. */
export function checkDeclarative(
  source: unknown,
):
  | { readonly document: Declarative; readonly violations: readonly [] }
  | { readonly document: undefined; readonly violations: readonly Violation[] } {
  const fault = documentFault(source);
  if (fault) return { document: undefined, violations: [fault] };
  const result = declarative.safeParse(source, { reportInput: true });
  if (result.success) return { document: result.data, violations: [] };
  return { document: undefined, violations: violationsOf(result.error, declarative) };
}

/**
 * Turns what zod found into violations in our words; unknown members and values get the nearest name known there.
 *
 * @param error found with `reportInput`, else values get no hint
 * @param schema the schema that found them
 */
function violationsOf(error: z.ZodError, schema: z.ZodType): Violation[] {
  return error.issues.flatMap((issue) => violationsOfIssue(issue, [], schema));
}

function violationsOfIssue(issue: z.core.$ZodIssue, parents: readonly PropertyKey[], schema: z.ZodType): Violation[] {
  const path = [...parents, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    const known = membersAt(schema, path);
    return issue.keys.map((key) => ({
      pointer: jsonPointer([...path, key]),
      code: 'unknown_member',
      detail: `unknown member “${key}”${suggestion(key, known)}`,
    }));
  }
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    return likeliestBranch(issue.errors).flatMap((inner) => violationsOfIssue(inner, path, schema));
  }
  if (issue.code === 'invalid_type' && 'input' in issue && issue.input === undefined) {
    return [{ pointer: jsonPointer(path), code: 'missing', detail: 'the member is missing' }];
  }
  const hint =
    issue.code === 'invalid_value' && typeof issue.input === 'string'
      ? suggestion(issue.input, issue.values.map(String))
      : '';
  return [{ pointer: jsonPointer(path), code: issue.code, detail: `${issue.message}${hint}` }];
}

/** The branch of a union that the value came closest to: the one whose faults lie deepest. */
function likeliestBranch(branches: readonly (readonly z.core.$ZodIssue[])[]): readonly z.core.$ZodIssue[] {
  const depth = (issues: readonly z.core.$ZodIssue[]): number =>
    Math.max(
      ...issues.map(
        ({ path, code }) => path.length + (code === 'unrecognized_keys' ? 1 : code === 'invalid_type' ? 0 : 0.5),
      ),
    );
  return [...branches].sort((left, right) => depth(right) - depth(left))[0]!;
}

function suggestion(name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known);
  if (nearest !== undefined) return `; did you mean “${nearest}”?`;
  return known.length > 0 && known.length <= 20 ? `; known here: ${known.join(', ')}` : '';
}

/** Names of the members a schema knows at a path. */
function membersAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  const objects = path.reduce<z.ZodType[]>(
    (candidates, part) => candidates.flatMap((candidate) => stepInto(candidate, part)),
    unwrap(schema),
  );
  return objects.flatMap((candidate) => (candidate instanceof z.ZodObject ? Object.keys(candidate.shape) : []));
}

function stepInto(schema: z.ZodType, part: PropertyKey): z.ZodType[] {
  if (schema instanceof z.ZodObject) {
    const member = (schema.shape as Record<PropertyKey, z.ZodType | undefined>)[part];
    return member ? unwrap(member) : [];
  }
  if (schema instanceof z.ZodArray) return unwrap(schema.element as z.ZodType);
  if (schema instanceof z.ZodRecord) return unwrap(schema.valueType as z.ZodType);
  return [];
}

/** Takes defaults and options off; a union is each of its branches. */
function unwrap(schema: z.ZodType): z.ZodType[] {
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault
  ) {
    return unwrap(schema.unwrap() as z.ZodType);
  }
  if (schema instanceof z.ZodUnion) return schema.options.flatMap((option) => unwrap(option as z.ZodType));
  return [schema];
}

/** Where the node of a pointer stands; for a member that is missing, where its parent stands. */
function placeOf(parsed: Document.Parsed, lines: LineCounter, pointer: string): { line: number; column: number } {
  let node: unknown = parsed.contents;
  let offset = 0;
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    const child = childOf(node as ParsedNode | null, key);
    if (!child) break;
    offset = child.offset;
    node = child.node;
  }
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

/** A member is found at its key, an element at itself. */
function childOf(parent: ParsedNode | null, key: string): { node: unknown; offset: number } | undefined {
  const items: unknown = parent && 'items' in parent ? parent.items : undefined;
  if (!Array.isArray(items)) return undefined;
  const pair = (items as MapItem[]).find((item) => isPair(item) && String(item.key?.value) === key);
  if (pair) return { node: pair.value, offset: pair.key?.range?.[0] ?? 0 };
  const element = /^\d+$/.test(key) ? (items as (Node | null)[])[Number(key)] : undefined;
  return element && !isPair(element) ? { node: element, offset: element.range?.[0] ?? 0 } : undefined;
}

interface MapItem {
  readonly key?: (Node & { readonly value?: unknown }) | null;
  readonly value?: unknown;
}

function isPair(item: unknown): item is MapItem {
  return typeof item === 'object' && item !== null && 'key' in item;
}

function refused(faults: readonly FileFault[]): ParsedDeclarative {
  return { document: undefined, source: undefined, faults };
}
