import type { Bytes } from '../bytes';
import type { Gap } from './body-view';

export type BodyProcessor = 'URLENCODED' | 'MULTIPART' | 'JSON' | 'XML';

export interface BodyArgument {
  readonly name: Bytes;
  readonly value: Bytes;
  /** Its name in lower case, where that is known. */
  readonly foldedName?: Bytes;
}

/** One file of a form. */
export interface BodyFile {
  /** Name of the form's field. */
  readonly field: Bytes;
  readonly fileName: Bytes;
  /** Bytes of the file. */
  readonly size: number;
}

/** A line of the head of one part. */
export interface PartHeader {
  /** Name of the form's field; empty where the part has none. */
  readonly part: Bytes;
  /** `Content-Type: text/plain`, without its line end. */
  readonly line: Bytes;
}

/** What a strict reader of forms objects to: ModSecurity's flags by their names, and three of our own. */
export type MultipartFault =
  | 'MULTIPART_BOUNDARY_QUOTED'
  | 'MULTIPART_BOUNDARY_WHITESPACE'
  | 'MULTIPART_DATA_BEFORE'
  | 'MULTIPART_DATA_AFTER'
  | 'MULTIPART_HEADER_FOLDING'
  | 'MULTIPART_LF_LINE'
  | 'MULTIPART_CRLF_LF_LINES'
  | 'MULTIPART_MISSING_SEMICOLON'
  | 'MULTIPART_INVALID_PART'
  | 'MULTIPART_INVALID_QUOTING'
  | 'MULTIPART_UNMATCHED_BOUNDARY'
  | 'MULTIPART_FILE_NAMES_DIFFER'
  | 'MULTIPART_NESTED'
  | 'MULTIPART_TRANSFER_ENCODING';

/** A body as rules see it. */
export interface ParsedBody {
  readonly processor: BodyProcessor;
  /** In order, repeated names kept. */
  readonly arguments: readonly BodyArgument[];
  readonly files: readonly BodyFile[];
  /** Header lines of the parts of a form, in order. */
  readonly partHeaders: readonly PartHeader[];
  /** Text of an XML document run together, and the values of its attributes; undefined where there is no element. */
  readonly xml: { readonly text: Bytes; readonly attributes: readonly Bytes[] } | undefined;
  /** Why the body is not what its type says (`REQBODY_ERROR_MSG`); what could be read stays. */
  readonly error: string | undefined;
  /** A `%` that no two hex digits follow was seen in a form (`URLENCODED_ERROR`). */
  readonly invalidEscapes: boolean;
  readonly multipartFaults: readonly MultipartFault[];
}

/** Bounds of what is read of one body. */
export interface BodyLimits {
  /** Containers within containers, elements within elements. */
  readonly depth: number;
  /** Arguments of one body, and attributes of one document. */
  readonly arguments: number;
  /** Bytes of the names of all arguments of a JSON document: each of them has the names of all that it stands in. */
  readonly nameBytes: number;
  /** Parts of one form. */
  readonly parts: number;
  /** Whether the body goes on beyond what is handed in: then it is no fault that it breaks off. */
  readonly cut: boolean;
  /** What of the content of files is not handed in, in order. */
  readonly gaps: readonly Gap[];
}

export const bodyLimits: BodyLimits = Object.freeze({
  depth: 64,
  arguments: 1_000,
  nameBytes: 1024 * 1024,
  parts: 128,
  cut: false,
  gaps: [],
});
