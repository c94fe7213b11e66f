import { z } from 'zod';
import type { PathParameters } from './path-template';
import type { PolicyInput } from './policy';

/** What a text in a configuration may refer to. Anonymous callers have empty names. */
const sources: Readonly<Record<string, (input: PolicyInput) => string>> = {
  request_id: ({ exchange }) => exchange.requestId,
  consumer: ({ exchange }) => exchange.principal?.consumer ?? '',
  subject: ({ exchange }) => exchange.principal?.subject ?? '',
  client: ({ exchange }) => exchange.principal?.client ?? '',
  tenant: ({ exchange }) => exchange.principal?.tenant ?? exchange.route.tenant,
  address: ({ request }) => request.clientAddress,
  method: ({ request }) => request.method,
  path: ({ request }) => request.path,
  query: ({ request }) => request.query,
  host: ({ request }) => request.authority,
  scheme: ({ request }) => request.scheme,
  route: ({ exchange }) => exchange.route.id,
  service: ({ exchange }) => exchange.route.service,
  version: ({ exchange }) => exchange.route.version,
};

/** A text with its references compiled. */
export type TextTemplate = (input: PolicyInput, parameters: PathParameters) => string;

const FIELD = 'header.';
const REFERENCE = /\{([a-z][a-z0-9_.-]{0,70})\}/g;

/** @returns the names a text refers to. */
export function referencesIn(text: string): string[] {
  return [...text.matchAll(REFERENCE)].map((match) => match[1]!);
}

/** Texts of operations that put one somewhere. */
export function textsOf(operations: readonly object[]): string[] {
  return operations.flatMap((operation) => ('text' in operation ? [String(operation.text)] : []));
}

/** Fields of the request that texts refer to. */
export function fieldsReferredTo(texts: readonly string[]): string[] {
  const names = texts.flatMap(referencesIn).filter((name) => name.startsWith(FIELD));
  return names.map((name) => name.slice(FIELD.length));
}

/**
 * @param parameters names beside the fixed ones that may be referred to, as `{param.name}`.
 * @returns what is wrong with the text, or undefined.
 */
export function textTemplateFault(text: string, parameters: readonly string[] = []): string | undefined {
  if (/[\x00-\x08\x0a-\x1f\x7f]/.test(text)) return 'a control character stands in the text';
  const left = text.replace(REFERENCE, '');
  if (/[{}]/.test(left)) return 'a brace stands for nothing; references are written {name}';
  const unknown = referencesIn(text).find(
    (name) =>
      !Object.hasOwn(sources, name) && !name.startsWith(FIELD) && !parameters.includes(name.replace(/^param\./, '')),
  );
  const known = [...Object.keys(sources), 'header.<name>', ...parameters.map((name) => `param.${name}`)];
  return unknown === undefined ? undefined : `{${unknown}} is not known; there are ${known.join(', ')}`;
}

/** Compiles a text that has no fault. */
export function compileText(text: string): TextTemplate {
  const parts: (string | TextTemplate)[] = [];
  let from = 0;
  for (const match of text.matchAll(REFERENCE)) {
    if (match.index > from) parts.push(text.slice(from, match.index));
    parts.push(sourceOf(match[1]!));
    from = match.index + match[0].length;
  }
  if (from < text.length || parts.length === 0) parts.push(text.slice(from));
  const [only] = parts;
  if (parts.length === 1) return typeof only === 'string' ? () => only : only!;
  return (input, parameters) =>
    parts.reduce<string>((made, part) => made + (typeof part === 'string' ? part : part(input, parameters)), '');
}

function sourceOf(name: string): TextTemplate {
  const fixed = sources[name];
  if (Object.hasOwn(sources, name)) return (input) => fixed!(input);
  if (name.startsWith(FIELD)) {
    const field = name.slice(FIELD.length);
    return ({ request }) => request.field.get(field) ?? '';
  }
  const parameter = name.replace(/^param\./, '');
  return (_input, parameters) => parameters[parameter] ?? '';
}

/** A text of a configuration that may refer to the request. */
export const templateText = z
  .string()
  .max(4096)
  .superRefine((text, context) => {
    const fault = textTemplateFault(text);
    // A reference to a parameter is judged where the parameters are known.
    if (fault !== undefined && !fault.startsWith('{param.'))
      context.addIssue({ code: 'custom', message: fault, input: text });
  });
