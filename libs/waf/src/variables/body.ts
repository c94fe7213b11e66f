import type { BodyFile } from '../body/parsed-body';
import type { Bytes } from '../bytes';
import { Entries } from './entries';
import type { Facts } from './facts';
import { collection, scalar, type Variable } from './variable';

const filesOf = ({ body }: Facts): readonly BodyFile[] => body?.parsed?.files ?? [];

function ofFiles(name: string, value: (file: BodyFile) => Bytes): Variable {
  return collection(name, 'body', (facts) => {
    const files = filesOf(facts);
    return new Entries(
      files.map(({ field }) => field),
      files.map(value),
    );
  });
}

function partHeaders({ body }: Facts): Entries {
  const lines = body?.parsed?.partHeaders ?? [];
  return new Entries(
    lines.map(({ part }) => part),
    lines.map(({ line }) => line),
  );
}

/** Flags by which ModSecurity tells what is odd about a form; `MULTIPART_STRICT_ERROR` says that one of them is set. */
const multipartFlags = [
  'MULTIPART_BOUNDARY_QUOTED',
  'MULTIPART_BOUNDARY_WHITESPACE',
  'MULTIPART_DATA_AFTER',
  'MULTIPART_DATA_BEFORE',
  'MULTIPART_FILE_LIMIT_EXCEEDED',
  'MULTIPART_CRLF_LF_LINES',
  'MULTIPART_HEADER_FOLDING',
  'MULTIPART_INVALID_HEADER_FOLDING',
  'MULTIPART_INVALID_PART',
  'MULTIPART_INVALID_QUOTING',
  'MULTIPART_LF_LINE',
  'MULTIPART_MISSING_SEMICOLON',
  'MULTIPART_SEMICOLON_MISSING',
  'MULTIPART_UNMATCHED_BOUNDARY',
] as const;

function flag(name: string): Variable {
  return scalar(name, 'body', ({ body }) =>
    Entries.flag(body?.parsed?.multipartFaults.some((fault) => fault === name) ?? false),
  );
}

/** The error of a body: that of its parser. */
function errorOf({ body }: Facts): string | undefined {
  return body?.parsed?.error;
}

const hasError = (facts: Facts) => Entries.flag(errorOf(facts) !== undefined);
const errorText = (facts: Facts) => Entries.single(errorOf(facts) ?? '');

/**
 * The body as received. That of an XML document stays empty, as in ModSecurity 2: its text and attributes are looked at by
 * themselves, and CRS counts on names of elements and attributes being looked at by no rule over bodies.
 */
function rawBody({ body, bodyProcessor }: Facts): Bytes {
  return bodyProcessor === 'XML' ? '' : (body?.raw ?? '');
}

/** The body of the request, and what a form or a file upload is made of. */
export const bodyVariables: readonly Variable[] = [
  scalar('REQUEST_BODY', 'body', (facts) => Entries.single(rawBody(facts))),
  // Ours: what declares entities and types is no text of the document.
  scalar('XML_DOCUMENT', 'body', ({ body, bodyProcessor }) =>
    Entries.single(bodyProcessor === 'XML' ? (body?.raw ?? '') : ''),
  ),
  scalar('REQUEST_BODY_LENGTH', 'body', ({ body }) => Entries.single(String(body?.length ?? 0))),
  // A rule may choose another one.
  scalar('REQBODY_PROCESSOR', 'moment', ({ bodyProcessor }) => Entries.single(bodyProcessor)),
  scalar('REQBODY_ERROR', 'body', hasError),
  scalar('REQBODY_ERROR_MSG', 'body', errorText),
  scalar('REQBODY_PROCESSOR_ERROR', 'body', hasError),
  scalar('REQBODY_PROCESSOR_ERROR_MSG', 'body', errorText),
  scalar('INBOUND_DATA_ERROR', 'body', ({ body }) => Entries.flag(body !== undefined && body.length > body.raw.length)),
  ofFiles('FILES', ({ fileName }) => fileName),
  ofFiles('FILES_NAMES', ({ field }) => field),
  ofFiles('FILES_SIZES', ({ size }) => String(size)),
  // Nothing is written to disk; where a file would lie is nothing a rule needs to see.
  collection('FILES_TMPNAMES', 'body', () => Entries.none),
  collection('FILES_TMP_CONTENT', 'body', () => Entries.none),
  scalar('FILES_COMBINED_SIZE', 'body', (facts) =>
    Entries.single(String(filesOf(facts).reduce((sum, { size }) => sum + size, 0))),
  ),
  ofFiles('MULTIPART_FILENAME', ({ fileName }) => fileName),
  ofFiles('MULTIPART_NAME', ({ field }) => field),
  collection('MULTIPART_PART_HEADERS', 'body', partHeaders),
  scalar('MULTIPART_STRICT_ERROR', 'body', ({ body }) => Entries.flag((body?.parsed?.multipartFaults.length ?? 0) > 0)),
  ...multipartFlags.map(flag),
];
