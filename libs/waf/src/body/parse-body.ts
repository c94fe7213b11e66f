import type { Bytes } from '../bytes';
import { splitArguments } from './arguments';
import { isJsonLines, mediaTypeOf } from './content-type';
import { jsonArguments, jsonLinesArguments } from './json';
import { readMultipart } from './multipart';
import type { BodyArgument, BodyLimits, BodyProcessor, ParsedBody } from './parsed-body';
import { readXml } from './xml';

type Reader = (contentType: Bytes, body: Bytes, limits: BodyLimits) => ParsedBody;

const none: readonly never[] = [];

/** What most bodies are: arguments, and nothing else. */
function ofArguments(
  processor: BodyProcessor,
  found: readonly BodyArgument[],
  error: string | undefined,
  invalidEscapes = false,
): ParsedBody {
  return {
    processor,
    arguments: found,
    files: none,
    partHeaders: none,
    xml: undefined,
    error,
    invalidEscapes,
    multipartFaults: none,
  };
}

const readers: Readonly<Record<BodyProcessor, Reader>> = {
  URLENCODED: (_, body, limits) => {
    const { arguments: found, invalidEscapes, tooMany } = splitArguments(body, limits.arguments);
    const error = tooMany ? `Form: more than ${limits.arguments} arguments` : undefined;
    return ofArguments('URLENCODED', found, error, invalidEscapes);
  },
  MULTIPART: (contentType, body, limits) => {
    const { arguments: found, files, partHeaders, error, faults } = readMultipart(contentType, body, limits);
    return { ...ofArguments('MULTIPART', found, error), files, partHeaders, multipartFaults: faults };
  },
  JSON: (contentType, body, limits) => {
    const read = isJsonLines(mediaTypeOf(contentType)) ? jsonLinesArguments : jsonArguments;
    const { arguments: found, error } = read(body, limits);
    return ofArguments('JSON', found, error);
  },
  XML: (_, body, limits) => ({ ...ofArguments('XML', none, undefined), ...readXml(body, limits) }),
};

/**
 * Reads a body for the rules. Never throws: what is wrong with it is said in the result, and what could be read stays.
 * @param processor `processorOf` its type, or the one a rule chose
 * @param contentType the field as received; empty where there is none
 * @param body the inspected part of it
 */
export function parseBody(processor: BodyProcessor, contentType: Bytes, body: Bytes, limits: BodyLimits): ParsedBody {
  return readers[processor](contentType, body, limits);
}
