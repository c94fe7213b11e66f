import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isScalar, parseAllDocuments, visit, type Document } from 'yaml';

/** What a stage sends. Texts are UTF-8, as they are in the file. */
export interface StageInput {
  readonly method: string;
  readonly uri: string;
  readonly version: string;
  /** In the order of the file. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly data: string | undefined;
  /** Base64 of the body. */
  readonly encodedData: string | undefined;
  /** Base64 of the whole request, which nothing is added to. */
  readonly encodedRequest: string | undefined;
  readonly autocompleteHeaders: boolean;
}

/** What must hold after a stage, all of it. */
export interface StageOutput {
  readonly status: readonly number[];
  readonly responseContains: string | undefined;
  readonly expectIds: readonly number[];
  readonly noExpectIds: readonly number[];
  readonly matchRegex: string | undefined;
  readonly noMatchRegex: string | undefined;
  readonly expectError: boolean | undefined;
  readonly isolated: boolean;
  readonly retryOnce: boolean;
}

export interface Stage {
  readonly input: StageInput;
  readonly output: StageOutput;
}

export interface TestCase {
  /** `920100-4` */
  readonly id: string;
  readonly file: string;
  readonly stages: readonly Stage[];
}

type Node = Readonly<Record<string, unknown>>;

/**
 * Reads tests of go-ftw, of every version of its schema: `test_title` and `test_id`, `stages` with and without a `stage`
 * inside, `log_contains` and `log`, `stop_magic` and `autocomplete_headers`. What is not known is passed over.
 * @param folder searched with all folders below it
 */
export function readTests(folder: string): TestCase[] {
  return yamlFiles(folder).flatMap((file) => testsOf(readFileSync(file, 'utf8'), file));
}

function yamlFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.ya?ml$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** @param file names the tests where they do not name themselves */
export function testsOf(text: string, file: string): TestCase[] {
  // Every scalar stays the text it was written as: `version: 1.10` is no number here.
  const documents = parseAllDocuments(text, { schema: 'failsafe', merge: true, logLevel: 'silent' });
  return [...documents].flatMap((document) => {
    if (document.errors.length > 0) throw new Error(`${file}: ${document.errors[0]!.message}`);
    return testsOfDocument(withoutNulls(document), file);
  });
}

/** `uri:` with nothing behind it is as good as no `uri`. */
function withoutNulls(document: Document): Node {
  visit(document, {
    Pair: (_, { value }) =>
      isScalar(value) && value.type === 'PLAIN' && value.source === '' ? visit.REMOVE : undefined,
  });
  return nodeOf(document.toJS());
}

function testsOfDocument(root: Node, file: string): TestCase[] {
  if (textOf(nodeOf(root['meta'])['enabled']) === 'false') return [];
  const rule = textOf(root['rule_id']) ?? /\d+/.exec(basename(file))?.[0] ?? basename(file);
  return listOf(root['tests']).map((test, index) => ({
    id: idOf(nodeOf(test), rule, index),
    file,
    stages: listOf(nodeOf(test)['stages']).map(stageOf),
  }));
}

function idOf(test: Node, rule: string, index: number): string {
  const number = textOf(test['test_id']);
  return number === undefined ? (textOf(test['test_title']) ?? `${rule}-${index + 1}`) : `${rule}-${number}`;
}

function stageOf(written: unknown): Stage {
  const stage = nodeOf(nodeOf(written)['stage'] ?? written);
  return { input: inputOf(nodeOf(stage['input'])), output: outputOf(nodeOf(stage['output'])) };
}

function inputOf(input: Node): StageInput {
  const stopMagic = textOf(input['stop_magic']) === 'true';
  return {
    method: textOf(input['method']) ?? 'GET',
    uri: textOf(input['uri']) ?? '/',
    version: textOf(input['version']) ?? 'HTTP/1.1',
    headers: headersOf(input['ordered_headers'] ?? input['headers']),
    data: dataOf(input['data']),
    encodedData: textOf(input['encoded_data']),
    encodedRequest: textOf(input['encoded_request']),
    autocompleteHeaders: (textOf(input['autocomplete_headers']) ?? String(!stopMagic)) !== 'false',
  };
}

/** Names and values, or a list of both. */
function headersOf(headers: unknown): [string, string][] {
  if (!Array.isArray(headers))
    return Object.entries(nodeOf(headers)).map(([name, value]) => [name, textOf(value) ?? '']);
  return headers.map((header) => [textOf(nodeOf(header)['name']) ?? '', textOf(nodeOf(header)['value']) ?? '']);
}

/** The oldest tests write a body as a list of lines. */
function dataOf(data: unknown): string | undefined {
  return Array.isArray(data) ? data.map((line) => textOf(line) ?? '').join('\r\n') : textOf(data);
}

function outputOf(output: Node): StageOutput {
  const log = nodeOf(output['log']);
  return {
    status: numbersOf(output['status']),
    responseContains: textOf(output['response_contains']),
    expectIds: numbersOf(log['expect_ids']),
    noExpectIds: numbersOf(log['no_expect_ids']),
    matchRegex: textOf(log['match_regex']) ?? (log['expect_ids'] ? undefined : textOf(output['log_contains'])),
    noMatchRegex:
      textOf(log['no_match_regex']) ?? (log['no_expect_ids'] ? undefined : textOf(output['no_log_contains'])),
    expectError: output['expect_error'] === undefined ? undefined : textOf(output['expect_error']) === 'true',
    isolated: textOf(output['isolated']) === 'true',
    retryOnce: textOf(output['retry_once']) === 'true',
  };
}

function nodeOf(value: unknown): Node {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Node) : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** A list of numbers, or one. */
function numbersOf(value: unknown): number[] {
  const list = Array.isArray(value) ? value : value === undefined ? [] : [value];
  return list.map((item) => Number(item));
}
